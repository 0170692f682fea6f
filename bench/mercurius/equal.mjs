// What Tocsin does, in Tocsin's own statements: {name: {text, names, constants}}, with the names of $1, $2 ... in order.

import { randomUUID } from "node:crypto";

const COUNTERS = ["total", "unread", "dismissed", "dismissed_unread"];

export const equal = (pool, statements) => {
  const run = async (on, name, values) => {
    const { text, names, constants } = statements[name];
    return (await on.query({ name, text, values: names.map((it) => values[it] ?? constants[it]) })).rows;
  };

  // Begin in the caller's context, lock the inbox, and commit, or roll back whatever was thrown.
  const locked = async (scope, work) => {
    const client = await pool.connect();
    try {
      await client.query("begin isolation level read committed");
      await run(client, "context", scope);
      const [head] = await run(client, "lock", scope);
      const result = await work(client, head);
      await client.query("commit");
      return result;
    } catch (error) {
      await client.query("rollback");
      throw error;
    } finally {
      client.release();
    }
  };

  // Counters down by type and category, and in the inbox; its seq up; and one event for each row in `ids`.
  const record = async (client, scope, head, groups, ids) => {
    const { user_id } = scope;
    const values = { ...scope, events_user_id: ids.map(() => user_id), events_notification_id: ids };
    values.events_seq = ids.map((_id, index) => Number(head.inbox_seq) + 1 + index);
    values.events_kind = ids.map(() => "UPDATED");
    values.counts_user_id = groups.map(() => user_id);
    for (const key of ["type", "category"]) values[`counts_${key}`] = groups.map((it) => it[key]);
    for (const key of COUNTERS) {
      values[`counts_${key}`] = groups.map((it) => -(it[key] ?? 0));
      values[`inboxes_${key}`] = [groups.reduce((sum, it) => sum - (it[key] ?? 0), 0)];
    }
    values.inboxes_user_id = [user_id];
    values.inboxes_seq = [Number(head.inbox_seq) + Math.max(ids.length, 1)];
    const [after] = await run(client, "record", values);
    return { unread: after.inbox_unread };
  };

  const scoped = (tenant, user) => ({ tenant_id: tenant, user_id: user, actor: `user:${user}` });

  return {
    async stats(tenant, user) {
      const [head] = await run(pool, "badge", scoped(tenant, user));
      return { unread: head?.inbox_unread ?? 0 };
    },

    async page(tenant, user, limit, at, id) {
      const rows = await run(pool, at ? "page_after" : "page", { ...scoped(tenant, user), limit, at, at_id: id });
      return { rows: rows.filter((row) => row.id), unread: rows[0].inbox_unread ?? 0 };
    },

    read(tenant, user, ids) {
      const scope = { ...scoped(tenant, user), ids };
      return locked(scope, async (client, head) => {
        const rows = await run(client, "states", scope);
        if (rows.length !== ids.length) throw new Error("INVALID_NOTIFICATION_IDS");
        const changed = rows.filter((row) => !row.read_at);
        const groups = changed.map(({ type, category }) => ({ type, category, unread: 1 }));
        if (changed.length) await run(client, "set_read", { ...scope, ids: changed.map((row) => row.id) });
        const stats = await record(client, scope, head, groups, changed.map((row) => row.id));
        return { changed: changed.length, notifications: await run(client, "by_ids", scope), stats };
      });
    },

    markAllRead(tenant, user) {
      const scope = scoped(tenant, user);
      return locked(scope, async (client, head) => {
        const upTo = { ...scope, up_to_seq: head.inbox_seq };
        const groups = await run(client, "reached", upTo);
        for (const it of groups) for (const key of ["unread", "dismissed_unread"]) it[key] = Number(it[key]);
        const id = randomUUID();
        await run(client, "mark", { ...upTo, mark_id: id });
        await run(client, "work", { ...scope, id, kind: "MARK" });
        const stats = await record(client, scope, head, groups, []);
        const seq = Number(head.inbox_seq) + 1;
        await run(client, "log_read", { ...upTo, seq, ids: null });
        return { marked: groups.reduce((sum, it) => sum + it.unread + it.dismissed_unread, 0), stats };
      });
    },
  };
};
