"""Old rows for the worker to find, and ways to look at what it left, past row level security."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from tests.forked import Forked, Streams
from tests.support import Urls

_TENANT = "insert into tocsin.tenant values ($1) on conflict do nothing"
_INBOX = "insert into tocsin.inbox (tenant_id, user_id) values ($1, $2) on conflict do nothing"
_DELETED = """
insert into tocsin.notification
  (tenant_id, id, user_id, type, category, title, body, unread_seq, created_at, deleted_at)
select $1, gen_random_uuid(), $2, 'build.done', 'build', 'A build', '', 1, at - interval '1 hour', at
from generate_series(1, $3), (select now() - make_interval(hours => $4) as at) moment
"""
_REQUEST = """
insert into tocsin.request (tenant_id, id, caller, type, title) values ($1, $2, 'test', 'build.done', 'A build')
"""
_DELIVERIES = """
insert into tocsin.delivery (tenant_id, id, request_id, user_id, notification_id)
select tenant_id, gen_random_uuid(), $2, user_id, id from tocsin.notification
where tenant_id = $1 and deleted_at is not null
"""
_ATTEMPTS = """
insert into tocsin.attempt (tenant_id, delivery_id, number, duration_ms)
select tenant_id, id, 1, 5 from tocsin.delivery where tenant_id = $1
"""
_SETTINGS = """
insert into tocsin.settings (tenant_id, retention_days, inbox_days) values ($1, $2, $3)
on conflict (tenant_id) do update
set retention_days = excluded.retention_days, inbox_days = excluded.inbox_days
"""


class Eye:
    """A superuser's connection: sees every tenant, and can make time pass."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.sql = connection

    async def deleted(self, tenant: str, user: str, rows: int, days: float) -> None:
        """Store rows that their owner deleted so many days ago; such rows are in no counter."""
        await self.sql.execute(_TENANT, tenant)
        await self.sql.execute(_INBOX, tenant, user)
        await self.sql.execute(_DELETED, tenant, user, rows, round(days * 24))

    async def delivered(self, tenant: str) -> None:
        """Give each deleted row of a tenant a delivery with one attempt."""
        request_id = uuid4()
        await self.sql.execute(_REQUEST, tenant, request_id)
        await self.sql.execute(_DELIVERIES, tenant, request_id)
        await self.sql.execute(_ATTEMPTS, tenant)

    async def configure(self, tenant: str, retention_days: int = 90, inbox_days: int | None = None) -> None:
        """Store what a tenant has set."""
        await self.sql.execute(_TENANT, tenant)
        await self.sql.execute(_SETTINGS, tenant, retention_days, inbox_days)

    async def count(self, table: str, tenant: str) -> int:
        """Return how many rows a tenant has in a table."""
        return int(
            await self.sql.fetchval(f"select count(*) from tocsin.{table} where tenant_id = $1", tenant)
        )

    async def rows(self, columns: str, table: str, tenant: str, order: str) -> list[tuple[Any, ...]]:
        """Return a tenant's rows of a table."""
        found = await self.sql.fetch(
            f"select {columns} from tocsin.{table} where tenant_id = $1 order by {order}", tenant
        )
        return [tuple(row) for row in found]

    async def ledger(self, tenant: str) -> list[list[tuple[Any, ...]]]:
        """Return a tenant's inboxes, counters and events, without what names rows or instants."""
        counters = "total, unread, dismissed, dismissed_unread"
        return [
            await self.rows(f"user_id, epoch, seq, {counters}", "inbox", tenant, "user_id"),
            await self.rows(f"user_id, type, category, {counters}", "inbox_count", tenant, "1, 2, 3"),
            await self.rows("user_id, seq, kind", "event", tenant, "1, 2"),
        ]


@asynccontextmanager
async def open_eye(urls: Urls) -> AsyncIterator[Eye]:
    """Connect as superuser."""
    connection = await asyncpg.connect(urls.superuser)
    try:
        yield Eye(connection)
    finally:
        await connection.close()


class Command:
    """A running `tocsin` command."""

    def __init__(self, process: Forked, streams: Streams) -> None:
        self.process = process
        self.log: list[str] = []
        """The lines that were looked at."""
        self._streams = streams
        self._seen = 0

    async def line(self, text: str, seconds: float = 40) -> str:
        """Return the next line of its log that holds a text."""
        async with asyncio.timeout(seconds):
            while True:
                for line in self._rest().splitlines(keepends=True):
                    if not line.endswith("\n"):
                        break
                    self._seen += len(line.encode())
                    self.log.append(line)
                    if text in line:
                        return line
                assert self.process.poll() is None, "".join(self.log)
                await asyncio.sleep(0.02)

    async def end(self, seconds: float = 40) -> tuple[int, str]:
        """Return its exit code and what is left of its output, the log last."""
        code = await asyncio.to_thread(self.process.wait, seconds)
        return code, self._streams.out.read_text() + self._rest()

    def _rest(self) -> str:
        return self._streams.err.read_bytes()[self._seen :].decode()


@asynccontextmanager
async def command(urls: Urls, data_dir: Path, *words: str, **settings: str) -> AsyncIterator[Command]:
    """Start a `tocsin` command on a database; kill it at the end if it still runs."""
    environment = {
        "PATH": os.environ["PATH"],
        "TOCSIN_DATABASE_URL": urls.server,
        "TOCSIN_OWNER_DATABASE_URL": urls.owner,
        "TOCSIN_DATA_DIR": str(data_dir),
    }
    name = f"{words[0]}-{uuid4().hex}"
    streams = Streams(data_dir / f"{name}.out", data_dir / f"{name}.err")
    for path in (streams.out, streams.err):
        path.touch()
    process = Forked.command(words, environment | settings, data_dir, streams)
    try:
        yield Command(process, streams)
    finally:
        process.kill()
        process.wait()
