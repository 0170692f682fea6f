"""What time takes away: deleted rows, rows older than a tenant keeps, the old ends of logs.

All by the database's clock. Each step takes at most `limit` rows and says how many it took.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Table,
    any_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
)

from db import inbox as inboxes
from db.mark import READ_AT
from db.notification import delete as delete_softly
from db.session import Source, Transaction
from db.settings import Settings
from db.statement import Read, Write, in_tenant, owned
from db.tables import audit, delivery, event, inbox, notification, request, settings
from db.types import DeliveryStatus, RequestStatus

_n, _d, _r = notification.c, delivery.c, request.c
_LIMIT: Any = bindparam("limit", type_=Integer)


def _days_ago(days: Any) -> ColumnElement[Any]:
    return func.now() - func.make_interval(0, 0, 0, days)


def _array(query: Any) -> ColumnElement[Any]:
    """Return a subquery's values as an array, so that the planner looks them up in an index."""
    return any_(func.array(query.scalar_subquery()))


def _counted(statement: Any) -> Write:
    """Return a statement that runs a DELETE and says how many rows it took."""
    return Write(select(func.count().label("count")).select_from(statement.cte("gone")))


def _oldest_gone(
    table: Table, at: ColumnElement[Any], *conditions: ColumnElement[bool], locked: bool = True
) -> Write:
    """Return what removes a tenant's rows that meet conditions, those with the lowest `at` first."""
    oldest = select(table.c.id).where(in_tenant(table), *conditions).order_by(at).limit(_LIMIT)
    if locked:  # rows that another worker is removing are left to it
        oldest = oldest.with_for_update(skip_locked=True)
    gone = delete(table).where(in_tenant(table), table.c.id == _array(oldest))
    return _counted(gone.returning(literal(1).label("one")))


async def _count(tx: Transaction, statement: Write, **values: Any) -> int:
    (row,) = await tx.fetch(statement, **values)
    return int(row["count"])


# -- deleted rows, for good --------------------------------------------------------------------------------

_retention = func.coalesce(
    select(settings.c.retention_days).where(in_tenant(settings)).scalar_subquery(),
    literal(Settings().retention_days),
)
_PURGE = _oldest_gone(notification, _n.deleted_at, _n.deleted_at < _days_ago(_retention))


async def purge(tx: Transaction, limit: int) -> int:
    """Remove rows that were deleted more than the tenant's retention ago, with their deliveries.

    In a service scope. They are in no counter and no event follows, so no inbox is locked.
    """
    return await _count(tx, _PURGE, limit=limit)


# -- rows that are too old ---------------------------------------------------------------------------------

_inbox_days = select(settings.c.inbox_days).where(in_tenant(settings)).scalar_subquery()
_oldest_row = (
    select(func.min(_n.created_at))
    .where(in_tenant(notification), _n.user_id == inbox.c.user_id, _n.deleted_at.is_(None))
    .scalar_subquery()
)
_USERS_WITH_OLD_ROWS = Read(
    select(inbox.c.user_id)
    .where(in_tenant(inbox), _inbox_days.is_not(None), _oldest_row < _days_ago(_inbox_days))
    .order_by(inbox.c.user_id)
)
_OLD_ROWS = Write(
    select(_n.id, _n.user_id, _n.type, _n.category, READ_AT, _n.dismissed_at)
    .where(owned(notification), _n.deleted_at.is_(None), _n.created_at < _days_ago(_inbox_days))
    .order_by(_n.created_at)
    .limit(_LIMIT)
)


async def users_with_old_rows(source: Source) -> list[str]:
    """Return, in a service scope, who has rows older than the tenant keeps; nobody if it keeps all."""
    return [row["user_id"] for row in await source.fetch(_USERS_WITH_OLD_ROWS)]


async def expire(tx: Transaction, limit: int) -> int:
    """Delete the scope's own rows that are older than the tenant keeps, as their owner would."""
    ledger = await inboxes.lock(tx)
    rows = await tx.fetch(_OLD_ROWS, limit=limit)
    if rows:
        await delete_softly(tx, ledger, rows)
        await ledger.write()
    return len(rows)


# -- events ------------------------------------------------------------------------------------------------

_kept_since = _days_ago(bindparam("days", type_=Integer))
_first_event_at = (
    select(event.c.at)
    .where(in_tenant(event), event.c.user_id == inbox.c.user_id)
    .order_by(event.c.seq)
    .limit(literal(1))
    .scalar_subquery()
)
_USERS_WITH_OLD_EVENTS = Read(
    select(inbox.c.user_id).where(in_tenant(inbox), _first_event_at < _kept_since).order_by(inbox.c.user_id)
)
# An event's time is when its transaction began, so a later seq may have an earlier time. What goes is what
# comes before the first event that stays: the log never gets a hole.
_oldest_events = (
    select(event.c.seq, event.c.at).where(owned(event)).order_by(event.c.seq).limit(_LIMIT).cte("oldest")
)
_first_kept = func.coalesce(
    select(func.min(_oldest_events.c.seq)).where(_oldest_events.c.at >= _kept_since).scalar_subquery(),
    literal(2**63 - 1, BigInteger),
)
_DROP_EVENTS = _counted(
    delete(event)
    .where(
        owned(event),
        event.c.seq == _array(select(_oldest_events.c.seq).where(_oldest_events.c.seq < _first_kept)),
    )
    .returning(literal(1).label("one"))
)


async def users_with_old_events(source: Source, days: int) -> list[str]:
    """Return, in a service scope, whose log begins with an event older than `days`."""
    return [row["user_id"] for row in await source.fetch(_USERS_WITH_OLD_EVENTS, days=days)]


async def drop_events(tx: Transaction, days: int, limit: int) -> int:
    """Take events older than `days` off the old end of the scope's own log."""
    await inboxes.lock(tx)
    return await _count(tx, _DROP_EVENTS, days=days, limit=limit)


# -- deliveries --------------------------------------------------------------------------------------------

_is_over = or_(
    *(
        _d.status == status.value
        for status in (
            DeliveryStatus.SENT,
            DeliveryStatus.FAILED,
            DeliveryStatus.SUPPRESSED,
            DeliveryStatus.CANCELLED,
        )
    )
)
_DROP_DELIVERIES = _oldest_gone(delivery, _d.created_at, _d.created_at < _kept_since, _is_over)
_is_referred_to = select(_d.id).where(in_tenant(delivery), _d.request_id == _r.id).exists()
_DROP_REQUESTS = _oldest_gone(
    request,
    _r.created_at,
    _r.created_at < _kept_since,
    _r.status == RequestStatus.DONE.value,
    ~_is_referred_to,
)


# To lock a row takes the right to change it, which nobody has.
_DROP_AUDIT = _oldest_gone(audit, audit.c.created_at, audit.c.created_at < _kept_since, locked=False)


async def drop_audit(tx: Transaction, days: int, limit: int) -> int:
    """Remove, in a service scope, entries of the audit log older than `days`."""
    return await _count(tx, _DROP_AUDIT, days=days, limit=limit)


async def drop_deliveries(tx: Transaction, days: int, limit: int) -> int:
    """Remove, in a service scope, deliveries older than `days` that are over, with their attempts."""
    return await _count(tx, _DROP_DELIVERIES, days=days, limit=limit)


async def drop_requests(tx: Transaction, days: int, limit: int) -> int:
    """Remove, in a service scope, requests older than `days` that are done and have no delivery left."""
    return await _count(tx, _DROP_REQUESTS, days=days, limit=limit)
