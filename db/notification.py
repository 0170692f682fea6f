"""Notifications: pages, single rows, and what changes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    literal,
    null,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.filter import Shape, row_conditions, shape_of, values_of
from db.inbox import Head, Ledger, head_columns, head_of, open_many, unnest
from db.session import Row, Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant, owned
from db.stats import total_of
from db.tables import inbox, notification, notification_type
from db.types import Counters, EventKind, Filter, Position, Severity

_n = notification.c
_IDS = bindparam("ids", type_=ARRAY(Uuid))

_type_icon = (
    select(notification_type.c.icon)
    .where(in_tenant(notification_type), notification_type.c.name == _n.type)
    .scalar_subquery()
)
_COLUMNS: dict[str, ColumnElement[Any]] = {
    **{column.name: column for column in notification.columns},
    "icon": func.coalesce(func.nullif(_n.icon, ""), func.nullif(_type_icon, ""), "bell").label("icon"),
}
# What a cursor is made of, so always read.
_ALWAYS = ("id", "created_at")


def columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns to read for the attributes asked for, in one canonical order."""
    wanted = {*names, *_ALWAYS}
    return tuple(name for name in _COLUMNS if name in wanted)


ALL_COLUMNS = tuple(_COLUMNS)


def selected(names: Sequence[str]) -> list[ColumnElement[Any]]:
    """Return the columns' expressions."""
    return [_COLUMNS[name] for name in names]


# -- reading -----------------------------------------------------------------------------------------------


class PageQuery(NamedTuple):
    """A page: at most `limit` rows after (older than) or before (newer than) a position."""

    filter: Filter
    limit: int
    columns: tuple[str, ...]
    backwards: bool = False
    position: Position | None = None
    offset: int = 0
    with_total: bool = False


class PageRows(NamedTuple):
    """Rows newest first, with the inbox's head and the filter's total (if asked for) of the same moment."""

    rows: list[Row]
    head: Head
    total: int


class _PageShape(NamedTuple):
    filter: Shape
    columns: tuple[str, ...]
    backwards: bool
    keyset: bool
    offset: bool
    with_total: bool


def _rows_of_page(page: _PageShape) -> Select[Any]:
    keys = (_n.created_at, _n.id)
    query = select(*selected(page.columns)).where(owned(notification), *row_conditions(page.filter))
    if page.keyset:
        here = tuple_(bindparam("at", type_=DateTime(timezone=True)), bindparam("at_id", type_=Uuid))
        query = query.where(tuple_(*keys) > here if page.backwards else tuple_(*keys) < here)
    if page.offset:
        query = query.offset(bindparam("offset", type_=Integer))
    order = keys if page.backwards else [key.desc() for key in keys]
    return query.order_by(*order).limit(bindparam("limit", type_=Integer))


@lru_cache(maxsize=1024)
def _page_statement(page: _PageShape) -> Read:
    rows = _rows_of_page(page).lateral("page")
    total = total_of(page.filter) if page.with_total else literal(0)
    one = select(literal(1).label("one")).subquery("one")
    return Read(
        select(
            *rows.c,
            *head_columns(),
            total.label("total_count"),
        ).select_from(one.outerjoin(inbox, owned(inbox)).outerjoin(rows, true()))
    )


async def page(source: Source, query: PageQuery) -> PageRows:
    """Read a page, the inbox's head and the total in one statement, so of one moment."""
    shape = _PageShape(
        shape_of(query.filter),
        query.columns,
        query.backwards,
        query.position is not None,
        query.offset > 0,
        query.with_total,
    )
    at, at_id = query.position or (None, None)
    rows = await source.fetch(
        _page_statement(shape),
        limit=query.limit,
        offset=query.offset,
        at=at,
        at_id=at_id,
        **values_of(query.filter),
    )
    found = [row for row in rows if row["id"] is not None]
    return PageRows(found[::-1] if query.backwards else found, head_of(rows[0]), rows[0]["total_count"])


