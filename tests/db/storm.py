"""Tasks of many tenants that share one connection, while tasks, statements and backends are killed."""

import asyncio
import random
from collections import Counter
from typing import Any

import asyncpg
from sqlalchemy import ColumnElement, Integer, bindparam, func, literal, select

from db.draft import create
from db.session import Database, Scope, open_database
from db.statement import Read, Write
from db.tables import notification
from tests.db.support import Connection, holders
from tests.support import draft

TENANTS, TASKS = 50, 200
EACH = 2
# No predicate of the application's own: whatever separates these rows is the database.
_OWNER: list[ColumnElement[Any]] = [notification.c.tenant_id, notification.c.user_id]
EVERYTHING = Read(select(*_OWNER))
SLOW = Read(select(*_OWNER, func.pg_sleep(0.02)))
BROKEN = Write(select(literal(1) / bindparam("zero", type_=Integer)))
CONTEXT = "select current_setting('tocsin.tenant', true), current_setting('tocsin.actor', true)"
_BARE = "select tenant_id, user_id from tocsin.notification"

HAPPENS = (
    "cancelled",
    "kills",
    "looks",
    "refused",
    "TimeoutError",
    "ZeroDivisionError",
    "DivisionByZeroError",
)
"""What must have been seen, for a storm to have been one."""


async def fill(url: str) -> None:
    """Store fifty tenants with two users each, and as many rows for each user."""
    async with open_database(url) as database:
        for n in range(TENANTS):
            async with database.transaction(Scope(f"pool-{n}", None)) as tx:
                await create(tx, [draft(user) for user in ("ada", "grace") for _ in range(EACH)])


class Chaos:
    """Tasks that share one connection, of which any may fail at any moment."""

    def __init__(self, database: Database, superuser: Connection, statements: int, seed: int) -> None:
        self.database, self.superuser, self.statements = database, superuser, statements
        self.random = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.wrong: list[Any] = []

    def _check(self, scope: Scope, rows: list[Any]) -> None:
        self.seen["statements"] += 1
        if [(row.tenant_id, row.user_id) for row in rows] != [(scope.tenant_id, scope.user_id)] * EACH:
            self.wrong.append((scope, rows))

    async def read(self, scope: Scope) -> None:
        """Read in a round trip of its own."""
        self._check(scope, await self.database.reader(scope).fetch(EVERYTHING))

    async def slow(self, scope: Scope) -> None:
        """Read what takes so long that the time limit may strike in the middle."""
        self._check(scope, await self.database.reader(scope).fetch(SLOW))

    async def transact(self, scope: Scope) -> None:
        """Read within a transaction, with other tasks' turns in between."""
        async with self.database.transaction(scope) as tx:
            self._check(scope, await tx.fetch(EVERYTHING))
            await asyncio.sleep(0)
            self._check(scope, await tx.fetch(EVERYTHING))

    async def fail(self, scope: Scope) -> None:
        """Fail in Python or in the database, within a transaction."""
        async with self.database.transaction(scope) as tx:
            self._check(scope, await tx.fetch(EVERYTHING))
            if self.random.random() < 0.5:
                raise ZeroDivisionError
            await tx.fetch(BROKEN, zero=0)

    async def look(self, _scope: Scope) -> None:
        """Look at what the connection brings back from whoever used it last."""
        async with self.database.pool.acquire() as connection:
            self.seen["looks"] += 1
            if any(value for value in await connection.fetchrow(CONTEXT) or ()):
                self.wrong.append("a context was left behind")

    async def forget(self, _scope: Scope) -> None:
        """Run a statement without a context, on whatever the last user left."""
        async with self.database.pool.acquire() as connection:
            try:
                self.wrong.append(await connection.fetch(_BARE))
            except asyncpg.InsufficientPrivilegeError:
                self.seen["refused"] += 1

    async def kill(self, _scope: Scope) -> None:
        """Kill the one backend, whoever is using it."""
        connection = holders(self.database)[0]._con
        if connection is not None and not connection.is_closed():
            self.seen["kills"] += await self.superuser.fetchval(
                "select count(*) from pg_terminate_backend($1)", connection.get_server_pid()
            )

    async def step(self, scope: Scope) -> None:
        """Do one thing, sometimes with too little time for it."""
        weights = {
            self.read: 60,
            self.slow: 1,
            self.transact: 12,
            self.fail: 8,
            self.look: 12,
            self.forget: 4,
        }
        do = self.random.choices([*weights], [*weights.values()])[0]
        limit = 0.001 * self.random.randrange(400) if self.random.random() < 0.25 else 30
        try:
            async with asyncio.timeout(limit):
                await do(scope)
        except (
            TimeoutError,
            ZeroDivisionError,
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # between a killed backend's last words and the end of its socket
        ) as error:
            self.seen[type(error).__name__] += 1

    async def run(self, scope: Scope) -> None:
        """Go on until all together have had their statements; a cancellation from outside ends it."""
        while self.seen["statements"] < self.statements:
            await self.step(scope)

    async def storm(self) -> list[BaseException]:
        """Run all tasks, each anew when it was cancelled; return what they failed with, which is nothing."""
        scopes = [Scope(f"pool-{n}", user) for n in range(TENANTS) for user in ("ada", "grace")]
        running = {
            asyncio.create_task(self.run(scopes[n % len(scopes)])): scopes[n % len(scopes)]
            for n in range(TASKS)
        }
        failed: list[BaseException] = []
        while running:
            done, _ = await asyncio.wait(running, timeout=0.1, return_when=asyncio.ALL_COMPLETED)
            for task in done:
                scope = running.pop(task)
                if task.cancelled():
                    running[asyncio.create_task(self.run(scope))] = scope
                elif error := task.exception():
                    failed.append(error)
            # Not by the clock: a busy machine would do nothing but connect.
            if self.seen["statements"] >= 100 * (self.seen["kills"] + 1):
                await self.kill(Scope("", None))
            if self.seen["statements"] >= self.statements:
                continue  # who is cancelled before the first step never sees that it is over
            for task in self.random.sample([*running], min(4, len(running))):
                self.seen["cancelled"] += task.cancel()
        return failed
