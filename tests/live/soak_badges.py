"""No event missed, no badge wrong: `make soak`, or `python -m tests.live.soak_badges [sockets writes drops]`."""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from db import embedded
from tests.figures import report
from tests.live.audit import Figures, audit
from tests.live.crowd import Crowd, Tab
from tests.live.nats_server import NatsServer, nats_server
from tests.live.two_servers import two_servers
from tests.live.writer import Writer
from tests.support import Api, Urls, provision

MODES = ("hints", "no hints", "listeners killed", "NATS stopped")
_TABS = 3
_ROWS = 3
_AT_ONCE = 16
_KILL = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and application_name = 'tocsin-hints'
"""


class Size(NamedTuple):
    """How much of it; and in seconds how often trouble and the sweep come, and how soon dropped tabs do."""

    sockets: int = 1_000
    writes: int = 20_000
    drops: int = 10
    every: float = 5.0
    sweep: float = 5.0
    jitter: float = 2.0


# -- what is wrong with the hints --------------------------------------------------------------------------


async def _kill_listeners(url: str, every: float, troubles: list[int]) -> None:
    """Terminate the backends that listen for the servers, again and again."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            await asyncio.sleep(every)
            troubles.append(await connection.fetchval(_KILL))
    finally:
        connection.terminate()


async def _stop_nats(server: NatsServer, every: float, troubles: list[int]) -> None:
    """Stop NATS and start it again, for ever."""
    while True:
        await asyncio.sleep(every / 2)
        server.stop()
        troubles.append(1)
        await asyncio.sleep(every / 2)
        await server.start()


async def _nothing() -> None:
    """Do nothing to anybody."""


@asynccontextmanager
async def _site(
    mode: str, urls: Urls, folder: Path, size: Size, troubles: list[int]
) -> AsyncIterator[tuple[Sequence[Api], Coroutine[Any, Any, None]]]:
    """Run two servers; yield them and what troubles them."""
    if mode == "NATS stopped":
        with nats_server() as nats:
            await nats.start()
            async with two_servers(urls, folder, None, hub=nats.url) as servers:
                yield servers, _stop_nats(nats, size.every, troubles)
        return
    async with two_servers(urls, folder, size.sweep if mode == "no hints" else None) as servers:
        killing = mode == "listeners killed"
        yield servers, _kill_listeners(urls.superuser, size.every, troubles) if killing else _nothing()


# -- the run -----------------------------------------------------------------------------------------------


async def _write(writer: Writer, crowd: Crowd, size: Size) -> None:
    """Write all there is, and drop the crowd at random moments of it."""
    moments = {*random.sample(range(size.writes), size.drops)}
    numbers = iter(range(size.writes))

    async def some() -> None:
        for number in numbers:
            if number in moments:
                crowd.drop()
            await writer.write(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(some())


async def run(mode: str, urls: Urls, folder: Path, size: Size) -> Figures:
    """Let tabs watch while everything changes and hints fail as the mode says; return what was counted."""
    began, troubles = time.monotonic(), list[int]()
    tenants = [f"{mode} {number}" for number in range(2)]
    async with _site(mode, urls, folder, size, troubles) as (servers, trouble):
        crowd = _crowd(servers, tenants, size)
        writer = Writer(list(crowd.of_user), servers, crowd.cursor)
        await writer.fill(_ROWS)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(it) for it in (crowd.live(), trouble)]
            await _write(writer, crowd, size)
            found = await audit(urls.superuser, tenants, crowd)
            for task in beside:
                task.cancel()
    return found._replace(
        writes=writer.done.total(),
        drops=size.drops,
        troubles=sum(troubles),
        seconds=round(time.monotonic() - began, 1),
    )


def _crowd(servers: Sequence[Api], tenants: Sequence[str], size: Size) -> Crowd:
    """Return three tabs for each user, one half of them on each server; both tenants have the same ids."""
    count = size.sockets // _TABS
    users = [servers[0].user(tenants[number % 2], f"user-{number // 2}") for number in range(count)]
    tabs = []
    for number in range(size.sockets):
        nth, which = divmod(number, count)
        home = servers if (nth + which) % 2 else servers[::-1]
        tabs.append(Tab(users[which], home, shows_all=nth % 2 == 0, jitter=size.jitter))
    return Crowd(tabs)


# -- all of it ---------------------------------------------------------------------------------------------


async def _main(size: Size) -> bool:
    fine = True
    with tempfile.TemporaryDirectory() as name, embedded.start(Path(name) / "postgres") as postgres:
        for mode in MODES:
            async with provision(postgres.superuser_url) as urls:
                figures = await run(mode, urls, Path(name), size)
            fine = report(f"Badges and events, {mode}", str(figures), holds=figures.is_fine) and fine
    return fine


if __name__ == "__main__":
    sys.exit(not asyncio.run(_main(Size(*map(int, sys.argv[1:])))))
