"""Tocsin's subscriptions against a PostGraphile's, in one run: `make bench-live`; docs/benchmarks.md has figures.

Both watch the same inboxes of the same database, under the same row level security, and the same writer changes
them. PostGraphile is told by a trigger with NOTIFY, and reads the inbox again.
"""

import asyncio
import gc
import os
import resource
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import uvloop

from bench.contenders import Served, Start, tocsin, told_postgraphile
from bench.process import cpu, kilobytes, postgres_cpu, postmaster_of
from bench.sockets import Caller, connect
from bench.writer import Writer
from db import embedded
from db.session import open_database
from live.postgres import postgres_hub
from resolvers.principal import Role
from tests.support import Urls, provision, test_settings
from tocsin.auth import sign

SECONDS = 10.0
WARM_SECONDS = 2.0
BURSTS = 5
_WARM = 20
STATS = "subscription { stats { unread } }"
EVENTS = """subscription { inboxEvents { cursor stats { unread }
  ... on NotificationCreated { notification { id type title createdAt } } } }"""
CONTENDERS: dict[str, tuple[Start, str]] = {
    "tocsin, stats": (tocsin, STATS),
    "tocsin, inboxEvents": (tocsin, EVENTS),
    "PostGraphile": (told_postgraphile, STATS),
}


class Run(NamedTuple):
    """What was measured; the two of Postgres without what the writing itself takes there."""

    idle_kb: float
    server_us: float
    postgres_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    core_percent: float
    burst_us: float
    burst_rate: float


class Bench:
    """What the contenders share: a database, those who watch it, and a writer."""

    def __init__(
        self, urls: Urls, folder: Path, postmaster: int, writer: Writer, rate: int, together: int
    ) -> None:
        self.urls, self.folder, self.postmaster = urls, folder, postmaster
        self.writer, self.rate, self.together = writer, rate, together
        self.writing_us = 0.0
        """CPU that a change takes in Postgres when nobody watches."""

    def cpu(self, served: Served | None = None) -> tuple[float, float]:
        """Return the seconds of CPU of a server and of Postgres."""
        return cpu(served.pid) if served else 0.0, postgres_cpu(self.postmaster)

    async def write(self, served: Served | None = None) -> tuple[float, float, float]:
        """Change inboxes for a while; return microseconds a change, of both, and how many a second were."""
        loop = asyncio.get_running_loop()
        self.writer.reset()
        before, began = self.cpu(served), loop.time()
        changes = await self._keep_changing(SECONDS)
        if served:
            await self.writer.settled(changes)
        seconds = loop.time() - began
        server, postgres = (after - it for after, it in zip(self.cpu(served), before, strict=True))
        return server / changes * 1e6, postgres / changes * 1e6, changes / seconds

    async def open(self, served: Served, document: str, most: int | None = None) -> list[Callable[[], None]]:
        """Open sockets and wait until they are quiet."""
        self.writer.reset()
        callers = self.writer.callers[:most]
        clients = await connect(served.port, callers, document, self.writer.told)
        async with asyncio.timeout(300):
            while document == STATS and self.writer.values < len(callers):
                await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        return [client.close for client in clients]

    async def run(self, start: Start, document: str) -> Run:
        """Measure one contender."""
        async with start(self.urls, self.folder) as served:
            for close in await self.open(served, document, _WARM):
                close()
            await asyncio.sleep(1)
            empty = kilobytes(served.pid)
            opened = await self.open(served, document)
            idle_kb = (kilobytes(served.pid) - empty) / len(opened)
            self.writer.reset()
            await self.writer.settled(await self._keep_changing(WARM_SECONDS))
            server, postgres, rate = await self.write(served)
            cuts = quantiles(self.writer.waits, n=100)
            before = self.cpu(served)[0]
            bursts = [await self._burst() for _ in range(BURSTS)]
            burst = (self.cpu(served)[0] - before) / len(opened) / BURSTS
            for close in opened:
                close()
        return Run(
            idle_kb,
            server,
            postgres - self.writing_us,
            rate,
            cuts[49] * 1000,
            cuts[98] * 1000,
            server * rate / 1e4,
            burst * 1e6,
            len(opened) / median(bursts),
        )

    async def _keep_changing(self, seconds: float) -> int:
        return await self.writer.keep_changing(self.rate, self.together, seconds)

    async def _burst(self) -> float:
        seconds = await self.writer.change_all()
        await asyncio.sleep(0.5)
        return seconds


