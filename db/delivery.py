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
    any_,
    bindparam,
    column,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.inbox import columns_of, unnest
from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import attempt, delivery, due
from db.types import DeliveryStatus

_d = delivery.c
_KEYS = bindparam("keys", type_=ARRAY(Uuid))

_BY_NOTIFICATION = Read(
    select(delivery)
    .where(in_tenant(delivery), _d.notification_id == any_(_KEYS))
    .order_by(_d.created_at, _d.id)
)
# One index probe a channel, however many deliveries it has.
_channels = func.unnest(_KEYS).table_valued(column("id", Uuid)).render_derived(name="channels")
_last = (
    select(delivery)
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
_is_waiting = or_(
    *(_stored.c.status == status.value for status in (DeliveryStatus.PENDING, DeliveryStatus.DEFERRED))
)
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


_WAITING = [DeliveryStatus.PENDING.value, DeliveryStatus.DEFERRED.value]
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
    """Cancel what waits on a channel, PENDING or DEFERRED; what is being sent goes on."""
    await tx.fetch(_CANCEL_WAITING, channel=channel_id, waiting=_WAITING, why=reason)
