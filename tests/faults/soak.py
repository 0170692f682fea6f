"""Break what a deployment stands on, and count: `python -m tests.faults.soak [names]`."""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

from sqlalchemy import make_url

from db import embedded
from db.migrate import upgrade
from resolvers.principal import Role
from tests.delivery.site import KINDS, Client, Site, deployed
from tests.delivery.soak import CONCURRENCY, TENANTS, Measure, audit, notify_all, open_client
from tests.faults.disk import SmallDisk, small_disk
from tests.faults.impatient import start
from tests.faults.probe import probing
from tests.faults.proxy import Proxy, proxy
from tests.faults.rolling import rolling_restart
from tests.faults.skew import skewed
from tests.figures import report
from tests.support import Feed, Urls, open_socket, provision

_LONG_SECONDS = 600.0
_AT_ONCE = 8
_BADGE = "subscription { stats { total } }"


@asynccontextmanager
async def calling(client: Client, pause: float) -> AsyncIterator[list[str]]:
    """Say things under keys while the block runs, eight at once; try each again until it is acknowledged."""
    over = asyncio.Event()
    keys: list[str] = []
    numbers = count()

    async def some() -> None:
        while not over.is_set():
            keys.extend(await notify_all(client, iter([next(numbers)]), at_once=1))
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(some())
        try:
            yield keys
        finally:
            over.set()


# -- a network that swallows -------------------------------------------------------------------------------


async def blackhole(
    site: Site, network: Proxy, seconds: float, *, patient: bool = True, pause: float = 0
) -> list[Measure]:
    """Have the network to Postgres swallow everything for so long, then carry what is connected anew."""
    programs, address = start(site, patient=patient)
    async with open_client(site, [address], 60) as client:
        for tenant in TENANTS:
            await client.open_tenant(tenant, KINDS)
        authorization = {"authorization": client.headers("acme", Role.USER)["Authorization"]}
        async with (
            open_socket(address, authorization) as socket,
            probing(client, address, "acme") as probe,
            calling(client, pause) as keys,
        ):
            feed = await socket.subscribe(_BADGE)
            await asyncio.sleep(2)
            network.cut()
            unready = await probe.says(ready=False)
            await asyncio.sleep(seconds - unready)
            network.heal()
            back = await probe.says(ready=True)
            await asyncio.sleep(2)
            stored = (await client.ask("acme", Role.USER, "{ stats { total } }"))["stats"]["total"]
            seen = await _latest(feed, stored)
        await site.drained(_LONG_SECONDS)
    return [
        Measure("seconds cut", seconds),
        Measure("seconds until /readyz said 503", round(unready, 1), 4, is_time=True),
        Measure("seconds until it said 200 again", round(back, 1), 10, is_time=True),
        Measure("a badge that was open is behind", stored - seen, 0),
        Measure("longest wait for an answer", round(probe.longest, 1), 30, is_time=True),
        *answers(probe.answers, probe.health),
        Measure("processes that ended", sum(not it.is_running for it in programs), 0),
        Measure("calls tried again", client.retries),
        *await audit(site, keys, CONCURRENCY * 2, KINDS),
    ]


async def _latest(feed: Feed, wanted: int) -> int:
    """Return what a badge shows as soon as it is up to date, or after ten seconds."""
    total = -1
    with suppress(TimeoutError):
        while total < wanted:
            total = (await feed.next(10))["stats"]["total"]
    return min(total, wanted)


# -- a disk that is full -----------------------------------------------------------------------------------


