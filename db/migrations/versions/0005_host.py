"""Notifying by SQL: a host application that shares the database calls tocsin.notify() in its transaction.

The function is SECURITY INVOKER, so the host's role needs rights of its own: to insert requests that have no
problem, and work of the kind REQUEST for them; to read of its own requests what an idempotency key needs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLE = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'tocsin_host') then
    create role tocsin_host nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$
"""
_ID = "length({0}) between 1 and 255 and octet_length({0}) <= 510"
_IDS = f"not exists (select from unnest({{0}}) id where ({_ID.format('id')}) is not true)"
# As resolvers and resolvers.url.safe_url have it; but a URL has ASCII only, as RFC 3986 says.
_URL = (
    r"^(https://([^/?#]*@)?([^]/?#@:[]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?([/?#].*)?"
    r"|mailto:(?!//)[^?#]*@.*|/|/[^/].*)$"
)
# orjson, which reads it, knows neither numbers beyond a double nor more than 1,024 levels.
_TOO_MUCH = '$.** ? (@.type() == "number" && (@ > 1e308 || @ < -1e308))'
PROBLEMS = rf"""
create function tocsin.request_problems(it tocsin.request) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select string_agg(format('%s %s.', parameter, rule), ' ') from (values
    ('tenant_id', 'must have 1 to 255 characters, at most 510 bytes', {_ID.format("it.tenant_id")}),
    ('type', 'must have 1 to 255 characters, at most 510 bytes', {_ID.format("it.type")}),
    ('title', 'must have 1 to 1,000 characters', length(it.title) between 1 and 1000),
    ('recipients', 'must be 1 to 1,000 different ids of 1 to 255 characters, at most 510 bytes',
      it.recipient_ids is null or (array_ndims(it.recipient_ids) = 1
        and cardinality(it.recipient_ids) between 1 and 1000
        and cardinality(it.recipient_ids) = (select count(distinct id) from unnest(it.recipient_ids) id)
        and {_IDS.format("it.recipient_ids")})),
    ('recipients', 'must be counted', it.recipients = coalesce(cardinality(it.recipient_ids), 0)),
    ('body', 'must have at most 65,536 characters', length(it.body) <= 65536),
    ('category', 'must have 1 to 255 characters, at most 510 bytes, and not mean all',
      it.category is null or (it.category <> '*' and {_ID.format("it.category")})),
    ('severity', 'must be LOW, NORMAL, HIGH or CRITICAL',
      it.severity in ('LOW', 'NORMAL', 'HIGH', 'CRITICAL')),
    ('url', 'must be https:, mailto: or an app-relative /path, at most 2,048 characters, all of ASCII',
      it.url is null or (length(it.url) <= 2048 and it.url collate "C" ~ '^[!-\[\]-~]+$'
        and it.url collate "C" ~* '{_URL}')),
    ('targets', 'must be at most 100 ids of 1 to 255 characters, at most 510 bytes',
      it.targets = '{{}}' or (array_ndims(it.targets) = 1 and cardinality(it.targets) <= 100
        and {_IDS.format("it.targets")})),
    ('data', 'must be an object, at most 128 KiB and 100 levels, with numbers that fit a double',
      it.data is null or (jsonb_typeof(it.data) = 'object' and octet_length(it.data::text) <= 131072
        and not jsonb_path_exists(it.data, '$.**{{100}}')
        and not jsonb_path_exists(it.data, '{_TOO_MUCH}'))),
    ('channels', 'must be some of IN_APP, EMAIL, SLACK, WEBHOOK, APPRISE',
      it.channels is null or (array_ndims(it.channels) = 1
        and it.channels <@ array['IN_APP', 'EMAIL', 'SLACK', 'WEBHOOK', 'APPRISE'])),
    ('idempotency_key', 'must have 1 to 255 characters, at most 510 bytes',
      it.idempotency_key is null or ({_ID.format("it.idempotency_key")})),
    ('escalate_minutes', 'must be from 1 to 10,080',
      it.escalate_minutes is null or it.escalate_minutes between 1 and 10080)
  ) as rules (parameter, rule, holds) where holds is not true
$$
"""  # noqa: S608  texts of ours
NOTIFY = """
create function tocsin.notify(
  tenant_id text, type text, title text, recipients text[] default null, body text default '',
  category text default null, severity text default 'NORMAL', url text default null,
  targets text[] default '{}', data jsonb default null, channels text[] default null,
  idempotency_key text default null, escalate_minutes int default null
) returns uuid language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  it tocsin.request;
  earlier tocsin.request;
begin
  it.tenant_id := notify.tenant_id;
  it.caller := 'sql:' || current_user;
  it.idempotency_key := notify.idempotency_key;
  it.recipient_ids := notify.recipients;
  it.recipients := coalesce(cardinality(notify.recipients), 0);
  it.type := notify.type;
  it.category := notify.category;
  it.severity := coalesce(notify.severity, 'NORMAL');
  it.title := btrim(notify.title, E' \\t\\r\\n');
  it.body := coalesce(notify.body, '');
  it.url := notify.url;
  it.targets := coalesce(notify.targets, '{}');
  it.data := notify.data;
  it.channels := notify.channels;
  it.escalate_minutes := notify.escalate_minutes;
  if tocsin.request_problems(it) is not null then
    raise invalid_parameter_value using message = tocsin.request_problems(it);
  end if;
  if not exists (select from tocsin.host where tenant_id = it.tenant_id and role_name = current_user) then
    raise insufficient_privilege using
      message = format('role %I is not tied to the tenant %s', current_user, it.tenant_id);
  end if;
  if it.idempotency_key is not null then
    it.fingerprint := sha256(convert_to(
      concat(jsonb_strip_nulls(to_jsonb(it) - 'data'), it.data), 'UTF8'));
    update tocsin.request set idempotency_key = null
    where tenant_id = it.tenant_id and caller = it.caller and idempotency_key = it.idempotency_key
      and created_at < now() - interval '24 hours';
  end if;
  it.id := gen_random_uuid();
  insert into tocsin.request (
    tenant_id, id, caller, idempotency_key, fingerprint, recipient_ids, recipients, type, category, severity,
    title, body, url, targets, data, channels, escalate_minutes
  ) values (
    it.tenant_id, it.id, it.caller, it.idempotency_key, it.fingerprint, it.recipient_ids, it.recipients,
    it.type, it.category, it.severity, it.title, it.body, it.url, it.targets, it.data, it.channels,
    it.escalate_minutes
  ) on conflict (tenant_id, caller, idempotency_key) where idempotency_key is not null do nothing;
  if found then
    insert into tocsin.due (tenant_id, id, kind) values (it.tenant_id, it.id, 'REQUEST');
    return it.id;
  end if;
  select id, fingerprint into earlier.id, earlier.fingerprint from tocsin.request
  where tenant_id = it.tenant_id and caller = it.caller and idempotency_key = it.idempotency_key;
  if earlier.fingerprint is distinct from it.fingerprint then
    raise unique_violation using message =
      'IDEMPOTENCY_CONFLICT: this idempotency_key was used with another input within 24 hours';
  end if;
  return earlier.id;
end $$
"""
_SIGNATURES = (
    "notify(text, text, text, text[], text, text, text, text, text[], jsonb, text[], text, int)",
    "request_problems(tocsin.request)",
)
_INSERTED = (
    "tenant_id, id, caller, idempotency_key, fingerprint, recipient_ids, recipients, type, category, severity, "
    "title, body, url, targets, data, channels, escalate_minutes"
)
_READ = "tenant_id, id, caller, idempotency_key, fingerprint, created_at"
OWN = (
    "caller = 'sql:' || current_user and exists (select from tocsin.host"
    " where host.tenant_id = request.tenant_id and host.role_name = current_user)"
)
OF_OWN_REQUEST = (
    "kind = 'REQUEST' and exists (select from tocsin.request"
    " where request.tenant_id = due.tenant_id and request.id = due.id)"
)


