"""What happens to the inboxes that clients watch, and how long it takes until they hear of it."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import cycle, groupby

from bench.sockets import Caller
from db.draft import create
from db.session import Database, Scope
from tests.support import draft


class Writer:
    """Notifies people, and notes when each of their clients has heard of it."""

    def __init__(self, database: Database, callers: Sequence[Caller]) -> None:
        self.database, self.callers = database, callers
        self.unread: dict[tuple[str, str], int] = defaultdict(int)
        self._untold: dict[tuple[str, str], deque[tuple[int, float]]] = defaultdict(deque)
        self.values = 0
        """How many counts have arrived."""
        self.waits: list[float] = []
        """For each change the seconds from just before its commit to the first count that has it."""

    def told(self, caller: Caller, unread: int, at: float) -> None:
        """Take a count that has arrived."""
        self.values += 1
        untold = self._untold[caller[:2]]
        while untold and untold[0][0] <= unread:
            self.waits.append(at - untold.popleft()[1])

    def reset(self) -> None:
        """Count from nought."""
        self.values = 0
        self.waits.clear()

    async def change(self, callers: Sequence[Caller], ready: asyncio.Barrier | None = None) -> None:
        """Give each of them, all of one tenant, one notification more, in one transaction."""
        async with self.database.transaction(Scope(callers[0].tenant, None)) as tx:
            await create(tx, [draft(it.user) for it in callers])
            if ready:
                await ready.wait()
            at = time.perf_counter()
            for caller in callers:
                self.unread[caller[:2]] += 1
                self._untold[caller[:2]].append((self.unread[caller[:2]], at))

    async def fill(self) -> None:
        """Give everybody the first notification."""
        for tenant in _by_tenant(self.callers):
            await self.change(tenant)

    def forget(self) -> None:
        """Wait for nothing that was changed when nobody watched."""
        self._untold.clear()

    async def keep_changing(self, rate: int, together: int, seconds: float) -> int:
        """Change inboxes one after the other at a rate, `together` in a transaction; return how many."""
        loop = asyncio.get_running_loop()
        tenants = _by_tenant(self.callers)
        groups = [it[first : first + together] for it in tenants for first in range(0, len(it), together)]
        began, changed = loop.time(), 0
        for group in cycle(groups):
            if loop.time() >= began + seconds:
                break
            await self.change(group)
            changed += len(group)
            await asyncio.sleep(began + changed / rate - loop.time())
        return changed

    async def change_all(self) -> float:
        """Change every inbox, all at the same moment; return the seconds until the last client has heard."""
        self.reset()
        tenants = _by_tenant(self.callers)
        ready = asyncio.Barrier(len(tenants))
        await asyncio.gather(*(self.change(tenant, ready) for tenant in tenants))
        await self.settled(len(self.callers))
        return max(self.waits)

    async def settled(self, waits: int) -> None:
        """Return when so many changes have been heard of."""
        async with asyncio.timeout(300):
            while len(self.waits) < waits:
                await asyncio.sleep(0.001)


def _by_tenant(callers: Sequence[Caller]) -> list[list[Caller]]:
    return [list(of) for _tenant, of in groupby(callers, lambda caller: caller.tenant)]
