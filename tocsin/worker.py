"""`tocsin worker`: the jobs of the delivery room, given a database and the settings."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from db.migrate import is_current
from db.session import WORKER_ROLE, Database, open_database
from delivery import cleanup
from delivery.worker import Job, work
from live.postgres import postgres_hub
from tocsin.app import require_safe_role
from tocsin.auth import ConfigurationError
from tocsin.environment import url
from tocsin.settings import Settings

_CONNECTIONS = 2
_GRACE_SECONDS = 5


@asynccontextmanager
async def worker_database(settings: Settings, *, login_too: bool = True) -> AsyncIterator[Database]:
    """Open the database as the worker's role; what is written shows in the subscriptions of servers.

    login_too: whether the role that logs in must be as harmless. Raises ConfigurationError.
    """
    database_url = url(settings.database_url)
    async with (
        postgres_hub(database_url) as hub,
        open_database(database_url, size=_CONNECTIONS, role=WORKER_ROLE, on_commit=hub.announce) as database,
    ):
        if not await is_current(database):
            raise ConfigurationError("The database is not up to date: run `tocsin migrate`.")
        await require_safe_role(database, login_too=login_too)
        yield database


def jobs(settings: Settings) -> list[Job]:
    """Return what the worker does."""

    async def clean_up(database: Database) -> None:
        await cleanup.run(database, settings.event_days)

    return [Job("cleanup", settings.cleanup_minutes * 60, clean_up)]


@asynccontextmanager
async def working(settings: Settings, *, login_too: bool) -> AsyncIterator[None]:
    """Work while the block runs."""
    async with worker_database(settings, login_too=login_too) as database:
        task = asyncio.create_task(work(database, jobs(settings)))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def run_until_signal(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None  # noqa: S101  this is a coroutine, so it runs in a task

    def end() -> None:
        main.cancel()
        # A database that no longer answers must not hold the process: what is not committed is rolled back.
        loop.call_later(_GRACE_SECONDS, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    with suppress(asyncio.CancelledError):
        async with worker_database(settings) as database:
            await work(database, jobs(settings))
