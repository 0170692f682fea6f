"""A million notifications in a moment, with the counters that Tocsin would keep; and back to it after changes."""

from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

EACH = 100
USERS = 50
HEAVY = ("tenant-0", "heavy")

_PEOPLE = """
insert into tocsin.tenant select 'tenant-' || t from generate_series(0, $1::int - 1) t"""
_TYPES = """
insert into tocsin.notification_type (tenant_id, name, category)
select id, 'kind-' || k || '.done', 'category-' || k % 3 from tocsin.tenant, generate_series(0, 4) k"""
# Ordered by time, as they would have come: the rows of one inbox lie far from each other. Every so many is read,
# another number for neighbours: an answer that was meant for somebody else shows.
_NOTIFICATIONS = """
insert into tocsin.notification (tenant_id, id, user_id, type, category, severity, title, body, url, icon,
  actions, targets, data, unread_seq, read_at, created_at, updated_at)
select tenant_id, md5(tenant_id || '/' || user_id || '/' || n)::uuid, user_id,
  'kind-' || n % 5 || '.done', 'category-' || n % 5 % 3, 'NORMAL',
  'Build ' || n || ' of **' || user_id || '** is done',
  'It took ' || n || ' minutes, and ' || repeat('one more word, ', 8) || 'then it was *done*.',
  'https://example.com/builds/' || n, 'bell',
  jsonb_build_array(
    jsonb_build_object('label', 'Open', 'url', 'https://example.com/builds/' || n),
    jsonb_build_object('label', 'Mute', 'url', 'https://example.com/mute/' || n)),
  array['build-' || n], jsonb_build_object('number', n, 'branch', 'main'), n,
  case when n % every = 0 then at + interval '1 hour' end, at, at
from (
  select 'tenant-' || t as tenant_id, 'user-' || u as user_id, n, 4 + (t * 50 + u) % 40 as every,
    timestamptz '2026-01-01Z' + n * interval '1 hour' + (t * 50 + u) * interval '1 ms' as at
  from generate_series(0, $1::int - 1) t, generate_series(0, $2::int - 1) u, generate_series(1, $3::int) n
  union all
  select 'tenant-0', 'heavy', n, null, timestamptz '2026-01-01Z' + n * interval '1 minute'
  from generate_series(1, $4::int) n
) rows order by at"""
_COUNTS = """
insert into tocsin.inbox_count (tenant_id, user_id, type, category, total, unread)
select tenant_id, user_id, type, category, count(*), count(*) filter (where read_at is null)
from tocsin.notification group by 1, 2, 3, 4"""
_INBOXES = """
insert into tocsin.inbox (tenant_id, user_id, seq, total, unread)
select tenant_id, user_id, sum(total), sum(total), sum(unread) from tocsin.inbox_count group by 1, 2"""
_RECIPIENTS = "insert into tocsin.recipient (tenant_id, id) select tenant_id, user_id from tocsin.inbox"
# What was changed is put back and vacuumed between turns: autovacuum would begin in the middle of one.
_KEEP = """
create schema bench;
create table bench.inbox as table tocsin.inbox;
create table bench.inbox_count as table tocsin.inbox_count;
create table bench.filled as select clock_timestamp() as at;
alter table tocsin.notification set (autovacuum_enabled = false);
alter table tocsin.inbox set (autovacuum_enabled = false);
alter table tocsin.inbox_count set (autovacuum_enabled = false);
alter table tocsin.event set (autovacuum_enabled = false)"""
_RESTORE = """
update tocsin.notification set read_at = null, updated_at = created_at
where read_at >= (select at from bench.filled);
update tocsin.inbox now set seq = old.seq, unread = old.unread from bench.inbox old
where (now.tenant_id, now.user_id) = (old.tenant_id, old.user_id)
  and (now.seq, now.unread) <> (old.seq, old.unread);
update tocsin.inbox_count now set unread = old.unread from bench.inbox_count old
where (now.tenant_id, now.user_id, now.type, now.category) = (old.tenant_id, old.user_id, old.type, old.category)
  and now.unread <> old.unread;
truncate tocsin.event, tocsin.mark, tocsin.due"""
_VACUUM = "vacuum (analyze) tocsin.{}"
_CHANGED = """
select (select count(*) from tocsin.notification where read_at >= (select at from bench.filled)) + (
  select count(*) from tocsin.mark join tocsin.notification using (tenant_id, user_id)
  where notification.read_at is null and unread_seq > after_seq and unread_seq <= through_seq)"""
