"""The inbox row: the lock, the counters, the next seq, and the event log that goes with them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import TableValuedAlias

from db import system_template
from db.session import Row, Source, Transaction
from db.statement import TENANT_ID, USER_ID, Read, Write, in_tenant, owned
from db.tables import event, inbox, inbox_count, notification_type, recipient, tenant
from db.types import Counters, EventKind

_COUNTERS = Counters._fields
_counters_of = itemgetter(*(f"inbox_{name}" for name in _COUNTERS))


class Event(NamedTuple):
    """A line of the log to be. `notification_id` is None for READ, which tells of many rows."""

    user_id: str
    seq: int
    kind: EventKind
    notification_id: UUID | None
    ids: Sequence[UUID] | None = None
    up_to_seq: int | None = None


class Head(NamedTuple):
    """Where an inbox stands: its epoch, the seq of its last event, and its counters."""

    epoch: int = 1
    seq: int = 0
    counters: Counters = Counters()

    @classmethod
    def of(cls, row: Row | None) -> "Head":
        """Read a row of the inbox table; None is an inbox in which nothing has happened yet."""
        return head_of(row) if row else cls()


def head_columns() -> list[ColumnElement[Any]]:
    """Return the columns that `head_of` reads, named so that they can stand beside any other."""
    return [inbox.c[name].label(f"inbox_{name}") for name in ("user_id", "epoch", "seq", *_COUNTERS)]


def head_of(row: Row) -> Head:
    """Read `head_columns`; nulls (from an outer join) are an inbox in which nothing has happened yet."""
    if row["inbox_epoch"] is None:
        return Head()
    return Head(row["inbox_epoch"], row["inbox_seq"], Counters(*_counters_of(row)))


def unnest(name: str, /, **columns: Any) -> TableValuedAlias:
    """Return a table made of array binds, one a column, named `name_column`."""
    arrays = [bindparam(f"{name}_{column}", type_=ARRAY(kind)) for column, kind in columns.items()]
    listed = [Column(column, kind) for column, kind in columns.items()]
    return func.unnest(*arrays).table_valued(*listed).render_derived(name=name)


def columns_of(name: str, keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the binds of `unnest`: rows turned into one list a column."""
    lists = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in keys]
    return {f"{name}_{key}": column for key, column in zip(keys, lists, strict=True)}


# -- opening -----------------------------------------------------------------------------------------------

_users = unnest("users", id=Text)
_types = unnest("types", name=Text, category=Text)

_ADD_TENANT = Write(
    postgresql.insert(tenant)
    .from_select(["id"], select(TENANT_ID))
    .on_conflict_do_nothing()
    .returning(tenant.c.id)
)
# Each is added in sorted order, so that two transactions that add the same ones never wait in a circle.
_ADD_TYPES = Write(
    postgresql.insert(notification_type)
    .from_select(["tenant_id", "name", "category"], select(TENANT_ID, *_types.c).order_by(_types.c.name))
    .on_conflict_do_nothing()
)
_ADD_RECIPIENTS = Write(
    postgresql.insert(recipient)
    .from_select(["tenant_id", "id"], select(TENANT_ID, _users.c.id).order_by(_users.c.id))
    .on_conflict_do_nothing()
)
_ADD_INBOXES = Write(
    postgresql.insert(inbox)
    .from_select(["tenant_id", "user_id"], select(TENANT_ID, _users.c.id).order_by(_users.c.id))
    .on_conflict_do_nothing()
)
_groups = unnest("groups", user_id=Text, type=Text, category=Text)
_ADD_COUNTS = Write(
    postgresql.insert(inbox_count)
    .from_select(["tenant_id", "user_id", "type", "category"], select(TENANT_ID, *_groups.c))
    .on_conflict_do_nothing()
)
_LOCK = Write(select(*head_columns()).where(owned(inbox)).with_for_update())
_LOCK_MANY = Write(
    select(*head_columns())
    .where(in_tenant(inbox), inbox.c.user_id.in_(select(_users.c.id)))
    .order_by(inbox.c.user_id)
    .with_for_update()
)


class Ledger:
    """What one transaction does to the inboxes it holds locked, written by one statement at its end."""

    def __init__(self, tx: Transaction, heads: dict[str, Head]) -> None:
        self._tx = tx
        self._heads = heads
        self._seqs = {user_id: head.seq for user_id, head in heads.items()}
        self._deltas: dict[tuple[str, str, str], Counters] = defaultdict(Counters)
        self._events: list[Event] = []

    def seq(self, user_id: str) -> int:
        """Return the seq that an inbox has reached."""
        return self._seqs[user_id]

    def _next_seq(self, user_id: str) -> int:
        self._seqs[user_id] += 1
        return self._seqs[user_id]

    def _count(self, user_id: str, of: Any, delta: Counters) -> None:
        key = (user_id, of.type, of.category)
        self._deltas[key] = self._deltas[key].plus(delta)

    def change(self, kind: EventKind, row: Any, before: Counters, after: Counters) -> int:
        """Note that a row (user_id, id, type, category) changed; return the seq of its event."""
        self._count(row.user_id, row, after.minus(before))
        seq = self._next_seq(row.user_id)
        self._events.append(Event(row.user_id, seq, kind, row.id))
        return seq

    def read_all(
        self, user_id: str, groups: Iterable[Any], ids: Sequence[UUID] | None, up_to_seq: int
    ) -> None:
        """Note one event for many rows read; groups: (type, category, unread, dismissed_unread)."""
        for group in groups:
            read = Counters(0, group.unread, 0, group.dismissed_unread)
            self._count(user_id, group, Counters().minus(read))
        seq = self._next_seq(user_id)
        self._events.append(Event(user_id, seq, EventKind.READ, None, ids, up_to_seq))

    def epoch(self, user_id: str) -> int:
        """Return the epoch of an inbox."""
        return self._heads[user_id].epoch

    async def write(self) -> dict[str, Head]:
        """Write counters, events and seqs; return the heads of all the inboxes held, as they are now."""
        if self._events:
            rows = await self._tx.fetch(_RECORD, **self._binds())
            await self._log_reads()
            self._heads |= {row["inbox_user_id"]: Head.of(row) for row in rows}
            for row in rows:
                self._tx.hint(row["inbox_user_id"], row["inbox_seq"])
        return self._heads

    def _binds(self) -> dict[str, Any]:
        single = [line[:4] for line in self._events if line.notification_id is not None]
        counts = [(*key, *delta) for key, delta in sorted(self._deltas.items())]
        totals: dict[str, Counters] = defaultdict(Counters)
        for (user_id, _type, _category), delta in self._deltas.items():
            totals[user_id] = totals[user_id].plus(delta)
        inboxes = [(user_id, self._seqs[user_id], *delta) for user_id, delta in totals.items()]
        return (
            columns_of("events", ("user_id", "seq", "kind", "notification_id"), single)
            | columns_of("counts", ("user_id", "type", "category", *_COUNTERS), counts)
            | columns_of("inboxes", ("user_id", "seq", *_COUNTERS), inboxes)
        )

    async def _log_reads(self) -> None:
        for line in self._events:
            if line.notification_id is None:
                await self._tx.fetch(_LOG_READ, seq=line.seq, ids=line.ids, up_to_seq=line.up_to_seq)


