"""Hints that wait to be sent: of each inbox the highest seq."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from db.session import Hint
from live.hub import Inbox

MOST = 100_000
"""Inboxes that hints wait for, however long nothing can be sent."""


class Pending(dict[Inbox, int]):
    """The seq to tell of each inbox. Full, the oldest makes room: who is not told finds out by the sweep."""

    def add(self, hints: Iterable[Hint]) -> None:
        """Have these told."""
        for tenant_id, user_id, seq in hints:
            inbox = (tenant_id, user_id)
            self[inbox] = max(seq, self.get(inbox, 0))
            if len(self) > MOST:
                del self[next(iter(self))]

    @contextmanager
    def sending(self, most: int = MOST) -> Iterator[Mapping[Inbox, int]]:
        """Take the oldest out to be sent; if the block fails they are pending again.

        What is added meanwhile is sent next, whatever its seq: that of work for workers never changes.
        """
        taken = {inbox: self.pop(inbox) for inbox in list(islice(self, most))}
        try:
            yield taken
        except BaseException:
            self.add(Hint(*inbox, seq) for inbox, seq in taken.items())
            raise
