"""What left the building: deliveries and their attempts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Integer,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    exists,
    extract,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from db.inbox import columns_of, unnest
from db.listing import Listing
from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import attempt, delivery, due
from db.types import DeliveryStatus

_d = delivery.c
_KEYS = bindparam("keys", type_=ARRAY(Uuid))

_SENDING = DeliveryStatus.SENDING.value
_WAITING = [DeliveryStatus.PENDING.value, DeliveryStatus.DEFERRED.value]
# What waits and is held by a worker is being sent: the lease is the truth, also after a crash.
_is_held = exists(
    select(due.c.id).where(
        in_tenant(due), due.c.id == _d.id, due.c.lease.is_not(None), due.c.due_at > func.now()
    )
)
_is_waiting_here = or_(*(_d.status == status for status in _WAITING))
_STATUS = case((and_(_is_waiting_here, _is_held), _SENDING), else_=_d.status)
_SHOWN = [_STATUS.label("status") if column.name == "status" else column for column in delivery.columns]

_BY_NOTIFICATION = Read(
    select(*_SHOWN)
    .where(in_tenant(delivery), _d.notification_id == any_(_KEYS))
    .order_by(_d.created_at, _d.id)
)
# One index probe a channel, however many deliveries it has.
_channels = func.unnest(_KEYS).table_valued(column("id", Uuid)).render_derived(name="channels")
_last = (
    select(*_SHOWN)
    .where(in_tenant(delivery), _d.channel_id == _channels.c.id)
    .order_by(_d.created_at.desc(), _d.id.desc())
    .limit(1)
    .lateral("last")
)
_LAST_BY_CHANNEL = Read(select(*_last.c).select_from(_channels.join(_last, true())))
_ATTEMPTS = Read(
    select(attempt)
    .where(in_tenant(attempt), attempt.c.delivery_id == any_(_KEYS))
    .order_by(attempt.c.delivery_id, attempt.c.number)
)


async def by_notification(reader: Reader, keys: Sequence[UUID]) -> list[Row]:
    """Return the deliveries of these notifications, oldest first."""
    return await reader.fetch(_BY_NOTIFICATION, keys=keys)


async def last_by_channel(reader: Reader, keys: Sequence[UUID]) -> list[Row]:
    """Return the newest delivery of each of these channels."""
    return await reader.fetch(_LAST_BY_CHANNEL, keys=keys)


async def attempts(reader: Reader, keys: Sequence[UUID]) -> list[Row]:
    """Return the attempts of these deliveries, in order."""
    return await reader.fetch(_ATTEMPTS, keys=keys)


# -- the log -----------------------------------------------------------------------------------------------


LISTING = Listing(
    delivery,
    {
        "notification": _d.notification_id == bindparam("notification", type_=Uuid),
        "channel": _d.channel_id == bindparam("channel", type_=Uuid),
        "recipient": _d.user_id == bindparam("recipient", type_=Text),
        "statuses": any_(bindparam("statuses", type_=ARRAY(Text))) == _STATUS,
    },
    newest_first=True,
    columns=_SHOWN,
)
"""All deliveries, newest first."""


# -- planning ----------------------------------------------------------------------------------------------


class Planned(NamedTuple):
    """A delivery before it is stored. next_attempt_at None: at once, if it is PENDING."""

    id: UUID
    user_id: str
    notification_id: UUID | None
    channel_id: UUID
    status: DeliveryStatus
    reason: str | None = None
    next_attempt_at: datetime | None = None
    is_test: bool = False
    if_unread: bool = False
    in_digest: bool = False


_planned = unnest(
    "planned",
    id=Uuid,
    user_id=Text,
    notification_id=Uuid,
    channel_id=Uuid,
    status=Text,
    reason=Text,
    next_attempt_at=DateTime(timezone=True),
    is_test=Boolean,
    if_unread=Boolean,
    in_digest=Boolean,
)
_stored = (
    insert(delivery)
    .from_select(
        ["tenant_id", "request_id", *_planned.c.keys()],
        select(TENANT_ID, bindparam("request_id", type_=Uuid), *_planned.c),
    )
    .returning(delivery)
    .cte("stored")
)
_is_waiting = or_(*(_stored.c.status == status for status in _WAITING))
_queued = (
    insert(due)
    .from_select(
        ["tenant_id", "id", "due_at"],
        select(TENANT_ID, _stored.c.id, func.coalesce(_stored.c.next_attempt_at, func.now())).where(
            _is_waiting
        ),
    )
    .cte("queued")
)
_PLAN = Write(select(_stored).order_by(_stored.c.created_at, _stored.c.id).add_cte(_queued))


async def plan(tx: Transaction, request_id: UUID, deliveries: Sequence[Planned]) -> list[Row]:
    """Store deliveries of a request, and put those that wait into the outbox; return the rows."""
    if not deliveries:
        return []
    rows = await tx.fetch(_PLAN, request_id=request_id, **columns_of("planned", Planned._fields, deliveries))
    if any(row["status"] in _WAITING for row in rows):
        tx.hint_at_work()
    return rows


_INSERT_ATTEMPT = Write(
    insert(attempt).values(
        {name: bindparam(name) for name in ("delivery_id", "number", "duration_ms", "status_code", "error")}
        | {"tenant_id": TENANT_ID}
    )
)
_COUNT_ATTEMPT = Write(
    update(delivery)
    .where(in_tenant(delivery), _d.id == bindparam("delivery_id", type_=Uuid))
    .values(attempts=func.greatest(_d.attempts, bindparam("number", type_=Integer)))
)


async def add_attempts(tx: Transaction, attempts: Sequence[dict[str, Any]]) -> None:
    """Store attempts that were made elsewhere: delivery_id, number, duration_ms, status_code, error."""
    await tx.many(_INSERT_ATTEMPT, attempts)
    await tx.many(_COUNT_ATTEMPT, attempts)


_CANCEL_WAITING = Write(
    update(delivery)
    .where(
        in_tenant(delivery),
        _d.channel_id == bindparam("channel", type_=Uuid),
        _d.status == any_(bindparam("waiting", type_=ARRAY(Text))),
    )
    .values(status=DeliveryStatus.CANCELLED.value, reason=bindparam("why"), next_attempt_at=None)
)


async def cancel_waiting(tx: Transaction, channel_id: UUID, reason: str) -> None:
    """Cancel what waits on a channel, PENDING or DEFERRED; what is being sent is settled all the same."""
    await tx.fetch(_CANCEL_WAITING, channel=channel_id, waiting=_WAITING, why=reason)


# -- again -------------------------------------------------------------------------------------------------

_this = (in_tenant(delivery), _d.id == bindparam("this", type_=Uuid))
_is_leased = and_(due.c.lease.is_not(None), due.c.due_at > func.now())
_DUE_NOW = Write(
    postgresql.insert(due)
    .from_select(["tenant_id", "id"], select(_d.tenant_id, _d.id).where(*_this))
    .on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={
            "due_at": case((_is_leased, due.c.due_at), else_=func.now()),
            "lease": case((_is_leased, due.c.lease), else_=null()),
        },
    )
)
_LOCK = Write(select(*_SHOWN).where(*_this).with_for_update(of=delivery))
_ADVANCE = Write(update(delivery).where(*_this).values(next_attempt_at=func.now()).returning(delivery))
_RESTART = Write(
    update(delivery)
    .where(*_this)
    .values(
        status=DeliveryStatus.PENDING.value,
        reason=None,
        next_attempt_at=func.now(),
        strikes=0,
        if_unread=False,
        in_digest=False,
    )
    .returning(delivery)
)


async def bring_forward(tx: Transaction, id: UUID) -> Row | None:
    """Let a delivery be due at once, whatever became of it, and return it, held; None: it does not exist.

    What a worker holds stays as it is, SENDING. Roll back if it is not to be sent. The outbox is locked
    first, as workers do.
    """
    await tx.fetch(_DUE_NOW, this=id)
    tx.hint_at_work()
    return await tx.one(_LOCK, this=id)


async def advance(tx: Transaction, id: UUID) -> Row:
    """Note that a waiting delivery was brought forward, and return it."""
    return await tx.only(_ADVANCE, this=id)


async def restart(tx: Transaction, id: UUID) -> Row:
    """Note that a delivery that was over begins anew, and return it."""
    return await tx.only(_RESTART, this=id)


# -- tests -------------------------------------------------------------------------------------------------

TESTS_A_MINUTE = 5
_minute = func.make_interval(0, 0, 0, 0, 0, 1)
_fullest = (
    select(_d.created_at)
    .where(
        in_tenant(delivery),
        _d.channel_id == _channels.c.id,
        _d.is_test,
        _d.created_at > func.now() - _minute,
    )
    .order_by(_d.created_at.desc(), _d.id.desc())
    .offset(literal_column(str(TESTS_A_MINUTE - 1)))
    .limit(literal_column("1"))
    .lateral("fullest")
)
_TEST_WAIT = Write(
    select(
        cast(
            func.ceil(extract("epoch", func.max(_fullest.c.created_at) + _minute - func.now())), Integer
        ).label("seconds")
    ).select_from(_channels.join(_fullest, true()))
)


async def test_wait(tx: Transaction, channel_ids: Sequence[UUID]) -> int | None:
    """Return after how many seconds each of these channels takes another test; None: now.

    A channel takes 5 a minute, by the database's clock. Keep the channels first: see `db.channel.keep`.
    """
    row = await tx.only(_TEST_WAIT, keys=channel_ids)
    seconds: int | None = row["seconds"]
    return seconds
