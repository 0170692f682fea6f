"""What workers have to do, and who holds it: the outbox and its leases, by the database's clock.

A row of `due` is ids only. Until `due_at` nobody touches it. Whoever picks it writes his lease and moves
`due_at` to its end; his results count while both still stand. If he dies, `due_at` passes and the row is
due again: no strike against it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Float, Integer, Text, Uuid, bindparam, insert, text
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Database, Row, Transaction
from db.statement import TENANT_ID, Statement, Write
from db.tables import due
from db.types import WorkKind

_LEASE = bindparam("lease", type_=Uuid)
_SECONDS = bindparam("seconds", type_=Float)

_ADD = Write(
    insert(due).values(
        tenant_id=TENANT_ID, id=bindparam("id", type_=Uuid), kind=bindparam("kind", type_=Text)
    )
)

# From tenant to tenant along the index, however many rows each has.
_LANES = Statement(
    text("""
    with recursive lane as (
      (select tenant_id from tocsin.due where tenant_id > :after order by tenant_id limit 1)
      union all
      select (select tenant_id from tocsin.due
              where tenant_id > lane.tenant_id order by tenant_id limit 1)
      from lane where lane.tenant_id is not null
    ),
    seen as (select tenant_id from lane where tenant_id is not null limit :most)
    select tenant_id, exists (
      select from tocsin.due where due.tenant_id = seen.tenant_id and due_at <= now()
    ) as is_due
    from seen order by tenant_id
    """).bindparams(bindparam("after", type_=Text), bindparam("most", type_=Integer))
)
_PICK = Statement(
    text("""
    with lane as (select * from unnest(:tenants, :rooms) as lane (tenant_id, room)),
    picked as (
      select it.* from lane, lateral (
        select tenant_id, id from tocsin.due
        where due.tenant_id = lane.tenant_id and due_at <= now()
        order by due_at limit lane.room for update skip locked
      ) it
    )
    update tocsin.due set lease = :lease, due_at = clock_timestamp() + make_interval(secs => :seconds)
    from picked where due.tenant_id = picked.tenant_id and due.id = picked.id
    returning due.tenant_id, due.id, due.kind
    """).bindparams(
        bindparam("tenants", type_=ARRAY(Text)), bindparam("rooms", type_=ARRAY(Integer)), _LEASE, _SECONDS
    )
)
COUNTED = 1_000
"""How much of a tenant's work the backlog counts at most."""
_BACKLOG = Statement(
    text(f"""
    with recursive lane as (
      (select tenant_id from tocsin.due where tenant_id > :after order by tenant_id limit 1)
      union all
      select (select tenant_id from tocsin.due
              where tenant_id > lane.tenant_id order by tenant_id limit 1)
      from lane where lane.tenant_id is not null
    )
    select count(*) as waiting, extract(epoch from now() - min(due_at))::float as oldest
    from lane, lateral (
      select due_at from tocsin.due where due.tenant_id = lane.tenant_id and due_at <= now()
      order by due_at limit {COUNTED}
    ) it
    having count(*) > 0
    """).bindparams(bindparam("after", type_=Text))  # noqa: S608  a constant
)
_EXTEND = Statement(
    text("""
    update tocsin.due set due_at = clock_timestamp() + make_interval(secs => :seconds)
    where tenant_id = any(:tenants) and lease = any(:leases) and due_at > clock_timestamp()
      and due_at < clock_timestamp() + make_interval(secs => :seconds)
    """).bindparams(bindparam("tenants", type_=ARRAY(Text)), bindparam("leases", type_=ARRAY(Uuid)), _SECONDS)
)
_RELEASE = Statement(
    text("""
    update tocsin.due set due_at = now(), lease = null
    where tenant_id = any(:tenants) and lease = any(:leases)
    """).bindparams(bindparam("tenants", type_=ARRAY(Text)), bindparam("leases", type_=ARRAY(Uuid)))
)


class Lane(NamedTuple):
    """A tenant with work, and whether any of it is due."""

    tenant_id: str
    is_due: bool


async def add(tx: Transaction, id: UUID, kind: WorkKind) -> None:
    """Let a worker do something as soon as this transaction has committed."""
    await tx.fetch(_ADD, id=id, kind=kind.value)
    tx.hint_at_work()


async def lanes(database: Database, after: str, most: int) -> list[Lane]:
    """Return the next tenants, in order after one, that have work, due or not."""
    rows = await database.pool.fetch(_LANES.text, *_LANES.arguments({"after": after, "most": most}))
    return [Lane(row["tenant_id"], row["is_due"]) for row in rows]


async def backlog(database: Database) -> tuple[int, float]:
    """Return how much work of all tenants is due, up to 1,000 of each, and for how many seconds the oldest."""
    rows = await database.pool.fetch(_BACKLOG.text, *_BACKLOG.arguments({"after": ""}))
    return (rows[0]["waiting"], rows[0]["oldest"]) if rows else (0, 0.0)


async def pick(database: Database, rooms: Mapping[str, int], lease: UUID, seconds: float) -> list[Row]:
    """Take what is due of each tenant, up to its room and the oldest first, and hold it for `seconds`.

    Return (tenant_id, id, kind). What another worker is just picking is left to it.
    """
    values = {"tenants": list(rooms), "rooms": list(rooms.values()), "lease": lease, "seconds": seconds}
    rows: list[Row] = await database.pool.fetch(_PICK.text, *_PICK.arguments(values))
    return rows


async def extend(database: Database, tenants: Sequence[str], leases: Sequence[UUID], seconds: float) -> None:
    """Hold what is still held for `seconds` from now."""
    values = {"tenants": list(tenants), "leases": list(leases), "seconds": seconds}
    await database.pool.execute(_EXTEND.text, *_EXTEND.arguments(values))


async def release(database: Database, tenants: Sequence[str], leases: Sequence[UUID]) -> None:
    """Give back all that is held under these leases: it is due at once."""
    values = {"tenants": list(tenants), "leases": list(leases)}
    await database.pool.execute(_RELEASE.text, *_RELEASE.arguments(values))
