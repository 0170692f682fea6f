"""From an agent's key to a `Principal`."""

import asyncio
import logging
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import db.agent
from db.session import OUTAGE, Database, Scope
from live.hub import Hub
from resolvers.agent_key import AgentKey
from resolvers.errors import rate_limited, unauthenticated
from resolvers.principal import Principal, Role
from tocsin.auth import chosen_tenant
from tocsin.budget import Budgets
from tocsin.recent import Recent

VERIFIED_SECONDS = 5
TOUCH_SECONDS = 60
_SIZE = 10_000
KNOWN_SECONDS = 3_600
FAILURES_A_MINUTE = 600
"""Lookups of keys that turn out to be none. More are not looked up; keys that were good here lately still are."""
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_NO_HASH = bytes(32)
_log = logging.getLogger(__name__)


class AgentKeys:
    """Verifies keys; one per process. A verified key is remembered for 5 s, a refused one not at all.

    A wrong, revoked or foreign key and one of an unknown tenant each cost one read and one comparison. There is no
    caller to hold to account for them, and behind a proxy no address either: the process pays from one budget.
    """

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        # By hash, so that looking one up takes the same time however much of a key was guessed.
        self._verified = Recent[bytes, Principal](VERIFIED_SECONDS, _SIZE, lambda: hub.revision)
        self._known = Recent[bytes, bool](KNOWN_SECONDS, _SIZE)
        self._failures = Budgets[None](FAILURES_A_MINUTE)
        self._touched = Recent[tuple[str, str], bool](TOUCH_SECONDS, _SIZE)
        self._touches: set[asyncio.Task[None]] = set()

    async def principal(self, text: str, tenant: str | None) -> Principal:
        """Return whose key it is; UNAUTHENTICATED, always the same, or FORBIDDEN for a foreign tenant.

        RATE_LIMITED if this process has seen too many wrong keys, unless this one was right within the hour.
        """
        key = sha256(text.encode(errors="replace")).digest()
        principal = self._verified.get(key)
        if principal is None:
            stamp = self._verified.stamp()
            principal = await self._verify(text, known=self._known.get(key) is not None)
            self._verified.put(key, principal, stamp)
            self._known.put(key, True, self._known.stamp())
        chosen_tenant(frozenset({principal.tenant_id}), tenant)
        self._touch(principal)
        return principal

    async def _verify(self, text: str, *, known: bool) -> Principal:
        key = AgentKey.parse(text)
        if key is None:
            raise unauthenticated()
        if not known and (seconds := self._failures.spend(None, 1)):
            raise rate_limited("Too many keys were wrong.", seconds)
        principal = await self._look_up(key)
        if not known:
            self._failures.give_back(None, 1)
        return principal

    async def _look_up(self, key: AgentKey) -> Principal:
        row = await db.agent.by_prefix(self._database.reader(Scope(key.tenant_id, None)), key.prefix)
        if not key.opens(row.key_hash or _NO_HASH):
            raise unauthenticated()
        types = None if row.types is None else frozenset(row.types)
        return Principal(key.tenant_id, str(row.id), frozenset({Role.AGENT}), _NEVER, types=types)

    def _touch(self, principal: Principal) -> None:
        """Record the use, at most once a minute and off the request's path."""
        agent = (principal.tenant_id, principal.user_id)
        if self._touched.get(agent) is None:
            self._touched.put(agent, True, self._touched.stamp())
            task = asyncio.create_task(self._record(*agent))
            self._touches.add(task)
            task.add_done_callback(self._touches.discard)

    async def _record(self, tenant_id: str, agent_id: str) -> None:
        try:
            async with self._database.transaction(Scope(tenant_id, None)) as tx:
                await db.agent.touch(tx, UUID(agent_id))
        except OUTAGE as error:
            _log.warning("lastUsedAt of an agent was not recorded: %s", type(error).__name__)

    async def close(self) -> None:
        """Let the last records be written."""
        if self._touches:
            await asyncio.wait(self._touches, timeout=2)
