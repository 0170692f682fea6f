"""The one door to Postgres: no statement without a tenant, the context set here and nowhere else."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import asyncpg
import orjson

from db.pool import Pool, opened
from db.statement import SET_CONTEXT, Read, Statement, Write

APP_ROLE = "tocsin_app"
WORKER_ROLE = "tocsin_worker"


OUTAGE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises when the database is away, or goes away in the middle of a word."""
_AWAY = (
    *(OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    *(asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError, asyncpg.PostgresSystemError),
)
_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = {APP_ROLE: 10, WORKER_ROLE: 30}
"""How long Postgres may work for a role on a statement; a transaction may last twice as long."""
_KEEPALIVES = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""How soon Postgres finds that a client is gone without a word; Linux would take two hours."""
_GRACE_SECONDS = 2
"""How much later its answer must have come: a network can swallow it without a word."""


def is_away(error: BaseException) -> bool:
    """Tell whether an error means that the database cannot work just now, and not that we asked nonsense."""
    return isinstance(error, _AWAY)


class _NoAnswerError(TimeoutError):
    """A statement of a transaction got no answer: not what else may time out while one is open."""


class Row(asyncpg.Record):
    """A result row whose columns are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(name) from None
        # Once a column: from now on Record answers itself, and no AttributeError is made and caught for it.
        setattr(Row, name, property(itemgetter(name)))
        return value


class Scope(NamedTuple):
    """On whose behalf a statement runs: one user of a tenant, or (user_id None) the tenant's service."""

    tenant_id: str
    user_id: str | None

    @property
    def binds(self) -> dict[str, Any]:
        """The binds that each statement may name: tenant_id, user_id, actor."""
        actor = "service" if self.user_id is None else f"user:{self.user_id}"
        return {"tenant_id": self.tenant_id, "user_id": self.user_id, "actor": actor}


class Hint(NamedTuple):
    """That an inbox has reached seq. Says nothing about what happened."""

    tenant_id: str
    user_id: str
    seq: int


OUTBOX = Hint("", "\x00outbox", 0)
"""The hint that there is work for workers, in whichever tenant; no user's id holds a NUL."""


class Reader:
    """Runs reads of one scope, each in its own round trip on any free connection."""

    def __init__(self, pool: Pool, scope: Scope) -> None:
        self._pool = pool
        self.scope = scope

    async def fetch(self, statement: Read, **values: Any) -> list[Row]:
        """Return all rows."""
        values.update(self.scope.binds)
        arguments = statement.arguments(values)
        async with self._pool.acquire() as connection:
            return await connection.fetch(statement.text, *arguments)

    async def one(self, statement: Read, **values: Any) -> Row | None:
        """Return the first row, if any."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None


class Transaction:
    """An open transaction whose first statement set its scope. Collects hints for after the commit."""

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[Row]", scope: Scope) -> None:
        self._connection = connection
        self.scope = scope
        self.hints: list[Hint] = []

    def hint(self, user_id: str, seq: int) -> None:
        """Remember that this transaction moved a user's inbox to seq."""
        self.hints.append(Hint(self.scope.tenant_id, user_id, seq))

    def hint_at_work(self) -> None:
        """Remember that this transaction made work for the workers."""
        if OUTBOX not in self.hints:
            self.hints.append(OUTBOX)

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        """Return all rows."""
        values.update(self.scope.binds)
        arguments = statement.arguments(values)
        try:
            return await self._connection.fetch(statement.text, *arguments)
        except TimeoutError as error:
            raise _NoAnswerError from error

    async def one(self, statement: Statement, **values: Any) -> Row | None:
        """Return the first row, if any."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    async def only(self, statement: Statement, **values: Any) -> Row:
        """Return the one row that a statement must give."""
        (row,) = await self.fetch(statement, **values)
        return row

    async def many(self, statement: Write, rows: Iterable[dict[str, Any]]) -> None:
        """Run a statement once a row, in one batch."""
        binds = self.scope.binds
        arguments = [statement.arguments({**row, **binds}) for row in rows]
        try:
            await self._connection.executemany(statement.text, arguments)
        except TimeoutError as error:
            raise _NoAnswerError from error


Source = Reader | Transaction
"""What a read can run on: its own round trip, or an open transaction."""


class Database:
    """A pool of connections that act as one role without rights around row level security."""

    def __init__(self, pool: Pool, on_commit: Callable[[Sequence[Hint]], None]) -> None:
        self.pool = pool
        self._on_commit = on_commit

    def reader(self, scope: Scope) -> Reader:
        """Return what runs single-statement reads of a scope."""
        return Reader(self.pool, scope)

    def connections(self) -> tuple[int, int]:
        """Return how many connections are open, and how many of them are in use."""
        size = self.pool.get_size()
        return size, size - self.pool.get_idle_size()

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[Transaction]:
        """Open a transaction in a scope; it commits where the block ends, or rolls back on any exception."""
        # Read committed whatever the server's default: who waited for an inbox must see what was committed.
        async with self.pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            tx = Transaction(connection, scope)
            try:
                await tx.fetch(SET_CONTEXT)
                yield tx
            except _NoAnswerError:
                await self.pool.give_up(connection)  # a ROLLBACK would get no answer either
                raise
        if tx.hints:
            self._on_commit(tx.hints)


def _ignore(_hints: Sequence[Hint]) -> None:
    """Tell nobody: for tools whose writes no subscription waits for."""


async def _keep_session(_connection: Any) -> None:
    """Spare asyncpg's RESET ALL on release: nothing of ours outlives its transaction."""


async def _prepare(connection: Any, *, seconds: int | None) -> None:
    """Decode jsonb with orjson, and have Postgres end a transaction whose client is gone without a word.

    Only this ends one that waits for the rest of a client's message. Postgres has it from 17 on; before, such a
    transaction holds its locks until keepalives find the client gone.
    """
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
    )
    if seconds and connection.get_server_version() >= (17,):
        await connection.execute(f"set transaction_timeout = '{2 * seconds}s'")


@asynccontextmanager
async def open_database(
    url: str,
    *,
    size: int = 10,
    role: str | None = APP_ROLE,
    on_commit: Callable[[Sequence[Hint]], None] = _ignore,
    connection_class: "type[asyncpg.Connection[Any]]" = asyncpg.Connection,
) -> AsyncIterator[Database]:
    """Connect and act as a role, whatever role logs in; close the pool where the block ends.

    role None: as the one that logs in. connection_class: what runs the statements.
    """
    settings = {"application_name": "tocsin", "timezone": "UTC"} | ({"role": role} if role else {})
    seconds = _STATEMENT_SECONDS.get(role or "")
    if seconds:
        settings |= {
            "statement_timeout": f"{seconds}s",
            "idle_in_transaction_session_timeout": f"{2 * seconds}s",
            **_KEEPALIVES,
        }
    if role == WORKER_ROLE:
        # A worker runs few statements, for ever: to plan their joins anew costs more than what they do.
        settings["plan_cache_mode"] = "force_generic_plan"
    async with (
        asyncpg.create_pool(
            url,
            min_size=min(2, size),
            max_size=size,
            record_class=Row,
            connection_class=connection_class,
            init=partial(_prepare, seconds=seconds),
            reset=_keep_session,
            statement_cache_size=512,
            timeout=_CONNECT_SECONDS,
            command_timeout=seconds and seconds + _GRACE_SECONDS,
            server_settings=settings,
        ) as pool,
        opened(pool) as lent,
    ):
        yield Database(lent, on_commit)
