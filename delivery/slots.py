"""How many deliveries a worker has in hand, and how many more a tenant may have. Pure."""

from collections import Counter


class Slots:
    """A bounded number of slots, shared so that no tenant, and no few tenants, can take them all.

    A tenant may hold half as many as are left free (a dynamic threshold; Choudhury and Hahne 1998): alone a
    third of all, and while n others are at their limit still one in n + 3. So slow receivers of one tenant
    never keep another's deliveries waiting.
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
        self._held[tenant_id] += room
        self.free -= room
        return room

    def give_back(self, tenant_id: str, count: int) -> None:
        """Give slots back."""
        self._held[tenant_id] -= count
        self.free += count
        if not self._held[tenant_id]:
            del self._held[tenant_id]
