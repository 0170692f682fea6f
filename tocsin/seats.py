"""How many live connections each user has in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from resolvers.errors import ErrorCode, TocsinError
from resolvers.principal import Principal


class Seats:
    """A number of seats for each user: one for each socket and each event stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        """Return how many users have one."""
        return len(self._taken)

    @property
    def taken_by_all(self) -> int:
        """How many seats are taken."""
        return sum([*self._taken.values()])

    @contextmanager
    def taken(self, principal: Principal | None) -> Iterator[None]:
        """Hold a seat in the block, or raise RATE_LIMITED; who is nobody needs none and gets no data."""
        if principal is None:
            yield
            return
        user = principal.tenant_id, principal.user_id
        if self._taken[user] >= self._limit:
            raise TocsinError(ErrorCode.RATE_LIMITED, f"At most {self._limit} live connections of a user.")
        self._taken[user] += 1
        try:
            yield
        finally:
            self._taken[user] -= 1
            if not self._taken[user]:
                del self._taken[user]
