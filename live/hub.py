"""Who waits for which inbox in this process, and how they are woken. Hints are never the truth."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from db.session import OUTBOX, Hint

Relay = Callable[[Sequence[Hint]], None]

NOBODY = ""
"""The id of no user: a hint for it says that somebody's access in the tenant was taken away."""


class Waiter:
    """One subscription's place in the hub, from before its first read until it ends."""

    def __init__(self) -> None:
        self._hinted = -1
        self._woken = asyncio.Event()

    def wake(self, seq: int | None) -> None:
        """Say that the inbox has reached seq, or (None) that it may have moved unseen.

        Unseen, it may have moved back: after a failover the next seqs are lower than those last heard of.
        """
        if seq is None or seq > self._hinted:
            self._hinted = -1 if seq is None else seq
            self._woken.set()

    async def moved(self, patience: float) -> None:
        """Return after the next hint, or after `patience` seconds, for a hint can be lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._woken.wait()
        self._woken.clear()


class Hub:
    """Wakes the subscriptions of an inbox; `relay` tells the other processes."""

    def __init__(self, relay: Relay = lambda _hints: None) -> None:
        self._waiters: dict[tuple[str, str], set[Waiter]] = defaultdict(set)
        self._relay = relay
        self.revision = 0
        """Grows whenever access was, or may have been, taken away somewhere: what is older is stale."""

    @contextmanager
    def register(self, tenant_id: str, user_id: str) -> Iterator[Waiter]:
        """Wait for an inbox: register first, then read, or a change in between goes unseen."""
        key, waiter = (tenant_id, user_id), Waiter()
        self._waiters[key].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[key].discard(waiter)
            if not self._waiters[key]:
                del self._waiters[key]

    def announce(self, hints: Sequence[Hint]) -> None:
        """Tell everybody, here and elsewhere, of what was committed."""
        self.wake(hints)
        self._relay(hints)

    def revoke(self, tenant_id: str) -> None:
        """Tell everybody, here and elsewhere, that access in this tenant was taken away."""
        self.announce([Hint(tenant_id, NOBODY, time.time_ns())])

    def wake(self, hints: Iterable[Hint]) -> None:
        """Wake those who wait here."""
        for hint in hints:
            revoked = hint.user_id == NOBODY
            self.revision += revoked
            for waiter in self._waiters.get((hint.tenant_id, hint.user_id), ()):
                # Processes number their revocations by their own clocks, and work not at all.
                waiter.wake(None if revoked or hint == OUTBOX else hint.seq)

    def wake_all(self) -> None:
        """Wake everybody: hints were lost for a while."""
        self.revision += 1
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.wake(None)
