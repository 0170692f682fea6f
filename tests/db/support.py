"""What the database tests share: raw connections in a context, twin data, and what must always be true."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID, uuid5

import asyncpg

from db.session import Database
from tests.support import ROWS, Urls

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

PERSONAL = ("event", "inbox", "inbox_count", "mark", "notification", "preference")
SHARED = (
    *("agent", "attempt", "channel", "delivery", "notification_type", "recipient", "removal", "settings"),
    "template",
)
# What a notify said: the service's, but for what was said to one user alone.
SERVICE = ("request",)
# What admins changed: anybody of the tenant adds, the service alone reads, nobody changes it.
AUDIT = ("audit",)
# What workers have to do: ids only, of all tenants.
WORK = ("due",)
# Which roles of a host application may notify for which tenant: the owner's to write.
HOST = ("host",)
USERS = ("ada", "grace")
_NAMESPACE = UUID("6f3b2f0e-7c1d-4a51-9d55-5a3c4a2b1c00")

_ME = "with me as (select $1::text tenant, $2::text u, $3::text mark, $4::uuid id, $5::uuid shared)"
# In an order that foreign keys allow. Ids are the same in every tenant: only tenant_id tells rows apart.
_OF_TENANT = (
    "tenant (id) select tenant",
    "notification_type (tenant_id, name, category, icon) select tenant, 'a', 'a', mark",
    "template (tenant_id, id, name, title_template, body_template) select tenant, shared, mark, '', ''",
    "channel (tenant_id, id, kind, name) select tenant, shared, 'SLACK', mark",
    "agent (tenant_id, id, name, key_prefix, key_hash) select tenant, shared, mark, 'a', 'a'",
    "settings (tenant_id) select tenant",
    "audit (tenant_id, id, admin, action, subject) select tenant, shared, 'ada', 'a', mark",
    (
        "request (tenant_id, id, caller, type, title, recipient_ids)"
        " select tenant, shared, 'a', 'a', mark, array['ada', 'grace']"
    ),
)
_OF_USER = (
    "recipient (tenant_id, id, name) select tenant, u, mark",
    "removal (tenant_id, user_id) select tenant, u",
    "inbox (tenant_id, user_id) select tenant, u",
    "inbox_count (tenant_id, user_id, type, category) select tenant, u, mark, 'a'",
    (
        "notification (tenant_id, id, user_id, type, category, title, body, unread_seq)"
        " select tenant, id, u, 'a', 'a', mark, '', 1"
    ),
    "mark (tenant_id, id, user_id, after_seq, through_seq) select tenant, id, u, -1, 0",
    "event (tenant_id, user_id, seq, kind, notification_id) select tenant, u, 1, 'CREATED', id",
    "preference (tenant_id, id, user_id, category) select tenant, id, u, mark",
    "request (tenant_id, id, caller, type, title, recipient_ids) select tenant, id, 'a', 'a', mark, array[u]",
    (
        "delivery (tenant_id, id, request_id, user_id, notification_id, channel_id, reason)"
        " select tenant, id, id, u, id, shared, mark"
    ),
    "attempt (tenant_id, delivery_id, number, duration_ms, error) select tenant, id, 1, 1, mark",
    "due (tenant_id, id) select tenant, id",
)


def stable_id(name: str) -> UUID:
    """Return the same id for the same name."""
    return uuid5(_NAMESPACE, name)


async def add_twins(superuser: Connection, tenants: Iterable[str]) -> None:
    """Put the same rows, but for their canaries, into each table for each tenant and both users."""
    for tenant in tenants:
        for user, rows in (("*", _OF_TENANT), *((user, _OF_USER) for user in USERS)):
            binds = (tenant, user, f"canary:{tenant}:{user}", stable_id(user), stable_id("shared"))
            for row in rows:
                # Each bind is named in `me`, so that every statement takes the same five.
                table, select = row.split(" select ")
                await superuser.execute(f"{_ME} insert into tocsin.{table} select {select} from me", *binds)


@asynccontextmanager
async def app_connection(urls: Urls, role: str = "tocsin_app") -> AsyncIterator[Connection]:
    """Connect as the server's login acting as one of its roles, around the application's own door."""
    connection = await asyncpg.connect(urls.server, server_settings={"role": role})
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def in_context(connection: Connection, tenant: str, user: str | None) -> AsyncIterator[None]:
    """Set a context for the block, and roll back all that happened in it."""
    transaction = connection.transaction()
    await transaction.start()
    actor = f"user:{user}" if user else "service"
    await connection.execute(
        "select set_config('tocsin.tenant', $1, true), set_config('tocsin.actor', $2, true)", tenant, actor
    )
    try:
        yield
    finally:
        await transaction.rollback()


def literal(value: Any) -> str:
    """Return a value as SQL."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"array[{', '.join(map(literal, value))}]" if value else "'{}'"
    text = json.dumps(value) if isinstance(value, dict) else str(value).replace("'", "''")
    return f"'{text}'::uuid" if isinstance(value, UUID) else f"'{text}'"


_DRIFT = f"""
with rows as ({ROWS}), counted as (
  select tenant_id, user_id, type, category,
    count(*) filter (where dismissed_at is null) as total,
    count(*) filter (where dismissed_at is null and unread) as unread,
    count(*) filter (where dismissed_at is not null) as dismissed,
    count(*) filter (where dismissed_at is not null and unread) as dismissed_unread
  from rows where tenant_id = $1
  group by tenant_id, user_id, type, category
), summed as (
  select user_id, sum(total) as total, sum(unread) as unread, sum(dismissed) as dismissed,
    sum(dismissed_unread) as dismissed_unread from counted group by user_id
), logged as (
  select user_id, array_agg(seq order by seq) as seqs from tocsin.event where tenant_id = $1 group by user_id
)
select format('inbox_count %s %s %s', c.user_id, c.type, c.category) as fault
from tocsin.inbox_count c left join counted n using (tenant_id, user_id, type, category)
where tenant_id = $1 and (c.total, c.unread, c.dismissed, c.dismissed_unread) is distinct from
  (coalesce(n.total, 0), coalesce(n.unread, 0), coalesce(n.dismissed, 0), coalesce(n.dismissed_unread, 0))
union all
select format('no inbox_count for %s %s %s', user_id, type, category) from counted n
where not exists (select from tocsin.inbox_count c
  where (c.tenant_id, c.user_id, c.type, c.category) = (n.tenant_id, n.user_id, n.type, n.category))
union all
select format('inbox %s', i.user_id) from tocsin.inbox i left join summed s using (user_id)
where tenant_id = $1 and (i.total, i.unread, i.dismissed, i.dismissed_unread) is distinct from
  (coalesce(s.total, 0), coalesce(s.unread, 0), coalesce(s.dismissed, 0), coalesce(s.dismissed_unread, 0))
union all
select format('log of %s: %s of %s', i.user_id, l.seqs, i.seq) from tocsin.inbox i
left join logged l using (user_id) where tenant_id = $1
and coalesce(l.seqs, '{{}}') <> array(select generate_series(1, i.seq))
"""


async def drift(superuser: Connection, tenant: str) -> list[str]:
    """Return each counter of a tenant that differs from count(*), and each log that is not 1..seq."""
    return [row["fault"] for row in await superuser.fetch(_DRIFT, tenant)]


def holders(database: Database) -> list[Any]:
    """Return asyncpg's own records of a pool's connections: to meet a certain one, or each."""
    found: list[Any] = database.pool._pool._holders  # type: ignore[attr-defined]
    return found
