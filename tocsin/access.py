"""Who may come in, and until when: tokens and keys, and what takes them away before their time."""

from uuid import UUID

import db.agent
from db.session import OUTAGE, Database, Scope
from live.hub import NOBODY, Hub
from resolvers.agent_key import looks_like_key
from resolvers.errors import unauthenticated
from resolvers.principal import Principal
from tocsin.agents import AgentKeys
from tocsin.auth import Authenticator
from tocsin.removals import Removals

PATIENCE_SECONDS = 30.0
"""How long a lost hint can keep a socket of somebody open whose access was taken away."""


class Access:
    """The one door of a process. See docs/adr/0009."""

    def __init__(self, tokens: Authenticator, database: Database, hub: Hub) -> None:
        self._tokens = tokens
        self._database = database
        self._hub = hub
        self._removals = Removals(database, hub)
        self._keys = AgentKeys(database, hub)

    async def principal(self, token: str, tenant: str | None) -> Principal:
        """Return who sent a JWT or an agent's key, in the tenant they asked for or the only one they have.

        UNAUTHENTICATED, always with the same text; TENANT_REQUIRED; or FORBIDDEN for a foreign tenant.
        """
        if looks_like_key(token):
            return await self._keys.principal(token, tenant)
        principal = await self._tokens.principal(token, tenant)
        if not await self._lasts(principal):
            raise unauthenticated()
        return principal

    def remembered(self, token: str, tenant: str | None) -> Principal | None:
        """Return what `principal` would if there is nothing to wait for; None where it would say more."""
        found = None if looks_like_key(token) else self._tokens.remembered(token, tenant)
        return found if found and self._removals.surely_lack(found) else None

    async def lost(self, principal: Principal) -> None:
        """Return when access is taken away: right after the hint, or after 30 s and a bit without one."""
        with self._hub.register(principal.tenant_id, NOBODY) as waiter:
            while await self._seems_to_last(principal):
                await waiter.moved(PATIENCE_SECONDS)

    async def _seems_to_last(self, principal: Principal) -> bool:
        try:
            return await self._lasts(principal)
        except OUTAGE:
            # A database that is down takes nobody's access away; it gives nobody any rows either.
            return True

    async def _lasts(self, principal: Principal) -> bool:
        tenant_id, id = principal.tenant_id, principal.user_id
        if principal.issued_at is None:
            return await db.agent.is_active(self._database.reader(Scope(tenant_id, None)), UUID(id))
        return not await self._removals.include(tenant_id, id, principal.issued_at)

    async def close(self) -> None:
        """Finish what goes on beside the requests."""
        await self._keys.close()