def upgrade() -> None:
    op.execute(ROLE)
    op.create_table(
        "host",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("role_name", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "role_name", name=op.f("host_pkey")),
        schema="tocsin",
        comment="Which database roles may call tocsin.notify() for which tenant; only the owner writes it.",
    )
    op.execute(PROBLEMS)
    op.execute(NOTIFY)
    _isolate()
    _grant()


def _isolate() -> None:
    # Not forced, so that the owner, who is nobody in any policy, can write it.
    op.execute("alter table tocsin.host enable row level security")
    op.execute("create policy own on tocsin.host for select to tocsin_host using (role_name = current_user)")
    op.execute(f"create policy host_select on tocsin.request for select to tocsin_host using ({OWN})")
    # Whoever may call the function may also insert without it: the same rules hold.
    op.execute(
        "create policy host_insert on tocsin.request for insert to tocsin_host"
        f" with check ({OWN} and tocsin.request_problems(request) is null)"
    )
    op.execute(
        "create policy host_update on tocsin.request for update to tocsin_host"
        f" using ({OWN}) with check (idempotency_key is null)"
    )
    op.execute(
        f"create policy host_insert on tocsin.due for insert to tocsin_host with check ({OF_OWN_REQUEST})"
    )


def _grant() -> None:
    op.execute("grant usage on schema tocsin to tocsin_host")
    op.execute("grant select on tocsin.host to tocsin_host")
    op.execute(
        f"grant insert ({_INSERTED}), select ({_READ}), update (idempotency_key) on tocsin.request to tocsin_host"
    )
    op.execute("grant insert (tenant_id, id, kind) on tocsin.due to tocsin_host")
    for signature in _SIGNATURES:
        op.execute(f"revoke execute on function tocsin.{signature} from public")
        op.execute(f"grant execute on function tocsin.{signature} to tocsin_host")


def downgrade() -> None:
    """Take it all away but the role, which other databases may use."""
    op.execute("drop policy host_insert on tocsin.due")
    for verb in ("select", "insert", "update"):
        op.execute(f"drop policy host_{verb} on tocsin.request")
    for signature in _SIGNATURES:
        op.execute(f"drop function tocsin.{signature}")
    op.drop_table("host", schema="tocsin")
    op.execute("revoke all on tocsin.request, tocsin.due from tocsin_host")
    op.execute("revoke all on schema tocsin from tocsin_host")
