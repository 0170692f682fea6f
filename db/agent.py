"""The machines of a tenant: programs that call the API with a key of their own."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import (
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import agent

_a = agent.c
# Never the hash: nobody but the lookup has a use for it.
_SHOWN = (_a.id, _a.name, _a.types, _a.key_prefix, _a.created_at, _a.last_used_at, _a.revoked_at)
_ID = bindparam("agent_id", type_=Uuid)
_active = (in_tenant(agent), _a.revoked_at.is_(None))

_found = select(agent).where(*_active, _a.key_prefix == bindparam("prefix", type_=Text)).subquery("found")
_one = select(literal_column("1").label("one")).subquery("one")
# One row in any case: the time that an answer takes must not tell whether there is such a prefix.
_BY_PREFIX = Read(
    select(_found.c.id, _found.c.types, _found.c.key_hash).select_from(_one.outerjoin(_found, true()))
)
_IS_ACTIVE = Read(select(_a.id).where(*_active, _a.id == _ID))
_INSERT = Write(
    insert(agent)
    .values(
        tenant_id=TENANT_ID,
        id=_ID,
        name=bindparam("name", type_=Text),
        types=bindparam("types", type_=ARRAY(Text)),
        key_prefix=bindparam("prefix", type_=Text),
        key_hash=bindparam("hash", type_=LargeBinary),
    )
    .returning(*_SHOWN)
)
_LOCK = Write(select(*_SHOWN).where(in_tenant(agent), _a.id == _ID).with_for_update())
_REVOKE = Write(
    update(agent).where(in_tenant(agent), _a.id == _ID).values(revoked_at=func.now()).returning(*_SHOWN)
)
_TOUCH = Write(update(agent).where(*_active, _a.id == _ID).values(last_used_at=func.now()))


async def by_prefix(reader: Reader, prefix: str) -> Row:
    """Return id, types and key_hash of the agent whose key has this prefix, unless it was revoked.

    If there is none, all three are None.
    """
    (row,) = await reader.fetch(_BY_PREFIX, prefix=prefix)
    return row


async def is_active(reader: Reader, id: UUID) -> bool:
    """Tell whether there is such an agent and it was not revoked."""
    return await reader.one(_IS_ACTIVE, agent_id=id) is not None


async def add(
    tx: Transaction, id: UUID, name: str, types: Sequence[str] | None, prefix: str, hash: bytes
) -> Row:
    """Store a new agent; types None: any."""
    (row,) = await tx.fetch(_INSERT, agent_id=id, name=name, types=types, prefix=prefix, hash=hash)
    return row


async def lock(tx: Transaction, id: UUID) -> Row | None:
    """Return an agent, if it exists, and hold it until the commit."""
    return await tx.one(_LOCK, agent_id=id)


async def revoke(tx: Transaction, id: UUID) -> Row:
    """Revoke an agent that is there, and return it."""
    return await tx.only(_REVOKE, agent_id=id)


async def touch(tx: Transaction, id: UUID) -> None:
    """Note that an agent's key was used just now."""
    await tx.fetch(_TOUCH, agent_id=id)