_PEOPLE_OF = """
select tenant_id, user_id from tocsin.inbox where user_id <> 'heavy'
order by md5(tenant_id || user_id) limit $1"""
# One of each inbox, then the next of each: no two at a time are of the same inbox.
_UNREAD = f"""
with people as ({_PEOPLE_OF}), ranked as (
  select tenant_id, user_id, id, row_number() over (partition by tenant_id, user_id order by created_at desc) k
  from people join tocsin.notification using (tenant_id, user_id) where read_at is null
)
select tenant_id, user_id, id from ranked order by k, md5(tenant_id || user_id) limit $2"""
_DEEP = """
select created_at, id from tocsin.notification where (tenant_id, user_id) = ('tenant-0', 'heavy')
order by created_at desc, id desc offset $1 limit 1"""


class Size(NamedTuple):
    """How much there is: tenants of USERS users of EACH notifications, and what one user more has unread."""

    tenants: int
    heavy: int

    @classmethod
    def of(cls, rows: int) -> "Size":
        """Return the size with about so many rows in inboxes of EACH; one user has a tenth of that on top."""
        return cls(max(rows // (USERS * EACH), 1), max(rows // 10, 40))

    @property
    def depth(self) -> int:
        """How many rows of the heavy user come before its deep page."""
        return self.heavy // 2


class Place(NamedTuple):
    """What a cursor is made of."""

    created_at: datetime
    id: UUID


Eye: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
"""A connection as superuser, so past row level security."""


async def fill(eye: Eye, size: Size) -> None:
    """Store all rows, as long as no constraint triggers fire: all foreign keys hold in the end."""
    await eye.execute("set session_replication_role = replica")
    await eye.execute(_PEOPLE, size.tenants)
    await eye.execute(_TYPES)
    await eye.execute(_NOTIFICATIONS, size.tenants, USERS, EACH, size.heavy)
    for statement in (_COUNTS, _INBOXES, _RECIPIENTS, _KEEP):
        await eye.execute(statement)
    await _vacuum(eye)


async def restore(eye: Eye) -> int:
    """Make unread again what was read since; return how many rows that were."""
    changed: int = await eye.fetchval(_CHANGED)
    if changed:
        await eye.execute(_RESTORE)
        await _vacuum(eye)
    return changed


async def _vacuum(eye: Eye) -> None:
    for table in ("notification", "inbox", "inbox_count", "event", "mark", "due"):
        await eye.execute(_VACUUM.format(table))


async def people(eye: Eye, limit: int) -> list[tuple[str, str]]:
    """Return (tenant, user) of inboxes of EACH, in an order that says nothing."""
    return [(row["tenant_id"], row["user_id"]) for row in await eye.fetch(_PEOPLE_OF, limit)]


async def unread(eye: Eye, people: int, limit: int) -> list[tuple[str, str, str]]:
    """Return (tenant, user, id) of unread notifications of the same people, neighbours of different inboxes."""
    rows = await eye.fetch(_UNREAD, people, limit)
    return [(row["tenant_id"], row["user_id"], str(row["id"])) for row in rows]


async def deep_row(eye: Eye, depth: int) -> Place:
    """Return the heavy user's row up to which there are so many."""
    row = await eye.fetchrow(_DEEP, depth - 1)
    assert row
    return Place(row["created_at"], row["id"])
