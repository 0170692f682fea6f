// SQL as one would write it by hand: what the answer needs, by tenant and user, each in one prepared statement.

const BADGE = `select unread from tocsin.inbox where tenant_id = $1 and user_id = $2`;
const COLUMNS = `id, type, category, severity, title, body, url, icon, actions, created_at, read_at`;
const VISIBLE = `tenant_id = $1 and user_id = $2 and deleted_at is null and dismissed_at is null`;
const END = `order by created_at desc, id desc limit $3`;
const UNREAD = `(select unread from tocsin.inbox where tenant_id = $1 and user_id = $2) as inbox_unread`;
const PAGE = `select ${COLUMNS}, ${UNREAD} from tocsin.notification where ${VISIBLE} ${END}`;
const PAGE_AFTER = `select ${COLUMNS}, ${UNREAD} from tocsin.notification
  where ${VISIBLE} and (created_at, id) < ($4, $5) ${END}`;
// The badge is kept, in the same statement; counters by type and an event log are not.
const READ = `with changed as (
    update tocsin.notification set read_at = now(), updated_at = now()
    where tenant_id = $1 and user_id = $2 and id = any($3::uuid[]) and deleted_at is null and read_at is null
    returning id, read_at
  ), counted as (
    update tocsin.inbox set unread = unread - (select count(*) from changed)
    where tenant_id = $1 and user_id = $2 returning unread
  ) select changed.id, changed.read_at, counted.unread from counted left join changed on true`;
const READ_ALL = `with changed as (
    update tocsin.notification set read_at = now(), updated_at = now()
    where tenant_id = $1 and user_id = $2 and deleted_at is null and read_at is null returning 1
  ), counted as (
    update tocsin.inbox set unread = unread - (select count(*) from changed)
    where tenant_id = $1 and user_id = $2 returning unread
  ) select (select count(*)::int from changed) as marked, counted.unread from counted`;

export const plain = (pool) => ({
  async stats(tenant, user) {
    const { rows } = await pool.query({ name: "badge", text: BADGE, values: [tenant, user] });
    return rows[0] ?? { unread: 0 };
  },

  async page(tenant, user, limit, at, id) {
    const { rows } = await pool.query(
      at
        ? { name: "after", text: PAGE_AFTER, values: [tenant, user, limit, at, id] }
        : { name: "page", text: PAGE, values: [tenant, user, limit] },
    );
    return { rows, unread: rows[0]?.inbox_unread ?? 0 };
  },

  async read(tenant, user, ids) {
    const { rows } = await pool.query({ name: "read", text: READ, values: [tenant, user, ids] });
    const notifications = rows.filter((row) => row.id);
    return { changed: notifications.length, notifications, stats: { unread: rows[0].unread } };
  },

  async markAllRead(tenant, user) {
    const { rows } = await pool.query({ name: "read all", text: READ_ALL, values: [tenant, user] });
    return { marked: rows[0].marked, stats: { unread: rows[0].unread } };
  },
});
