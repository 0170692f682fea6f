"""What one worker has in hand: under which leases it holds what, and how much more it may take."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from delivery.slots import ENOUGH, Slots


class Hand:
    """Work that was picked and is not yet done. `emptied` is called when there is room for more.

    What a sender has finished with needs no slot any more, but it is in hand, and held, until it is settled.
    """

    def __init__(self, size: int, emptied: Callable[[], None]) -> None:
        self._slots = Slots(size)
        self._emptied = emptied
        self._held: dict[tuple[UUID, UUID], str] = {}  # the tenants, by lease and id
        self._in_slots: set[tuple[UUID, UUID]] = set()
        self._freed: Counter[str] = Counter()

    def rooms(self, tenants: Iterable[str]) -> dict[str, int]:
        """Take the slots that each tenant may have now; return how many, where there are any."""
        self._freed.clear()
        taken = {tenant_id: self._slots.take(tenant_id) for tenant_id in tenants}
        return {tenant_id: room for tenant_id, room in taken.items() if room}

    def fill(self, rooms: dict[str, int], lease: UUID, picked: Iterable[tuple[str, UUID]]) -> None:
        """Put what was picked into the slots taken, and give the others back."""
        for tenant_id, id in picked:
            self._held[lease, id] = tenant_id
            self._in_slots.add((lease, id))
            rooms[tenant_id] -= 1
        for tenant_id, room in rooms.items():
            self._slots.give_back(tenant_id, room)

    def sent(self, lease: UUID, ids: Collection[UUID]) -> None:
        """Free the slots of what is only to be settled; the rest of a digest, which has none, is ignored."""
        for id in ids:
            if (lease, id) in self._in_slots:
                self._in_slots.remove((lease, id))
                self._free(self._held[lease, id])

    def _free(self, tenant_id: str) -> None:
        self._slots.give_back(tenant_id, 1)
        self._freed[tenant_id] += 1
        if self._freed[tenant_id] >= min(ENOUGH, self._slots.held(tenant_id)):
            self._emptied()

    def done(self, lease: UUID, ids: Collection[UUID]) -> None:
        """Let go of what is done.

        The lease counts, for what it was lost of may have been picked once more meanwhile.
        """
        self.sent(lease, ids)
        for id in ids:
            self._held.pop((lease, id), None)

    def leases(self) -> tuple[list[str], list[UUID]]:
        """Return the tenants and the leases of all that is in hand."""
        return [*{*self._held.values()}], [*{lease for lease, _id in self._held}]
