"""Who waits for which inbox in this process, and how they are woken. Hints are never the truth."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from db.session import OUTBOX, Hint

Relay = Callable[[Sequence[Hint]], None]

Heard = Callable[[str], None]
"""Takes a note: what processes tell each other beside hints. Notes may be lost, and are not repeated."""

Inbox = tuple[str, str]
"""A tenant's id and a user's."""

Interest = Callable[[Inbox], None]

Place = tuple[int, int]
"""An inbox's epoch and seq."""

NOBODY = ""
"""The id of no user: a hint for it says that somebody's access in the tenant was taken away."""


class Waiter:
    """One subscription's place in the hub, from before its first read until it ends."""

    def __init__(self) -> None:
        self._hinted = -1
        self._woken = asyncio.Event()
        self.seen: Place | None = None
        """Where the inbox stood when it was last read: the sweep wakes whoever has seen something else."""

    def wake(self, seq: int | None) -> None:
        """Say that the inbox has reached seq, or (None) that it may have moved unseen.

        Unseen, it may have moved back: after a failover the next seqs are lower than those last heard of.
        """
        if seq is None or seq > self._hinted:
            self._hinted = -1 if seq is None else seq
            self._woken.set()

    async def moved(self, patience: float | None = None) -> None:
        """Return after the next hint, or after `patience` seconds: of an inbox, the sweep has patience."""
        if patience is None:
            await self._woken.wait()
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._woken.wait()
        self._woken.clear()


class Hub:
    """Wakes the subscriptions of an inbox; `relay` tells the other processes.

    on_first, on_last: told of an inbox when somebody begins to wait for it here, and when nobody does any more.
    """

    def __init__(
        self,
        relay: Relay = lambda _hints: None,
        on_first: Interest = lambda _inbox: None,
        on_last: Interest = lambda _inbox: None,
        tell: Callable[[Sequence[str]], None] = lambda _notes: None,
    ) -> None:
        self._waiters: dict[Inbox, set[Waiter]] = defaultdict(set)
        self._relay = relay
        self._on_first, self._on_last = on_first, on_last
        self.tell = tell
        """Tells the other processes notes of at most 7,000 bytes each, if it can at once."""
        self.missed = asyncio.Event()
        """Hints were lost: a sweep is wanted at once."""
        self.revision = 0
        """Grows whenever access was, or may have been, taken away somewhere: what is older is stale."""
        self.told = 0
        """How many waiters were woken by hints."""
        self.connects = 0
        """How many connections hints have come over."""

    @contextmanager
    def register(self, tenant_id: str, user_id: str) -> Iterator[Waiter]:
        """Wait for an inbox: register first, then read, or a change in between goes unseen."""
        key, waiter = (tenant_id, user_id), Waiter()
        if key not in self._waiters:
            self._on_first(key)
        self._waiters[key].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[key].discard(waiter)
            if not self._waiters[key]:
                del self._waiters[key]
                self._on_last(key)

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
                self.told += 1

    def recheck(self, inboxes: Iterable[Inbox]) -> None:
        """Wake who waits for these: only from now on do hints of them arrive."""
        for inbox in inboxes:
            for waiter in self._waiters.get(inbox, ()):
                waiter.wake(None)

    def miss(self) -> None:
        """Say that hints were lost for a while: who waits for an inbox is swept, everybody else woken."""
        self.revision += 1
        self.connects += 1
        self.missed.set()
        for (_tenant_id, user_id), waiters in self._waiters.items():
            if user_id in {NOBODY, OUTBOX.user_id}:
                for waiter in waiters:
                    waiter.wake(None)

    def count(self) -> int:
        """Return how many wait for an inbox here."""
        return sum(
            len(them)
            for (_tenant, user), them in [*self._waiters.items()]
            if user not in {NOBODY, OUTBOX.user_id}
        )

    def inboxes(self) -> dict[str, list[str]]:
        """Return who is waited for here, by tenant."""
        found: dict[str, list[str]] = defaultdict(list)
        for tenant_id, user_id in self._waiters:
            if user_id not in {NOBODY, OUTBOX.user_id}:
                found[tenant_id].append(user_id)
        return found

    def compare(self, tenant_id: str, places: Mapping[str, Place]) -> None:
        """Wake whoever has seen another place of an inbox than the one where it stands."""
        for user_id, place in places.items():
            for waiter in self._waiters.get((tenant_id, user_id), ()):
                if waiter.seen is not None and waiter.seen != place:
                    waiter.wake(None)
