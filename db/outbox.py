"""Deliveries in a worker's hands: opening what it holds, and settling what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Float,
    Integer,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.inbox import columns_of
from db.mark import is_unread
from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import (
    channel,
    delivery,
    due,
    notification,
    notification_type,
    preference,
    recipient,
    request,
    settings,
    template,
)
from db.types import DeliveryStatus

_d = delivery.c
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_LEASE = bindparam("lease", type_=Uuid)
_SECONDS = bindparam("seconds", type_=Float)

# -- opening -----------------------------------------------------------------------------------------------

_HOLD = Write(
    select(due.c.id)
    .where(
        in_tenant(due),
        due.c.id == any_(_IDS),
        due.c.lease == _LEASE,
        due.c.due_at > func.clock_timestamp(),
    )
    .order_by(due.c.id)
    .with_for_update()
)
_paused = select(settings.c.notifier_paused).where(in_tenant(settings)).scalar_subquery()
_SAID = ("type", "category", "severity", "title", "body", "url", "actions", "targets", "data", "channels")
_has_chosen = exists(select(preference.c.id).where(in_tenant(preference), preference.c.user_id == _d.user_id))
_open = (
    select(
        delivery,
        *(request.c[name] for name in (*_SAID, "template_id", "project_id", "environment_id")),
        request.c.created_at.label("said_at"),
        request.c.traceparent,
        channel.c.id.label("way_id"),
        channel.c.kind,
        channel.c.enabled,
        channel.c.config,
        channel.c.secrets,
        channel.c.categories,
        recipient.c.email,
        recipient.c.name,
        recipient.c.timezone,
        notification_type.c.required,
        notification_type.c.enabled_by_default,
        template.c.enabled_by_default.label("template_enabled"),
        and_(
            is_unread(notification.c.user_id),
            notification.c.dismissed_at.is_(None),
            notification.c.deleted_at.is_(None),
        ).label("is_unread"),
        _has_chosen.label("has_chosen"),
        func.coalesce(_paused, False).label("paused"),
        func.clock_timestamp().label("now"),
    )
    .select_from(
        delivery.join(request, and_(in_tenant(request), request.c.id == _d.request_id))
        .outerjoin(channel, and_(in_tenant(channel), channel.c.id == _d.channel_id))
        .outerjoin(recipient, and_(in_tenant(recipient), recipient.c.id == _d.user_id))
        .outerjoin(notification, and_(in_tenant(notification), notification.c.id == _d.notification_id))
        .outerjoin(
            notification_type, and_(in_tenant(notification_type), notification_type.c.name == request.c.type)
        )
        .outerjoin(template, and_(in_tenant(template), template.c.id == request.c.template_id))
    )
    .where(in_tenant(delivery), _d.id == any_(_IDS))
    .order_by(request.c.created_at, _d.id)
)
_OPEN = Write(_open)
_is_held = and_(
    in_tenant(due), due.c.id == _d.id, due.c.lease == _LEASE, due.c.due_at > func.clock_timestamp()
)
_PEEK = Read(_open.where(exists(select(due.c.id).where(_is_held))))
_MARK = Write(
    update(delivery)
    .where(in_tenant(delivery), _d.id == any_(_IDS))
    .values(status=DeliveryStatus.SENDING.value, reason=None, next_attempt_at=None)
)


async def peek(reader: Reader, lease: UUID, ids: Sequence[UUID]) -> list[Row]:
    """Return those that are still held under this lease, with all that decides on them and all that is sent.

    In a service scope and one round trip. Nothing is locked: what comes of it is settled under the lease.
    """
    return await reader.fetch(_PEEK, lease=lease, ids=ids)


async def hold(tx: Transaction, lease: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """Lock those that are still held under this lease; the others are somebody else's by now."""
    return [row["id"] for row in await tx.fetch(_HOLD, lease=lease, ids=ids)]


async def read(tx: Transaction, ids: Sequence[UUID]) -> list[Row]:
    """Return deliveries with all that decides on them and all that is sent, oldest first."""
    return await tx.fetch(_OPEN, ids=ids)


