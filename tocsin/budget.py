"""How much each caller may still ask for: the generic cell rate algorithm, and what other servers saw spent.

GCRA keeps one number a caller, the moment when the budget will be whole again. See docs/adr/0013.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_MOST = 100_000


class Budgets(Generic[K]):
    """So many points a minute for each key, which may be spent at once; 0: without limit.

    At most 100,000 keys are remembered: the one that spent longest ago is forgotten first.
    """

    def __init__(self, a_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_minute = a_minute
        self.untold: dict[K, float] = defaultdict(float)
        """What was spent here and no other server has been told of."""
        self._clock = clock
        self._whole_at: dict[K, float] = {}

    def __len__(self) -> int:
        return len(self._whole_at)

    def spend(self, key: K, points: float) -> int:
        """Take points and return 0; or take none and return after how many seconds there will be enough.

        Who has everything left may spend all of it, and no operation costs more than that.
        """
        if not self.a_minute:
            return 0
        points = min(points, self.a_minute)
        now = self._clock()
        whole_at = max(self._whole_at.pop(key, now), now)
        late = whole_at + points * 60 / self.a_minute - now - 60
        if late > 1e-6:  # noqa: PLR2004  what is left of rounding
            self._whole_at[key] = whole_at
            return math.ceil(late - 1e-6)
        self._put(key, late + now + 60)
        self.untold[key] += points
        return 0

    def give_back(self, key: K, points: float) -> None:
        """Return points that were taken."""
        if key in self._whole_at:
            self._whole_at[key] -= points * 60 / self.a_minute

    def hear(self, key: K, points: float) -> None:
        """Count what was spent at another server; at worst there is nothing left for a minute."""
        if self.a_minute:
            now = self._clock()
            whole_at = max(self._whole_at.pop(key, now), now) + points * 60 / self.a_minute
            self._put(key, min(whole_at, now + 60))

    def notable(self) -> list[tuple[K, float]]:
        """Return, once, who has spent a hundredth of the budget or more and how much; the rest adds up."""
        told = [(key, points) for key, points in self.untold.items() if points * 100 >= self.a_minute]
        for key, _points in told:
            del self.untold[key]
        if len(self.untold) > _MOST:
            self.untold.clear()
        return told

    def _put(self, key: K, whole_at: float) -> None:
        self._whole_at[key] = whole_at
        if len(self._whole_at) > _MOST:
            del self._whole_at[next(iter(self._whole_at))]