@lru_cache(maxsize=256)
def _by_ids_statement(names: tuple[str, ...]) -> Read:
    return Read(
        select(*selected(names)).where(owned(notification), _n.deleted_at.is_(None), _n.id == any_(_IDS))
    )


async def by_ids(source: Source, ids: Sequence[UUID], names: tuple[str, ...]) -> list[Row]:
    """Return those of the scope's rows that exist, in no order."""
    return await source.fetch(_by_ids_statement(names), ids=ids)


# -- changing ----------------------------------------------------------------------------------------------

_STATES = Write(
    select(_n.id, _n.user_id, _n.type, _n.category, _n.read_at, _n.dismissed_at).where(
        owned(notification), _n.deleted_at.is_(None), _n.id == any_(_IDS)
    )
)
_now = {"updated_at": func.now()}
_mine = (owned(notification), _n.id == any_(_IDS))
_SET_READ = Write(update(notification).where(*_mine).values(read_at=func.now(), **_now))
_SET_DISMISSED = Write(update(notification).where(*_mine).values(dismissed_at=func.now(), **_now))
_SET_RESTORED = Write(update(notification).where(*_mine).values(dismissed_at=null(), **_now))
_SET_DELETED = Write(update(notification).where(*_mine).values(deleted_at=func.now(), **_now))
_unread = unnest("unread", id=Uuid, seq=BigInteger)
_SET_UNREAD = Write(
    update(notification)
    .where(owned(notification), _n.id == _unread.c.id)
    .values(read_at=null(), unread_seq=_unread.c.seq, **_now)
)


async def states(tx: Transaction, ids: Sequence[UUID]) -> list[Row]:
    """Return id, user_id, type, category, read_at, dismissed_at of the scope's rows; call under the lock."""
    return await tx.fetch(_STATES, ids=ids)


def _counters(row: Row) -> Counters:
    return Counters.of_row(unread=row["read_at"] is None, dismissed=row["dismissed_at"] is not None)


async def set_read(tx: Transaction, ledger: Ledger, rows: Sequence[Row], *, read: bool) -> int:
    """Mark rows read or unread; those that already are keep their instant. Return how many changed."""
    changed = [row for row in rows if (row["read_at"] is not None) != read]
    if not changed:
        return 0
    seqs = []
    for row in changed:
        after = Counters.of_row(unread=not read, dismissed=row["dismissed_at"] is not None)
        seqs.append(ledger.change(EventKind.UPDATED, row, _counters(row), after))
    ids = [row["id"] for row in changed]
    if read:
        await tx.fetch(_SET_READ, ids=ids)
    else:
        await tx.fetch(_SET_UNREAD, unread_id=ids, unread_seq=seqs)
    return len(changed)


async def set_dismissed(tx: Transaction, ledger: Ledger, rows: Sequence[Row], *, dismissed: bool) -> int:
    """Dismiss or restore rows; those that already are keep their instant. Return how many changed."""
    changed = [row for row in rows if (row["dismissed_at"] is not None) != dismissed]
    if not changed:
        return 0
    for row in changed:
        after = Counters.of_row(unread=row["read_at"] is None, dismissed=dismissed)
        ledger.change(EventKind.UPDATED, row, _counters(row), after)
    await tx.fetch(_SET_DISMISSED if dismissed else _SET_RESTORED, ids=[row["id"] for row in changed])
    return len(changed)


async def delete(tx: Transaction, ledger: Ledger, rows: Sequence[Row]) -> None:
    """Delete rows softly: at once out of lists, counts and events."""
    for row in rows:
        ledger.change(EventKind.REMOVED, row, _counters(row), Counters())
    await tx.fetch(_SET_DELETED, ids=[row["id"] for row in rows])