# -- recording ---------------------------------------------------------------------------------------------

_counter_types = dict.fromkeys(_COUNTERS, Integer)
_events = unnest("events", user_id=Text, seq=BigInteger, kind=Text, notification_id=Uuid)
_counts = unnest("counts", user_id=Text, type=Text, category=Text, **_counter_types)
_inboxes = unnest("inboxes", user_id=Text, seq=BigInteger, **_counter_types)

_logged = (
    insert(event).from_select(["tenant_id", *_events.c.keys()], select(TENANT_ID, *_events.c)).cte("logged")
)
_counted = (
    update(inbox_count)
    .values({name: inbox_count.c[name] + _counts.c[name] for name in _COUNTERS})
    .where(
        in_tenant(inbox_count),
        inbox_count.c.user_id == _counts.c.user_id,
        inbox_count.c.type == _counts.c.type,
        inbox_count.c.category == _counts.c.category,
    )
    .cte("counted")
)
_RECORD = Write(
    update(inbox)
    .values(seq=_inboxes.c.seq, **{name: inbox.c[name] + _inboxes.c[name] for name in _COUNTERS})
    .where(in_tenant(inbox), inbox.c.user_id == _inboxes.c.user_id)
    .returning(*head_columns())
    .add_cte(_logged, _counted)
)
_LOG_READ = Write(
    insert(event).values(
        tenant_id=TENANT_ID,
        user_id=USER_ID,
        seq=bindparam("seq"),
        kind=EventKind.READ.value,
        ids=bindparam("ids"),
        up_to_seq=bindparam("up_to_seq"),
    )
)

_HEAD = Read(select(*head_columns()).where(owned(inbox)))


async def head(source: Source) -> Head:
    """Return where the scope's inbox stands."""
    return Head.of(await source.one(_HEAD))


_HEADS = Read(
    select(*head_columns()).where(
        in_tenant(inbox), inbox.c.user_id == any_(bindparam("users", type_=ARRAY(Text)))
    )
)


async def heads(source: Source, users: Collection[str]) -> dict[str, Head]:
    """Return, in a service scope, where each of these users' inboxes stands."""
    rows = await source.fetch(_HEADS, users=list(users))
    found = {row["inbox_user_id"]: Head.of(row) for row in rows}
    return {user_id: found.get(user_id, Head()) for user_id in users}


async def lock(tx: Transaction) -> Ledger:
    """Lock the scope's own inbox, made first if nothing ever happened in it.

    Without a row there would be nothing to hold, and what another transaction stores meanwhile would be
    changed here as if it were locked.
    """
    user_id = tx.scope.user_id or ""
    row = await tx.one(_LOCK)
    if row is None:
        await add_tenant(tx)
        await tx.fetch(_ADD_INBOXES, users_id=[user_id])
        row = await tx.one(_LOCK)
    return Ledger(tx, {user_id: Head.of(row)})


async def add_tenant(tx: Transaction) -> None:
    """Make the scope's tenant known; a new one gets the shipped templates."""
    if await tx.fetch(_ADD_TENANT):
        await system_template.install(tx)


async def open_many(tx: Transaction, groups: Iterable[tuple[str, str, str]]) -> Ledger:
    """Make what is missing (tenant, types, recipients, inboxes, counters) and lock the inboxes.

    groups: (user_id, type, category) of the rows to come. Locks are taken in the order of user ids.
    """
    keys = sorted(set(groups))
    users = sorted({user_id for user_id, _type, _category in keys})
    types = sorted({name: category for _user, name, category in keys}.items())
    await add_tenant(tx)
    await tx.fetch(_ADD_TYPES, **columns_of("types", ("name", "category"), types))
    await tx.fetch(_ADD_INBOXES, users_id=users)
    rows = await tx.fetch(_LOCK_MANY, users_id=users)
    # Under the locks: whoever was just removed comes back as a whole.
    await tx.fetch(_ADD_RECIPIENTS, users_id=users)
    await tx.fetch(_ADD_COUNTS, **columns_of("groups", ("user_id", "type", "category"), keys))
    return Ledger(tx, {row["inbox_user_id"]: Head.of(row) for row in rows})