async def mark_sending(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Let nobody gather these any more. What is in no digest need not be marked: it is SENDING while held."""
    await tx.fetch(_MARK, ids=ids)


# -- digests -----------------------------------------------------------------------------------------------

_GROUPS = Write(
    select(_d.user_id, _d.channel_id)
    .distinct()
    .where(in_tenant(delivery), _d.id == any_(_IDS), _d.in_digest, _d.channel_id.is_not(None))
    .order_by(_d.user_id, _d.channel_id)
)
_TURN = Write(
    select(
        func.pg_advisory_xact_lock(
            func.hashtextextended(
                func.concat_ws(
                    "/", "digest", TENANT_ID, bindparam("owner_id", type_=Text), bindparam("way", type_=Text)
                ),
                0,
            )
        )
    )
)
_GATHER = Write(
    update(due)
    .values(lease=_LEASE, due_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, _SECONDS))
    .where(
        in_tenant(due),
        in_tenant(delivery),
        due.c.id == _d.id,
        _d.in_digest,
        _d.user_id == bindparam("owner_id", type_=Text),
        _d.channel_id == bindparam("channel", type_=Uuid),
        # Due, whether or not another worker has picked it: only what is being sent is left to it.
        ((_d.status != DeliveryStatus.SENDING.value) & (_d.next_attempt_at <= func.now()))
        | (due.c.due_at <= func.now()),
    )
    .returning(due.c.id)
)


async def gather(tx: Transaction, lease: UUID, seconds: float, ids: Sequence[UUID]) -> list[UUID]:
    """Take, for each of these that is in a digest, the rest of its digest too: one mail tells of all.

    Call before `hold`. A digest has no row of its own: whoever comes first, under a lock of the recipient
    and the channel, takes all that is due, also what others have picked and not opened.
    """
    taken: list[UUID] = []
    for group in await tx.fetch(_GROUPS, ids=ids):
        await tx.fetch(_TURN, owner_id=group["user_id"], way=str(group["channel_id"]))
        rows = await tx.fetch(
            _GATHER, lease=lease, seconds=seconds, owner_id=group["user_id"], channel=group["channel_id"]
        )
        taken += [row["id"] for row in rows]
    return taken


# -- a pause -----------------------------------------------------------------------------------------------

_IS_PAUSED = Write(select(settings.c.notifier_paused).where(in_tenant(settings)).with_for_update(read=True))
_PARK = Write(
    text("""
    with parked as (
      update tocsin.due set due_at = 'infinity', lease = null from tocsin.delivery
      where due.tenant_id = :tenant_id and (due.lease = :lease or due.due_at <= now())
        and delivery.tenant_id = due.tenant_id and delivery.id = due.id and not delivery.is_test
      returning due.id
    )
    update tocsin.delivery set status = 'DEFERRED', reason = :reason, next_attempt_at = null
    from parked where delivery.tenant_id = :tenant_id and delivery.id = parked.id
    """).bindparams(TENANT_ID, _LEASE, bindparam("reason", type_=Text))
)
_UNPARK = Write(
    text("""
    update tocsin.due set due_at = now() where tenant_id = :tenant_id and due_at = 'infinity' returning id
    """).bindparams(TENANT_ID)
)


async def park(tx: Transaction, lease: UUID, reason: str) -> bool:
    """Put all that is due aside until `unpark`, unless the tenant goes on meanwhile; tests go on."""
    row = await tx.one(_IS_PAUSED)  # held until the commit, so that no unpark is missed
    if not row or not row["notifier_paused"]:
        return False
    await tx.fetch(_PARK, lease=lease, reason=reason)
    return True


async def unpark(tx: Transaction) -> None:
    """Let what was put aside be due at once."""
    if await tx.fetch(_UNPARK):
        tx.hint_at_work()


# -- settling ----------------------------------------------------------------------------------------------


class Settlement(NamedTuple):
    """What became of a delivery. Of PENDING and DEFERRED: due again `at`, or `delay` seconds from now.

    tried: whether it was an attempt, which took duration_ms and came to status_code and error.
    """

    id: UUID
    lease: UUID
    status: DeliveryStatus
    reason: str | None = None
    at: datetime | None = None
    delay: float | None = None
    in_digest: bool = False
    tried: bool = False
    duration_ms: int = 0
    status_code: int | None = None
    error: str | None = None


_KINDS: dict[str, Any] = {
    "id": Uuid,
    "lease": Uuid,
    "status": Text,
    "reason": Text,
    "at": DateTime(timezone=True),
    "delay": Float,
    "in_digest": Boolean,
    "tried": Boolean,
    "duration_ms": Integer,
    "status_code": Integer,
    "error": Text,
}
_arrays = ", ".join(f":r_{name}" for name in _KINDS)
_SETTLE = Write(
    text(f"""
    with r as (select * from unnest({_arrays}) as r ({", ".join(_KINDS)})),
    held as (
      select due.id, r.lease from tocsin.due join r using (id, lease)
      where due.tenant_id = :tenant_id and due.due_at > clock_timestamp()
      order by due.id for update of due
    ),
    settled as (
      update tocsin.delivery d set
        status = r.status,
        reason = r.reason,
        in_digest = d.in_digest or r.in_digest,
        attempts = d.attempts + r.tried::int,
        strikes = d.strikes + (r.tried and r.status <> 'SENT')::int,
        next_attempt_at = case when r.status in ('PENDING', 'DEFERRED')
          then coalesce(r.at, now() + make_interval(secs => r.delay)) end
      from r join held using (id, lease) where d.tenant_id = :tenant_id and d.id = r.id
      returning d.id, r.lease, d.attempts, d.next_attempt_at
    ),
    logged as (
      insert into tocsin.attempt (tenant_id, delivery_id, number, at, duration_ms, status_code, error)
      select :tenant_id, settled.id, settled.attempts,
        clock_timestamp() - make_interval(secs => r.duration_ms / 1000.0),
        r.duration_ms, r.status_code, r.error
      from settled join r using (id, lease) where r.tried
    ),
    done as (
      delete from tocsin.due using settled
      where due.tenant_id = :tenant_id and due.id = settled.id and settled.next_attempt_at is null
    ),
    later as (
      update tocsin.due set lease = null, due_at = settled.next_attempt_at from settled
      where due.tenant_id = :tenant_id and due.id = settled.id and settled.next_attempt_at is not null
    )
    select id from settled
    """).bindparams(TENANT_ID, *(bindparam(f"r_{name}", type_=ARRAY(kind)) for name, kind in _KINDS.items()))  # noqa: S608  names of ours
)


async def settle(tx: Transaction, settlements: Sequence[Settlement]) -> set[UUID]:
    """Write what became of deliveries; return of which: a result counts only while its lease holds."""
    rows = await tx.fetch(_SETTLE, **columns_of("r", Settlement._fields, settlements))
    return {row["id"] for row in rows}


_DROP = Write(
    text(
        "delete from tocsin.due where tenant_id = :tenant_id and id = any(:ids) and lease = :lease"
    ).bindparams(TENANT_ID, _IDS, _LEASE)
)


async def drop(tx: Transaction, lease: UUID, ids: Sequence[UUID]) -> None:
    """Take out of the outbox what needs nothing more: it was cancelled, or is gone."""
    await tx.fetch(_DROP, ids=ids, lease=lease)
