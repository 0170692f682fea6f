"""The machines of a tenant, and their keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import db.agent
import db.inbox
from db.session import Row
from resolvers import audit
from resolvers.agent_key import AgentKey
from resolvers.context import Context
from resolvers.errors import not_found
from resolvers.inputs import Problems, uuid_or_none
from resolvers.principal import Role
from resolvers.rights import allow

MAX_TYPES = 100


@dataclass(frozen=True, slots=True)
class AgentPayload:
    """A new agent, and its key in the only moment when it is known."""

    agent: Row
    key: str


@allow(Role.ADMIN)
async def create(ctx: Context, name: str, types: Sequence[str] | None) -> AgentPayload:
    """Make an agent with a key; types None: it may send any type."""
    _check(name, types)
    key = AgentKey.mint(ctx.caller.tenant_id)
    async with ctx.service_write() as tx:
        await db.inbox.add_tenant(tx)
        kept = None if types is None else list(dict.fromkeys(types))
        row = await db.agent.add(tx, uuid4(), name, kept, key.prefix, key.hash)
        await audit.record(tx, ctx, "createAgent", str(row.id), name)
    return AgentPayload(row, key.text)


def _check(name: str, types: Sequence[str] | None) -> None:
    problems = Problems()
    problems.name("name", name)
    if types is not None:
        # Not "any": a list that a program emptied must not open every type.
        problems.unless(0 < len(types) <= MAX_TYPES, "types", f"has 1 to {MAX_TYPES} values, or is null.")
        for number, type in enumerate(types[:MAX_TYPES]):
            problems.name(f"types.{number}", type)
    problems.report()


@allow(Role.ADMIN)
async def revoke(ctx: Context, id: str) -> Row:
    """Take an agent's access away for ever; absent and foreign ids are the same NOT_FOUND."""
    parsed = uuid_or_none(id)
    async with ctx.service_write() as tx:
        row = await db.agent.lock(tx, parsed) if parsed else None
        if row is None:
            raise not_found("Agent")
        if row.revoked_at is None:
            row = await db.agent.revoke(tx, row.id)
            await audit.record(tx, ctx, "revokeAgent", str(row.id), row.name, ["revokedAt"])
    ctx.hub.revoke(ctx.caller.tenant_id)
    return row
