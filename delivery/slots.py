"""How many deliveries a worker has in hand, and how many more a tenant may have. Pure."""

from collections import Counter

ENOUGH = 8
"""Slots that are worth a transaction of their own, however many the tenant has in use."""


class Slots:
    """A bounded number of slots, shared so that no tenant, and no few tenants, can take them all.

    A tenant may hold half as many as are left free (a dynamic threshold; Choudhury and Hahne 1998): alone a
    third of all, and beside n others one in n + 3 as soon as they have given back what is now too much; at
    once, a third of what they have left. So slow receivers of one tenant never keep another's waiting.

    It takes them by the handful, for what is opened together costs little more than one: it gets none before
    it can have as many as it still holds, or ENOUGH.
    """

    def __init__(self, size: int) -> None:
        self.free = size
        self._held: Counter[str] = Counter()

    def take(self, tenant_id: str) -> int:
        """Take all the slots that a tenant may have now; return how many."""
        room = (self.free - 2 * self._held[tenant_id]) // 3
        if room < 1:
            # With few slots in all, one each, as long as there are any.
            room = 1 if self.free and not self._held[tenant_id] else 0
        elif room < min(ENOUGH, self._held[tenant_id]):
            room = 0
        self._held[tenant_id] += room
        self.free -= room
        return room

    def give_back(self, tenant_id: str, count: int) -> None:
        """Give slots back."""
        self._held[tenant_id] -= count
        self.free += count
        if not self._held[tenant_id]:
            del self._held[tenant_id]

    def held(self, tenant_id: str) -> int:
        """Return how many a tenant has."""
        return self._held[tenant_id]
