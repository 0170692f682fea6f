"""Marks: all of an inbox was read up to a seq, though no row says so until a worker has settled it.

A row is read if it has a read_at of its own or a mark reaches its unread_seq. A mark that reaches no further
than an earlier one would mark nothing, so it is never made; each is of the stretch after_seq < unread_seq <=
through_seq, where the one before it ends. So whether a row is unread is a matter of the furthest mark, and
when it was read, of the one mark in whose stretch it lies: the first that reached it.
"""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from db import work
from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, USER_ID, Read, Write, in_tenant, owned
from db.tables import due, inbox_count, mark, notification
from db.types import WorkKind

_m, _n, _c = mark.c, notification.c, inbox_count.c
_ID = bindparam("mark_id", type_=Uuid)
_UP_TO = bindparam("up_to_seq", type_=BigInteger)

# -- what rows look like under marks -------------------------------------------------------------------------


def is_unread(user_id: ColumnElement[str] | None = None) -> ColumnElement[bool]:
    """Return whether a notification is unread; user_id: whose it is, if not the scope's own."""
    whose = owned(mark) if user_id is None else and_(in_tenant(mark), _m.user_id == user_id)
    return and_(_n.read_at.is_(None), _n.unread_seq > _furthest(whose))


def _furthest(whose: ColumnElement[bool]) -> ColumnElement[int]:
    """Return up to which seq an inbox is marked."""
    return (
        select(func.coalesce(func.max(_m.through_seq), literal(0, BigInteger))).where(whose).scalar_subquery()
    )


_in_its_stretch = and_(_m.after_seq < _n.unread_seq, _n.unread_seq <= _m.through_seq)
_marked_at = (
    select(_m.read_at).where(in_tenant(mark), _m.user_id == _n.user_id, _in_its_stretch).scalar_subquery()
)
READ_AT: ColumnElement[Any] = func.coalesce(_n.read_at, _marked_at).label("read_at")
"""When a notification was read, by itself or by a mark."""
UPDATED_AT: ColumnElement[Any] = func.greatest(_n.updated_at, case((_n.read_at.is_(None), _marked_at))).label(
    "updated_at"
)
"""When a notification changed last; to be marked is a change."""

# -- marking -------------------------------------------------------------------------------------------------

_hidden = _n.dismissed_at.is_not(None)
# What became unread since: few rows, at the end of the index of unread ones.
_left = (
    select(
        _n.type,
        _n.category,
        func.count().filter(~_hidden).label("unread"),
        func.count().filter(_hidden).label("dismissed_unread"),
    )
    .where(owned(notification), _n.deleted_at.is_(None), is_unread(), _n.unread_seq > _UP_TO)
    .group_by(_n.type, _n.category)
    .subquery("still_unread")
)
_reached = {name: _c[name] - func.coalesce(_left.c[name], 0) for name in ("unread", "dismissed_unread")}
_REACHED = Write(
    select(_c.type, _c.category, *(count.label(name) for name, count in _reached.items()))
    .select_from(inbox_count.outerjoin(_left, and_(_left.c.type == _c.type, _left.c.category == _c.category)))
    .where(owned(inbox_count), or_(*(count > 0 for count in _reached.values())))
)
_ADD = Write(
    insert(mark).values(
        tenant_id=TENANT_ID, user_id=USER_ID, id=_ID, after_seq=_furthest(owned(mark)), through_seq=_UP_TO
    )
)


_MAY_ADD = Read(select(func.has_table_privilege(literal(mark.fullname), literal("INSERT")).label("may")))


async def may_add(tx: Transaction) -> bool:
    """Tell whether marks have begun: before migration 0007, servers that know none may still run."""
    row = await tx.only(_MAY_ADD)
    return bool(row["may"])


async def add(tx: Transaction, up_to_seq: int) -> list[Row]:
    """Mark all of the scope's inbox read that became unread up to a seq; call under its lock.

    Return (type, category, unread, dismissed_unread) a group: what was unread and no longer is. No row of a
    notification is written; if none was unread, nothing is.
    """
    groups = await tx.fetch(_REACHED, up_to_seq=up_to_seq)
    if groups:
        id = uuid4()
        await tx.fetch(_ADD, mark_id=id, up_to_seq=up_to_seq)
        await work.add(tx, id, WorkKind.MARK)
    return groups


# -- settling ------------------------------------------------------------------------------------------------

_OWNER = Read(select(_m.user_id).where(in_tenant(mark), _m.id == _ID))
# Read anew for each batch: after a removal seqs begin again, and a mark must not reach into the next life.
_this = (owned(mark), _m.id == _ID)
_batch = (
    select(_n.id)
    .where(
        owned(notification),
        _n.deleted_at.is_(None),
        _n.read_at.is_(None),
        _n.unread_seq > select(_m.after_seq).where(*_this).scalar_subquery(),
        _n.unread_seq <= select(_m.through_seq).where(*_this).scalar_subquery(),
    )
    .order_by(_n.unread_seq)
    .limit(bindparam("limit", type_=Integer))
)
_settled = (
    update(notification)
    .where(owned(notification), _n.id == any_(func.array(_batch.scalar_subquery())))
    .values(read_at=_marked_at, updated_at=func.greatest(_n.updated_at, _marked_at))
    .returning(literal(1).label("one"))
    .cte("settled")
)
_SETTLE = Write(select(func.count().label("count")).select_from(_settled))
_DROP = Write(delete(mark).where(*_this))


_LOST = select(_m.tenant_id, _m.id, literal(WorkKind.MARK.value)).where(
    in_tenant(mark), ~exists(select(due.c.id).where(in_tenant(due), due.c.id == _m.id))
)
_FIND = Write(
    postgresql.insert(due)
    .from_select(["tenant_id", "id", "kind"], _LOST)
    .on_conflict_do_nothing()
    .returning(due.c.id)
)


async def find(tx: Transaction) -> int:
    """Let workers settle, in a service scope, marks that are in the outbox no more; return how many.

    A worker of a version that knows no marks takes their work for that of a delivery that has gone, and drops it.
    """
    rows = await tx.fetch(_FIND)
    if rows:
        tx.hint_at_work()
    return len(rows)


async def owner(reader: Reader, id: UUID) -> str | None:
    """Return, in a service scope, whose inbox has this mark; None if it is gone."""
    row = await reader.one(_OWNER, mark_id=id)
    return row["user_id"] if row else None


async def settle(tx: Transaction, id: UUID, limit: int) -> bool:
    """Write a mark into at most `limit` rows of the scope's inbox, under its lock; with the last, it goes.

    Return whether more may be left. To readers nothing changes.
    """
    row = await tx.only(_SETTLE, mark_id=id, limit=limit)
    if row["count"] == limit:
        return True
    await tx.fetch(_DROP, mark_id=id)
    return False
