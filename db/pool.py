"""asyncpg's pool, with a shorter way for a connection that comes back as it went.

What the pool does for each lease (a task to give it back, a timer for its idleness) costs more than a small read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from db.session import Row

    Connection = asyncpg.pool.PoolConnectionProxy[Row]

_TIDY_SECONDS = 30.0
_WAIT_SECONDS = 10.0
"""How long somebody may wait for a connection."""
_CLEAR_SECONDS = 1.0
"""How long a connection may take to clear up after who failed; then it is closed."""


class Pool:
    """Connections to lend. Those in `_idle` are lent as far as asyncpg knows.

    There is a seat for each connection, so hardly anybody waits in asyncpg's own, dearer queue.
    """

    def __init__(self, pool: "asyncpg.Pool[Row]") -> None:
        self._pool = pool
        self._idle: list[Connection] = []
        self._seats = asyncio.Semaphore(pool.get_max_size())

    def acquire(self) -> "Lease":
        """Return a lease of a connection, which begins and ends with a block."""
        return Lease(self)

    async def take(self) -> "Connection":
        """Return a connection, when there is one; TimeoutError if that takes too long."""
        if self._idle and not self._seats.locked():
            await self._seats.acquire()  # at once
            if connection := self._kept():
                return connection
            self._seats.release()
        async with asyncio.timeout(_WAIT_SECONDS):
            await self._seats.acquire()
            try:
                return self._kept() or await self._pool.acquire()
            except BaseException:
                self._seats.release()
                raise

    def _kept(self) -> "Connection | None":
        """Return one that is idle and open, if any."""
        while self._idle:
            # asyncpg takes back what is closed, and then its proxy answers nothing any more.
            with suppress(asyncpg.InterfaceError):
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
        return None

    async def give_back(self, connection: "Connection", *, is_clean: bool) -> None:
        """Take a connection back. After an error asyncpg sees to what comes next."""
        try:
            if is_clean:
                self._idle.append(connection)
            else:
                with suppress(TimeoutError):
                    await self._pool.release(connection, timeout=_CLEAR_SECONDS)
        finally:
            self._seats.release()

    async def give_up(self, connection: "Connection") -> None:
        """Close a connection that does not answer, and the idle ones: they have been silent for longer."""
        await self._pool.expire_connections()
        for silent in (connection, *self._idle):
            with suppress(asyncpg.InterfaceError):  # it is closed
                silent.terminate()
        self._idle.clear()

    async def keep_tidy(self) -> None:
        """Give what is idle to asyncpg from time to time, which closes what stays so; until cancelled."""
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            await self.tidy()

    async def tidy(self) -> None:
        """Give what is idle to asyncpg."""
        while self._idle:
            await self._pool.release(self._idle.pop())

    def get_size(self) -> int:
        """Return how many connections are open."""
        return self._pool.get_size()

    def get_idle_size(self) -> int:
        """Return how many of them nobody uses."""
        return self._pool.get_idle_size() + len(self._idle)

    async def fetch(self, query: str, *arguments: Any) -> "list[Row]":
        """Run a statement on any connection; return its rows."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """Run a statement on any connection; return the first value of its first row."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> None:
        """Run a statement on any connection."""
        async with self.acquire() as connection:
            await connection.execute(query, *arguments)


class Lease:
    """A connection for the time of a block."""

    __slots__ = ("_connection", "_pool")
    _connection: "Connection"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> "Connection":
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind and issubclass(kind, TimeoutError):
            await self._pool.give_up(self._connection)
        await self._pool.give_back(self._connection, is_clean=kind is None)


@asynccontextmanager
async def opened(pool: "asyncpg.Pool[Row]") -> AsyncIterator[Pool]:
    """Lend an open pool's connections while the block runs."""
    ours = Pool(pool)
    tidying = asyncio.create_task(ours.keep_tidy())
    try:
        yield ours
    finally:
        tidying.cancel()
        with suppress(asyncio.CancelledError):
            await tidying
        await ours.tidy()
