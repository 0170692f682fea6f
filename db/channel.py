"""The tenant's delivery channels."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from db.listing import Listing
from db.session import Reader, Row, Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import channel
from db.types import ChannelKind

_c = channel.c


LISTING = Listing(channel, {"kind": _c.kind == bindparam("kind")})
"""All channels, oldest first."""

_BY_IDS = Read(select(channel).where(in_tenant(channel), _c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))))


async def by_ids(reader: Reader, ids: Sequence[UUID]) -> list[Row]:
    """Return those that exist, in no order."""
    return await reader.fetch(_BY_IDS, ids=ids)


# -- changing ----------------------------------------------------------------------------------------------

_INSERT = Write(
    insert(channel)
    .values(
        {
            name: bindparam(name)
            for name in ("id", "kind", "name", "config", "secrets", "categories", "enabled")
        }
        | {"tenant_id": TENANT_ID}
    )
    .returning(channel)
)
_this = (in_tenant(channel), _c.id == bindparam("this", type_=Uuid))
_LOCK = Write(select(channel, func.now().label("now")).where(*_this).with_for_update())
# Who adds deliveries to it need not wait; who changes or deletes it must.
_KEEP = Write(select(channel).where(*_this).with_for_update(key_share=True))
_KEEP_ENABLED = Write(
    select(channel).where(in_tenant(channel), _c.enabled).order_by(_c.id).with_for_update(key_share=True)
)
_DELETE = Write(delete(channel).where(*_this))


@lru_cache
def _update_statement(names: tuple[str, ...]) -> Write:
    values = {name: bindparam(name, type_=_c[name].type) for name in names}
    return Write(update(channel).where(*_this).values(updated_at=func.now(), **values).returning(channel))


async def add(
    tx: Transaction,
    id: UUID,
    kind: ChannelKind,
    name: str,
    config: Mapping[str, Any],
    *,
    secrets: Mapping[str, Any] = MappingProxyType({}),
    categories: Sequence[str] = (),
    enabled: bool = True,
) -> Row:
    """Store a new channel and return it; secrets are sealed ones, by their keys in the config."""
    return await tx.only(
        _INSERT,
        id=id,
        kind=kind,
        name=name,
        config=dict(config),
        secrets=dict(secrets),
        categories=categories,
        enabled=enabled,
    )


async def lock(tx: Transaction, id: UUID) -> Row | None:
    """Return a channel and now, if it exists, and hold it: till the commit it gets no deliveries or changes."""
    return await tx.one(_LOCK, this=id)


async def keep(tx: Transaction, id: UUID) -> list[Row]:
    """Return a channel, if it exists, and keep it as it is until the commit; it still gets deliveries."""
    return await tx.fetch(_KEEP, this=id)


async def keep_enabled(tx: Transaction) -> list[Row]:
    """Return all channels that are on, and keep them as they are until the commit."""
    return await tx.fetch(_KEEP_ENABLED)


async def change(tx: Transaction, id: UUID, values: Mapping[str, Any]) -> Row:
    """Change a channel that is there: name, enabled, config, secrets, categories; return it as it is then."""
    return await tx.only(_update_statement(tuple(sorted(values))), this=id, **values)


async def switch_off(tx: Transaction, id: UUID) -> None:
    """Let nothing leave on a channel any more, if it is there."""
    await tx.fetch(_update_statement(("enabled",)), this=id, enabled=False)


async def remove(tx: Transaction, id: UUID) -> None:
    """Delete a channel; its deliveries stay, without one."""
    await tx.fetch(_DELETE, this=id)


# -- secrets -----------------------------------------------------------------------------------------------

_sealed = (
    select(_c.id, _c.secrets, func.now().label("now"))
    .where(in_tenant(channel), _c.secrets != func.jsonb_build_object())
    .order_by(_c.id)
)
_SEALED = Read(_sealed)
_LOCK_SEALED = Write(_sealed.with_for_update())
_RESEAL = Write(
    update(channel).where(*_this).values(secrets=bindparam("secrets", type_=_c.secrets.type)).returning(_c.id)
)


async def sealed(source: Source) -> list[Row]:
    """Return id and secrets of all channels that have any, and now."""
    return await source.fetch(_SEALED)


async def lock_sealed(tx: Transaction) -> list[Row]:
    """Return id and secrets of all channels that have any, and now; hold them until the commit."""
    return await tx.fetch(_LOCK_SEALED)


async def reseal(tx: Transaction, id: UUID, secrets: Mapping[str, Any]) -> None:
    """Store the same secrets in other boxes; to everybody the channel is as it was."""
    await tx.only(_RESEAL, this=id, secrets=dict(secrets))
