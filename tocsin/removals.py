"""Which users of a tenant were removed, and when: read once in 5 s for all of its callers."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import db.removal
from db.session import Database, Reader, Scope
from live.hub import Hub
from resolvers.principal import Principal
from tocsin.recent import Recent

READ_SECONDS = 5
NEWEST = 1_000
_TENANTS = 1_000


def _second(at: datetime) -> int:
    return int(at.timestamp())


@dataclass(frozen=True, slots=True)
class _Newest:
    """The Unix second in which each of these users was removed; None: `whole` says that these are all."""

    seconds: dict[str, int]
    whole_after: int | None

    def says(self, user_id: str, issued: int) -> bool | None:
        """Tell whether the user was removed since; None: the removal may be older than these."""
        if user_id in self.seconds:
            return issued <= self.seconds[user_id]
        return False if self.whole_after is None or issued > self.whole_after else None


class Removals:
    """Tells removed users' tokens; one per process.

    Of a tenant the newest 1,000 removals are kept. Only a token that is older than all of those costs a read
    of its own.
    """

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._recent = Recent[str, _Newest](READ_SECONDS, _TENANTS, lambda: hub.revision)
        self._reading: dict[str, asyncio.Task[_Newest]] = {}

    async def include(self, tenant_id: str, user_id: str, issued_at: datetime) -> bool:
        """Tell whether the user was removed in the second in which their token was issued, or later."""
        issued = _second(issued_at)
        newest = self._recent.get(tenant_id) or await self._read(tenant_id)
        said = newest.says(user_id, issued)
        if said is None:
            at = await db.removal.of(self._reader(tenant_id), user_id)
            said = at is not None and issued <= _second(at)
        return said

    def surely_lack(self, principal: Principal) -> bool:
        """Tell whether it is known, without a read, that the principal was not removed."""
        newest = self._recent.get(principal.tenant_id)
        if newest is None or principal.issued_at is None:
            return False
        return newest.says(principal.user_id, _second(principal.issued_at)) is False

    async def _read(self, tenant_id: str) -> _Newest:
        begun_before = tenant_id in self._reading
        newest = await self._shared(tenant_id)
        # What was read before may lack a removal that was heard of since.
        return newest if not begun_before else self._recent.get(tenant_id) or await self._shared(tenant_id)

    async def _shared(self, tenant_id: str) -> _Newest:
        """Read, or wait with all the others for the one answer; if it fails, it fails for all of them."""
        if tenant_id not in self._reading:
            reading = self._reading[tenant_id] = asyncio.create_task(self._read_anew(tenant_id))
            reading.add_done_callback(lambda done: self._end(tenant_id, done))
        # Whoever gives up must not take the answer away from the others.
        return await asyncio.shield(self._reading[tenant_id])

    def _end(self, tenant_id: str, reading: "asyncio.Task[_Newest]") -> None:
        del self._reading[tenant_id]
        if not reading.cancelled():
            reading.exception()  # seen, though everybody may have given up

    async def _read_anew(self, tenant_id: str) -> _Newest:
        stamp = self._recent.stamp()
        rows = await db.removal.newest(self._reader(tenant_id), NEWEST)
        oldest = _second(rows[-1]["at"]) if len(rows) == NEWEST else None
        newest = _Newest({row["user_id"]: _second(row["at"]) for row in rows}, oldest)
        self._recent.put(tenant_id, newest, stamp)
        return newest

    def _reader(self, tenant_id: str) -> Reader:
        return self._database.reader(Scope(tenant_id, None))