@lru_cache(maxsize=256)
def _read_all_statement(shape: Shape) -> Write:
    hidden = _n.dismissed_at.is_not(None).label("hidden")
    changed = (
        update(notification)
        .where(
            owned(notification),
            *row_conditions(shape),
            _n.read_at.is_(None),
            _n.unread_seq <= bindparam("up_to_seq", type_=BigInteger),
        )
        .values(read_at=func.now(), **_now)
        .returning(_n.id, _n.type, _n.category, hidden)
        .cte("changed")
    )
    c = changed.c
    return Write(
        select(
            c.type,
            c.category,
            func.count().filter(~c.hidden).label("unread"),
            func.count().filter(c.hidden).label("dismissed_unread"),
            func.array_agg(c.id).label("ids"),
        ).group_by(c.type, c.category)
    )


async def read_all(tx: Transaction, filter: Filter, up_to_seq: int) -> list[Row]:
    """Mark every unread row read that matches and became unread up to that seq.

    Return (type, category, unread, dismissed_unread, ids) a group: what was unread and no longer is.
    """
    return await tx.fetch(_read_all_statement(shape_of(filter)), up_to_seq=up_to_seq, **values_of(filter))


# -- creating ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """A notification for one user, before it is stored. created_at None: the database's now."""

    id: UUID
    user_id: str
    type: str
    category: str
    title: str
    body: str = ""
    severity: Severity = Severity.NORMAL
    url: str | None = None
    icon: str | None = None
    actions: Sequence[dict[str, str]] = ()
    targets: Sequence[str] = ()
    template_id: UUID | None = None
    team_id: str | None = None
    data: dict[str, Any] | None = None
    created_at: datetime | None = field(default=None)


def _bind(name: str) -> Any:
    return bindparam(name, type_=notification.c[name].type)


_PLAIN = (
    "id",
    "user_id",
    "type",
    "category",
    "title",
    "body",
    "severity",
    "url",
    "icon",
    "template_id",
    "team_id",
)
_INSERT = Write(
    insert(notification).values(
        tenant_id=TENANT_ID,
        **{name: _bind(name) for name in _PLAIN if name != "user_id"},
        user_id=bindparam("owner_id", type_=Text),
        targets=_bind("targets"),
        actions=bindparam("actions", type_=JSONB(none_as_null=True)),
        data=bindparam("data", type_=JSONB(none_as_null=True)),
        unread_seq=_bind("unread_seq"),
        created_at=func.coalesce(bindparam("created_at", type_=DateTime(timezone=True)), func.now()),
    )
)
_EXISTING = Write(select(_n.id).where(in_tenant(notification), _n.id == any_(_IDS)))


def _values(draft: Draft, seq: int) -> dict[str, Any]:
    values = {name: getattr(draft, name) for name in _PLAIN}
    return values | {
        "owner_id": draft.user_id,
        "targets": list(draft.targets),
        "actions": list(draft.actions),
        "data": draft.data,
        "unread_seq": seq,
        "created_at": draft.created_at,
    }


async def create(tx: Transaction, drafts: Iterable[Draft]) -> list[Draft]:
    """Store new unread rows, in a service scope; return those whose ids were not stored before.

    Rows, counters, seqs and events are written under the locks of the inboxes, taken in sorted order.
    """
    by_id = {draft.id: draft for draft in drafts}
    groups = {(draft.user_id, draft.type, draft.category) for draft in by_id.values()}
    ledger = await open_many(tx, groups)
    stored = {row["id"] for row in await tx.fetch(_EXISTING, ids=list(by_id))}
    fresh = [draft for draft in by_id.values() if draft.id not in stored]
    unread = Counters.of_row(unread=True, dismissed=False)
    seqs = [ledger.change(EventKind.CREATED, draft, Counters(), unread) for draft in fresh]
    await tx.many(_INSERT, [_values(draft, seq) for draft, seq in zip(fresh, seqs, strict=True)])
    await ledger.write()
    return fresh
