"""Notifications: pages, single rows, and what changes them."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Uuid,
    any_,
    bindparam,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.filter import Shape, row_conditions, shape_of, values_of
from db.inbox import Head, Ledger, head_columns, head_of, unnest
from db.mark import READ_AT, UPDATED_AT, is_unread
from db.session import Row, Source, Transaction
from db.statement import Read, Write, in_tenant, owned
from db.stats import total_of
from db.tables import inbox, notification, notification_type
from db.types import Counters, EventKind, Filter, Position

_n = notification.c
_IDS = bindparam("ids", type_=ARRAY(Uuid))

_type_icon = (
    select(notification_type.c.icon)
    .where(in_tenant(notification_type), notification_type.c.name == _n.type)
    .scalar_subquery()
)
_COLUMNS: dict[str, ColumnElement[Any]] = {
    **{column.name: column for column in notification.columns},
    "read_at": READ_AT,
    "updated_at": UPDATED_AT,
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
    select(_n.id, _n.user_id, _n.type, _n.category, READ_AT, _n.dismissed_at).where(
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
            is_unread(),
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
