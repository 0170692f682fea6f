"""What left the building: deliveries and their attempts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, column, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import attempt, delivery
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


_INSERT = Write(
    insert(delivery).values(
        {
            name: bindparam(name)
            for name in ("id", "notification_id", "channel_id", "status", "reason", "next_attempt_at")
        }
        | {"tenant_id": TENANT_ID}
    )
)
_INSERT_ATTEMPT = Write(
    insert(attempt).values(
        {name: bindparam(name) for name in ("delivery_id", "number", "duration_ms", "status_code", "error")}
        | {"tenant_id": TENANT_ID}
    )
)


async def add_all(tx: Transaction, deliveries: Sequence[dict[str, Any]]) -> None:
    """Store deliveries: id, notification_id, channel_id, status, reason, next_attempt_at."""
    await tx.many(_INSERT, deliveries)


async def add_attempts(tx: Transaction, attempts: Sequence[dict[str, Any]]) -> None:
    """Store attempts: delivery_id, number, duration_ms, status_code, error."""
    await tx.many(_INSERT_ATTEMPT, attempts)


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
