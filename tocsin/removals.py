"""Which users of a tenant were removed, and when: read once in 5 s for all of its callers."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakValueDictionary

import db.removal
from db.session import Database, Reader, Scope
from live.hub import Hub
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
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def include(self, tenant_id: str, user_id: str, issued_at: datetime) -> bool:
        """Tell whether the user was removed in the second in which their token was issued, or later."""
        issued = _second(issued_at)
        newest = self._recent.get(tenant_id) or await self._read(tenant_id)
        said = newest.says(user_id, issued)
        if said is None:
            at = await db.removal.of(self._reader(tenant_id), user_id)
            said = at is not None and issued <= _second(at)
        return said

    async def _read(self, tenant_id: str) -> _Newest:
        # Whoever comes while it is read waits for the one answer.
        lock = self._locks.setdefault(tenant_id, asyncio.Lock())
        async with lock:
            newest = self._recent.get(tenant_id)
            if newest is None:
                stamp = self._recent.stamp()
                rows = await db.removal.newest(self._reader(tenant_id), NEWEST)
                oldest = _second(rows[-1]["at"]) if len(rows) == NEWEST else None
                newest = _Newest({row["user_id"]: _second(row["at"]) for row in rows}, oldest)
                self._recent.put(tenant_id, newest, stamp)
        return newest

    def _reader(self, tenant_id: str) -> Reader:
        return self._database.reader(Scope(tenant_id, None))
