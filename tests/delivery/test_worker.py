"""`tocsin worker` as a process: stopped, killed, doubled, and left without its database."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from delivery.cleanup import BATCH
from tests.delivery.support import Command, Eye, command, open_eye
from tests.support import Urls, provision

Release = Callable[[], Awaitable[None]]

ROWS = 3 * BATCH
_LOCK_ONE = """
select from tocsin.delivery where id = (
  select delivery.id from tocsin.delivery join tocsin.notification
    on notification.tenant_id = delivery.tenant_id and notification.id = notification_id
  where deleted_at is not null order by deleted_at limit 1 offset $1
) for update of delivery
"""
_WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)
_BACKENDS = "select count(*) from pg_stat_activity where usename = $1"
_CUT_OFF = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1"


async def _many_deleted(eye: Eye) -> None:
    """Store 3,000 deliveries of deleted rows, each deleted at another instant."""
    await eye.deleted("acme", "ada", ROWS, days=91)
    await eye.sql.execute(
        "update tocsin.notification set deleted_at = deleted_at + n * interval '1 millisecond' "
        "from (select id, row_number() over () n from tocsin.notification) numbered "
        "where numbered.id = notification.id"
    )
    await eye.delivered("acme")


@asynccontextmanager
async def _stuck(urls: Urls, eye: Eye, data_dir: Path) -> AsyncIterator[tuple[Command, Release]]:
    """Run a worker that has purged a batch and hangs in the next, which holds a row that is locked."""
    async with open_eye(urls) as holder:
        lock = holder.sql.transaction()
        await lock.start()
        await holder.sql.execute(_LOCK_ONE, BATCH + BATCH // 2)
        async with command(urls, data_dir, "worker") as running:
            await _until(eye, _WAITING, 1)
            yield running, lock.rollback


async def _until(eye: Eye, question: str, answer: int, *values: object) -> None:
    async with asyncio.timeout(20):
        while await eye.sql.fetchval(question, *values) != answer:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.05)


async def _counts(eye: Eye) -> list[int]:
    return [await eye.count(table, "acme") for table in ("notification", "delivery", "attempt")]


async def test_killed_in_the_middle_and_started_again(own_urls: Urls, own_eye: Eye, tmp_path: Path) -> None:
    """After kill -9 within the second batch exactly the first one is done; the next worker does the rest."""
    await _many_deleted(own_eye)
    async with _stuck(own_urls, own_eye, tmp_path) as (running, _release):
        running.process.kill()
        await running.end()
    # A server process that waits for a lock notices only after it that nobody listens.
    await _until(own_eye, _BACKENDS, 0, make_url(own_urls.server).username)
    assert await _counts(own_eye) == [ROWS - BATCH] * 3
    async with command(own_urls, tmp_path, "worker") as again:
        line = await again.line("cleanup:")
    assert f"purged {ROWS - BATCH}," in line
    assert await _counts(own_eye) == [0, 0, 0]


async def test_sigterm_in_the_middle(own_urls: Urls, own_eye: Eye, tmp_path: Path) -> None:
    """SIGTERM ends it within a second or so, with exit code 0; the batch under way is rolled back."""
    await _many_deleted(own_eye)
    async with _stuck(own_urls, own_eye, tmp_path) as (running, _release):
        started = time.monotonic()
        running.process.terminate()
        code, log = await running.end()
        assert time.monotonic() - started < 4
    assert (code, log) == (0, "")
    assert await _counts(own_eye) == [ROWS - BATCH] * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_when_idle(own_urls: Urls, tmp_path: Path, number: signal.Signals) -> None:
    """Between two runs it ends at once, with exit code 0."""
    async with command(own_urls, tmp_path, "worker") as running:
        await running.line("cleanup:")
        started = time.monotonic()
        running.process.send_signal(number)
        code, log = await running.end()
        assert time.monotonic() - started < 4
    assert (code, log) == (0, "")


async def test_two_workers_at_once(own_urls: Urls, own_eye: Eye, tmp_path: Path) -> None:
    """Two processes started together purge each row once, and neither fails."""
    await _many_deleted(own_eye)
    async with (
        command(own_urls, tmp_path, "worker") as one,
        command(own_urls, tmp_path, "worker") as two,
    ):
        lines = await asyncio.gather(one.line("cleanup:"), two.line("cleanup:"))
    shares = [int(line.split("purged ")[1].split(",")[0]) for line in lines]
    assert sum(shares) == ROWS
    assert await _counts(own_eye) == [0, 0, 0]
    assert [log for running in (one, two) for log in running.log if "failed" in log] == []


async def test_the_database_goes_away_and_comes_back(
    own_urls: Urls, own_eye: Eye, superuser_url: str, tmp_path: Path
) -> None:
    """Cut off in the middle of a batch and refused a while, it retries, and then finishes the job."""
    await _many_deleted(own_eye)
    server = make_url(own_urls.server)
    allow = f"alter database {server.database} allow_connections"
    async with (
        open_eye(replace(own_urls, superuser=superuser_url)) as outside,
        _stuck(own_urls, own_eye, tmp_path) as (running, release),
    ):
        await outside.sql.execute(f"{allow} false")
        await outside.sql.execute(_CUT_OFF, server.username)
        await running.line("cleanup failed 1 times in a row")
        await running.line("cleanup failed 2 times in a row")
        assert await _counts(own_eye) == [ROWS - BATCH] * 3
        await outside.sql.execute(f"{allow} true")
        await _until(own_eye, _WAITING, 1)
        await release()
        assert f"purged {ROWS - BATCH}," in await running.line("cleanup:")
    assert await _counts(own_eye) == [0, 0, 0]


async def test_a_wrong_role_is_refused(own_urls: Urls, tmp_path: Path) -> None:
    """A login that could see every tenant is told so, and nothing runs."""
    unsafe = Urls(own_urls.superuser, own_urls.owner, own_urls.superuser)
    async with command(unsafe, tmp_path, "worker") as running:
        code, output = await running.end()
    assert code == 1
    assert "is a superuser, or may become one, so it could see every tenant" in output


async def test_a_database_that_is_not_migrated_is_refused(superuser_url: str, tmp_path: Path) -> None:
    """Without Tocsin's tables it says what to do, in one line, whichever the reason."""
    async with (
        provision(superuser_url, migrate=False) as urls,
        command(urls, tmp_path, "worker") as running,
    ):
        code, output = await running.end()
    assert code == 1
    assert output.count("\n") == 1


async def test_dev_works_too(own_urls: Urls, own_eye: Eye, tmp_path: Path) -> None:
    """`tocsin dev` cleans up beside serving, and ends with it."""
    await own_eye.deleted("acme", "ada", 3, days=91)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    async with command(own_urls, tmp_path, "dev", "--no-demo", "--port", port) as running:
        await _until(own_eye, "select count(*) from tocsin.notification", 0)
        running.process.terminate()
        await running.end()
    assert await own_eye.sql.fetchval(_BACKENDS, make_url(own_urls.server).username) == 0