def _callers(urls: Urls, folder: Path, sockets: int, tenants: int) -> list[Caller]:
    settings = test_settings(urls, folder / "data")
    people = [(f"tenant-{it % tenants}", f"user-{it}") for it in range(sockets)]
    return [
        Caller(
            *it, sign(settings, tenants=[it[0]], user=it[1], roles=[Role.USER], expires=timedelta(hours=2))
        )
        for it in sorted(people)
    ]


@asynccontextmanager
async def benching(sockets: int, tenants: int, rate: int, together: int) -> AsyncIterator[Bench]:
    """Run a database in which each of so many people has one notification.

    rate: changes a second, of which `together` are one transaction.
    """
    with tempfile.TemporaryDirectory() as name, embedded.start(Path(name) / "postgres") as server:
        folder = Path(name)
        async with (
            provision(server.superuser_url) as urls,
            postgres_hub(urls.server) as hub,
            open_database(urls.server, size=tenants, on_commit=hub.announce) as database,
        ):
            writer = Writer(database, _callers(urls, folder, sockets, tenants))
            bench = Bench(urls, folder, postmaster_of(folder / "postgres"), writer, rate, together)
            await writer.fill()
            bench.writing_us = (await bench.write())[1]
            writer.forget()
            yield bench


def _show(name: str, runs: list[Run]) -> None:
    figures = [median(of) for of in zip(*runs, strict=True)]
    sys.stdout.write(f"{name:<22}" + "".join(f"{it:>12.1f}" for it in figures) + "\n")
    sys.stdout.flush()


def _head() -> None:
    words = (
        "KB idle",
        "server us",
        "Postgres us",
        "changes/s",
        "p50 ms",
        "p99 ms",
        "core %",
        "burst us",
        "burst/s",
    )
    sys.stdout.write(f"{'':<22}" + "".join(f"{it:>12}" for it in words) + "\n")


async def compare(sockets: int, rate: int, rounds: int) -> None:
    """Measure each in turn, several times, and print the medians."""
    runs: dict[str, list[Run]] = defaultdict(list)
    async with benching(sockets, 10, rate, 5) as bench:
        sys.stdout.write(f"{sockets} sockets, {rate} changes/s, writing alone {bench.writing_us:.0f} us\n")
        _head()
        for _ in range(rounds):
            for name, (start, document) in CONTENDERS.items():
                runs[name].append(await bench.run(start, document))
                _show(name, runs[name][-1:])
        sys.stdout.write("medians\n")
        for name, of in runs.items():
            _show(name, of)


async def crowd(sockets: int, rate: int) -> None:
    """Measure Tocsin alone with very many badges."""
    async with benching(sockets, 20, rate, 20) as bench:
        sys.stdout.write(f"{sockets} sockets, {rate} changes/s, writing alone {bench.writing_us:.0f} us\n")
        _head()
        _show("tocsin, stats", [await bench.run(tocsin, STATS)])


def main(kind: str = "compare", *sizes: str) -> None:
    """Run one of the two."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # With 19,900 sockets a collection of garbage stops the clients for 0.2 s, and would be taken for the server's.
    gc.disable()
    kinds: dict[str, tuple[Callable[..., Awaitable[None]], tuple[int, ...]]] = {
        "compare": (compare, (1_000, 500, 3)),
        "crowd": (crowd, (19_900, 1_000)),
    }
    measure, usual = kinds[kind]
    sys.stdout.write(f"load at the start: {os.getloadavg()[0]:.2f}\n")
    uvloop.run(measure(*(map(int, sizes) if sizes else usual)))  # type: ignore[arg-type]
    sys.stdout.write(f"load at the end: {os.getloadavg()[0]:.2f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
