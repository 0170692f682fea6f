"""Hints that wait to be sent: of each inbox the highest seq."""

from collections.abc import Iterable, Mapping
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

    def oldest(self, most: int) -> dict[Inbox, int]:
        """Return what to tell next; it stays until it was `told`."""
        return dict(islice(self.items(), most))

    def told(self, sent: Mapping[Inbox, int]) -> None:
        """Forget what was told, but for what has moved on meanwhile."""
        for inbox, seq in sent.items():
            if self.get(inbox) == seq:
                del self[inbox]
