"""`tocsin worker`: the jobs of the delivery room, given a database and the settings."""

import asyncio
import functools
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import asyncpg

from db.revision import is_current
from db.session import OUTBOX, WORKER_ROLE, Database, open_database
from delivery import cleanup
from delivery.dispatcher import Dispatcher, Pace
from delivery.worker import Job, work
from live.hub import Hub
from tocsin import metrics
from tocsin.environment import url
from tocsin.hubs import open_hub
from tocsin.keys import ConfigurationError, secret_vault
from tocsin.roles import require_safe_role
from tocsin.senders import open_senders
from tocsin.settings import Settings, variable
from tocsin.tracing import tracing

if TYPE_CHECKING:
    from tocsin.traces import Traces

CONNECTIONS = 6
"""Of a worker to the database, beside the one for hints."""
_MARGIN_SECONDS = 10
"""What a lease must have beyond the time of an attempt, to settle it."""
_PATIENCE_SECONDS = 5


@asynccontextmanager
async def worker_database(settings: Settings, *, login_too: bool = True) -> AsyncIterator[Database]:
    """Open the database as the worker's role; what is written shows in the subscriptions of servers.

    login_too: whether the role that logs in must be as harmless. Raises ConfigurationError.
    """
    async with _hub_and_database(settings, login_too=login_too) as (_hub, database):
        yield database


@asynccontextmanager
async def _hub_and_database(
    settings: Settings, *, login_too: bool, traces: "Traces | None" = None
) -> AsyncIterator[tuple[Hub, Database]]:
    database_url = url(settings.database_url)
    async with (
        open_hub(settings) as hub,
        open_database(
            database_url,
            size=CONNECTIONS,
            role=WORKER_ROLE,
            on_commit=hub.announce,
            connection_class=traces.connection_class if traces else asyncpg.Connection,
        ) as database,
    ):
        if not await is_current(database):
            raise ConfigurationError("The database is not up to date: run `tocsin migrate`.")
        await require_safe_role(database, login_too=login_too)
        yield hub, database


def jobs(settings: Settings) -> list[Job]:
    """Return what the worker does from time to time."""

    async def clean_up(database: Database) -> None:
        days = cleanup.Days(settings.event_days, settings.delivery_days, settings.audit_days)
        await cleanup.run(database, days)

    return [Job("cleanup", settings.cleanup_minutes * 60, clean_up)]


def pace(settings: Settings) -> Pace:
    """Return how fast a worker may go; ConfigurationError if a lease could end before an attempt."""
    if settings.lease_seconds < settings.send_timeout_seconds + _MARGIN_SECONDS:
        raise ConfigurationError(
            f"{variable('lease_seconds')} must be at least {_MARGIN_SECONDS} more than "
            f"{variable('send_timeout_seconds')}: else a lease could end before the attempt under it."
        )
    return Pace(settings.worker_concurrency, settings.lease_seconds, settings.send_timeout_seconds)


async def run(settings: Settings, *, login_too: bool = True) -> None:
    """Deliver and do the jobs until cancelled; then finish what is under way, or give it back."""
    how, traces = pace(settings), tracing(settings)
    async with (
        open_senders(settings) as senders,
        _hub_and_database(settings, login_too=login_too, traces=traces) as (hub, database),
    ):
        loop = asyncio.get_running_loop()
        with (
            traces.exported() if traces else nullcontext(),
            hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter,
            metrics.exposed(settings, lambda: metrics.of_worker(hub, database, loop)),
        ):
            dispatcher = _dispatcher(traces)(database, senders, secret_vault(settings), how, waiter)
            async with asyncio.TaskGroup() as group:
                group.create_task(work(database, jobs(settings)))
                group.create_task(dispatcher.run())


def _dispatcher(traces: "Traces | None") -> Callable[..., Dispatcher]:
    """Return what makes a dispatcher."""
    if not traces:
        return Dispatcher
    from delivery.traces import TracedDispatcher  # noqa: PLC0415  it needs the extra

    return functools.partial(TracedDispatcher, traces.tracer)


@asynccontextmanager
async def working(settings: Settings, *, login_too: bool) -> AsyncIterator[None]:
    """Work while the block runs."""
    task = asyncio.create_task(run(settings, login_too=login_too))
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
        # A database that no longer answers must not hold the process: what is not settled is done again.
        loop.call_later(pace(settings).grace_seconds + _PATIENCE_SECONDS, os._exit, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    with suppress(asyncio.CancelledError):
        await run(settings)