async def disk_full(site: Site, disk: SmallDisk, seconds: float, *, pause: float = 0) -> list[Measure]:
    """Leave Postgres no room for so long, under calls and reads; its supervisor starts it again."""
    programs, address = start(site, patient=True)
    async with open_client(site, [address]) as client:
        for tenant in TENANTS:
            await client.open_tenant(tenant, KINDS)
        async with probing(client, address, "acme") as probe, calling(client, pause) as keys:
            await asyncio.sleep(2)
            before = client.retries
            full = asyncio.create_task(disk.fill(seconds))
            await asyncio.sleep(seconds / 2)
            ready = probe.ready
            await disk.panic()
            await full
            refused = client.retries - before
            back = await probe.says(ready=True)
            await asyncio.sleep(2)
        await site.drained(_LONG_SECONDS)
    return [
        Measure("seconds full", seconds),
        Measure("calls refused meanwhile", refused),
        Measure("/readyz was 503 while only reads were possible", not ready, 0),
        Measure("panics of Postgres", disk.panics),
        Measure("seconds until /readyz said 200", round(back, 1), 10, is_time=True),
        *answers(probe.answers, probe.health),
        Measure("processes that ended", sum(not it.is_running for it in programs), 0),
        *await audit(site, keys, CONCURRENCY * 2, KINDS),
    ]


def answers(said: Counter[str], health: Counter[int]) -> list[Measure]:
    """Count what the probe was told: the badge or UNAVAILABLE, and /healthz always 200."""
    return [
        Measure("badges read", said["data"]),
        Measure("answers UNAVAILABLE", said["UNAVAILABLE"]),
        Measure("other answers", said.total() - said["data"] - said["UNAVAILABLE"], 0),
        Measure("/healthz other than 200", health.total() - health[200], 0),
    ]


# -- all of it ---------------------------------------------------------------------------------------------


async def _blackhole(folder: Path, superuser_url: str) -> list[Measure]:
    async with cut_off(superuser_url) as (urls, network):
        with deployed(urls, folder) as site:
            return await blackhole(site, network, 45)


async def _disk_full(folder: Path, _superuser_url: str) -> list[Measure]:
    with small_disk(folder / "postgres") as disk:
        await upgrade(disk.urls.owner)
        with deployed(disk.urls, folder) as site:
            return await disk_full(site, disk, 30)


@asynccontextmanager
async def cut_off(superuser_url: str) -> AsyncIterator[tuple[Urls, Proxy]]:
    """Make a database that Tocsin reaches over a network that can be cut, and the superuser directly."""
    async with provision(superuser_url) as urls, proxy(make_url(superuser_url).port or 5432) as network:
        server = make_url(urls.server).set(port=network.port).render_as_string(hide_password=False)
        yield Urls(urls.superuser, urls.owner, server), network


async def _skewed(folder: Path, superuser_url: str) -> list[Measure]:
    async with provision(superuser_url) as urls:
        with deployed(urls, folder) as site:
            return await skewed(site, 200)


async def _rolling(folder: Path, superuser_url: str) -> list[Measure]:
    async with provision(superuser_url) as urls:
        with deployed(urls, folder, drain_seconds="1") as site:
            return await rolling_restart(site, 3, (1, 2))


SCENARIOS: dict[str, tuple[str, Callable[[Path, str], Awaitable[list[Measure]]]]] = {
    "blackhole": ("The network to Postgres swallows everything for 45 s", _blackhole),
    "disk-full": ("The disk of Postgres full for 30 s under calls, reads and deliveries", _disk_full),
    "skew": ("A server and a worker an hour ahead, others an hour behind, 200 calls to each", _skewed),
    "rolling": (
        "Two servers, one of two processes, and two workers ended with SIGTERM under load, three times each",
        _rolling,
    ),
}


async def _main(folder: Path, chosen: Sequence[str]) -> bool:
    fine = True
    with embedded.start(folder / "postgres") as server:
        for name in chosen:
            what, run = SCENARIOS[name]
            measures = await run(folder / name, server.superuser_url)
            holds = all(it.is_fine for it in measures)
            fine = report(what, "; ".join(map(str, measures)), holds=holds) and fine
    return fine


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(not asyncio.run(_main(Path(name), sys.argv[1:] or [*SCENARIOS])))
