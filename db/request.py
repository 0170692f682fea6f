"""Requests: what a notify said, once for all its recipients, and how far it has got."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from sqlalchemy import (
    Integer,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.session import Row, Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import recipient, request
from db.types import Content, RequestStatus

KEY_HOURS = 24
"""How long an idempotency key is remembered."""

_r = request.c
_ID = bindparam("request_id", type_=Uuid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Content):
    """What a notify says. category None: its type's; channels None: any; the rest as in the API."""

    category: str | None
    project_id: str | None = None
    environment_id: str | None = None
    channels: Sequence[str] | None = None
    escalate_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a repeated request recognisable: the caller's key, and a hash of all that was asked."""

    value: str
    fingerprint: bytes


_JSON = JSONB(none_as_null=True)
_SAID = tuple(field.name for field in fields(Said))
_INSERT = Write(
    postgresql.insert(request)
    .values(
        tenant_id=TENANT_ID,
        id=_ID,
        caller=bindparam("caller", type_=Text),
        idempotency_key=bindparam("idempotency_key", type_=Text),
        fingerprint=bindparam("fingerprint", type_=LargeBinary),
        status=bindparam("status", type_=Text),
        recipients=bindparam("recipients", type_=Integer),
        recipient_ids=bindparam("recipient_ids", type_=ARRAY(Text)),
        traceparent=bindparam("traceparent", type_=Text),
        **{
            name: bindparam(name, type_=_JSON if name in {"actions", "data"} else request.c[name].type)
            for name in _SAID
        },
    )
    .on_conflict_do_nothing(
        index_elements=["tenant_id", "caller", "idempotency_key"], index_where=_r.idempotency_key.is_not(None)
    )
    .returning(request)
)
_same_key = (
    in_tenant(request),
    _r.caller == bindparam("caller", type_=Text),
    _r.idempotency_key == bindparam("idempotency_key", type_=Text),
)
_is_old = _r.created_at < func.now() - func.make_interval(0, 0, 0, 0, literal_column(str(KEY_HOURS)))
_FORGET_OLD_KEY = Write(update(request).where(*_same_key, _is_old).values(idempotency_key=null()))
_WITH_KEY = Write(select(request).where(*_same_key))
_BY_ID = Read(select(request).where(in_tenant(request), _r.id == _ID))
_EVERYONE = Read(select(func.count().label("count")).select_from(recipient).where(in_tenant(recipient)))
_NEXT = Write(
    select(recipient.c.id)
    .where(
        in_tenant(recipient),
        recipient.c.id > bindparam("position", type_=Text),
        recipient.c.created_at <= bindparam("until", type_=_r.created_at.type),
    )
    .order_by(recipient.c.id)
    .limit(bindparam("limit", type_=Integer))
)
_LOCK = Write(select(request).where(in_tenant(request), _r.id == _ID).with_for_update())
_ADVANCE = Write(
    update(request)
    .where(in_tenant(request), _r.id == _ID)
    .values(
        status=bindparam("status", type_=Text),
        category=bindparam("category", type_=Text),
        position=bindparam("position", type_=Text),
        done=_r.done + bindparam("done", type_=Integer),
        created=_r.created + bindparam("created", type_=Integer),
        suppressed=_r.suppressed + bindparam("suppressed", type_=Integer),
        notification_ids=bindparam("notification_ids", type_=ARRAY(Uuid)),
    )
    .returning(request)
)
_FINISH = Write(
    update(request)
    .where(in_tenant(request), _r.id == _ID)
    .values(status=RequestStatus.DONE.value, recipients=_r.done)
)


async def add(
    tx: Transaction,
    id: UUID,
    caller: str,
    said: Said,
    *,
    key: Key | None,
    recipient_ids: Sequence[str] | None,
    recipients: int,
    traceparent: str | None = None,
) -> Row | None:
    """Store an accepted request; None if the caller's key is taken: see `with_key`.

    recipient_ids None: everyone, who are so many recipients now. traceparent: the span that it was made in.
    """
    values = {name: getattr(said, name) for name in _SAID}
    values |= {"actions": list(said.actions), "targets": list(said.targets)}
    if key:
        await tx.fetch(_FORGET_OLD_KEY, caller=caller, idempotency_key=key.value)
    return await tx.one(
        _INSERT,
        request_id=id,
        caller=caller,
        idempotency_key=key and key.value,
        fingerprint=key and key.fingerprint,
        status=RequestStatus.ACCEPTED.value,
        recipients=recipients,
        recipient_ids=recipient_ids,
        traceparent=traceparent,
        **values,
    )


async def with_key(tx: Transaction, caller: str, key: str) -> Row | None:
    """Return the request that has taken a caller's key."""
    return await tx.one(_WITH_KEY, caller=caller, idempotency_key=key)


async def by_id(source: Source, id: UUID) -> Row | None:
    """Return a request."""
    return await source.one(_BY_ID, request_id=id)


async def lock(tx: Transaction, id: UUID) -> Row | None:
    """Hold a request that is fanned out, and return it."""
    return await tx.one(_LOCK, request_id=id)


async def count_everyone(source: Source) -> int:
    """Return how many are in the directory."""
    row = await source.one(_EVERYONE)
    return int(row["count"]) if row else 0


async def next_of_everyone(tx: Transaction, row: Row, limit: int) -> list[str]:
    """Return the next recipients after a request's position, of those who were there when it was made."""
    found = await tx.fetch(_NEXT, position=row["position"], until=row["created_at"], limit=limit)
    return [it["id"] for it in found]


async def advance(
    tx: Transaction,
    id: UUID,
    *,
    status: RequestStatus,
    category: str,
    position: str,
    done: int,
    created: int,
    suppressed: int,
    notification_ids: Sequence[UUID],
) -> Row:
    """Note how far a request has got; done, created and suppressed are added to what they were."""
    return await tx.only(
        _ADVANCE,
        request_id=id,
        status=status.value,
        category=category,
        position=position,
        done=done,
        created=created,
        suppressed=suppressed,
        notification_ids=notification_ids,
    )


async def finish(tx: Transaction, id: UUID) -> None:
    """Note that everybody has had it; who has left the directory meanwhile no longer counts."""
    await tx.fetch(_FINISH, request_id=id)
