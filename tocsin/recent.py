"""A bounded memory of what was true a moment ago."""

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Stamp(NamedTuple):
    """When something was read: by the monotonic clock, and in which revision of the world."""

    at: float
    revision: int


class Recent(Generic[K, V]):
    """At most `size` values, each for at most `seconds` and until `revision` changes."""

    def __init__(self, seconds: float, size: int, revision: Callable[[], int] = lambda: 0) -> None:
        self._seconds, self._size, self._revision = seconds, size, revision
        # Flat: each object is one more for every full collection of garbage to visit.
        self._values: dict[K, tuple[float, int, V]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def stamp(self) -> Stamp:
        """Return now; take it before reading, for what is read is never newer than that."""
        return Stamp(time.monotonic(), self._revision())

    def get(self, key: K) -> V | None:
        """Return a value that is still true, or None."""
        if (found := self._values.get(key)) is None:
            return None
        at, revision, value = found
        fresh = revision == self._revision() and time.monotonic() - at < self._seconds
        return value if fresh else None

    def put(self, key: K, value: V, stamp: Stamp) -> None:
        """Remember a value; the one that was put longest ago makes room for it."""
        self._values.pop(key, None)
        self._values[key] = (stamp.at, stamp.revision, value)
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]
