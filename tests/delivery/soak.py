"""Shoot at a deployment while it delivers, and count: `make soak`. Each scenario returns its measures."""

import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count, takewhile
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx

from db import embedded
from db.migrate import upgrade
from delivery.dispatcher import POLL_SECONDS
from tests.delivery import short_worker
from tests.delivery.crash import CrashingPostgres, crashing_postgres
from tests.delivery.site import KINDS, Client, Program, Site, deployed
from tests.figures import report
from tests.support import provision

TENANTS = ("acme", "globex", "initech", "umbrella")
USERS = 40
CONCURRENCY = 96
_LONG_SECONDS = 900.0


class Measure(NamedTuple):
    """Something that was counted, and how much of it there may be.

    A time has a limit in the soak, which has the machine to itself, and none in a test beside other tests.
    """

    name: str
    value: float
    most: float = float("inf")
    is_time: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether it is as it must be."""
        return self.value <= self.most

    def __str__(self) -> str:
        most = "" if self.most in {0, float("inf")} else f" (at most {self.most:,g})"
        return f"{self.name}: {self.value:,.6g}{most}{'' if self.is_fine else ' <-- not fine'}"


def counted(measures: Sequence[Measure]) -> dict[str, float]:
    """Return the values by their names, after asserting that each count is as it must be."""
    assert [str(it) for it in measures if not it.is_fine and not it.is_time] == []
    return {it.name: it.value for it in measures}


# -- what is said, and by whom -----------------------------------------------------------------------------


@asynccontextmanager
async def open_client(site: Site, addresses: Sequence[str], seconds: float = 10) -> AsyncIterator[Client]:
    """Open a client that asks these servers."""
    limits = httpx.Limits(keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=seconds, limits=limits) as http:
        yield Client(site, addresses, http)


def _key(number: int) -> str:
    return f"{TENANTS[number % len(TENANTS)]}-{number:06}"


def _user(number: int) -> str:
    return "out" if number % USERS == 0 else f"user-{number % USERS}"


async def notify_all(client: Client, numbers: Iterator[int], *, at_once: int = 8) -> list[str]:
    """Say something under each number, to one recipient; return the keys that were acknowledged."""
    acknowledged: list[str] = []

    async def some() -> None:
        for number in numbers:
            key = _key(number)
            await client.notify(key.partition("-")[0], key, _user(number // len(TENANTS)))
            acknowledged.append(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(some())
    return acknowledged


async def _shoot(targets: Sequence[Program], every: float, kills: list[float]) -> None:
    """Kill one of these with -9 every so many seconds, and start another in its place, for ever."""
    while True:
        await asyncio.sleep(every)
        target = random.choice(targets)
        target.kill()
        kills.append(time.time())
        target.start()


@asynccontextmanager
async def _under_fire(targets: Sequence[Program], every: float) -> AsyncIterator[list[float]]:
    kills: list[float] = []
    task = asyncio.create_task(_shoot(targets, every, kills))
    try:
        yield kills
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# -- the books ---------------------------------------------------------------------------------------------

_ACCOUNTS = """
select tenant_id as tenant, channel.kind, delivery.status, count(*)
from tocsin.delivery join tocsin.channel using (tenant_id) where channel.id = channel_id group by 1, 2, 3
"""
_INBOXES = "select title, count(*) from tocsin.notification group by title"
_SENT = """
select channel.kind, title, case channel.kind when 'SLACK' then title else delivery.id::text end as id
from tocsin.delivery
join tocsin.channel using (tenant_id) join tocsin.request using (tenant_id)
where channel.id = channel_id and request.id = request_id and delivery.status = 'SENT'
"""


async def audit(site: Site, keys: Sequence[str], most_doubled: float, kinds: Sequence[str]) -> list[Measure]:
    """Compare what was acknowledged with the inboxes, the delivery log and the receivers' ledgers."""
    inboxes = {row["title"]: row["count"] for row in await site.sql(_INBOXES)}
    accounts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in await site.sql(_ACCOUNTS):
        accounts[row["tenant"], row["kind"]][row["status"]] = row["count"]
    sent = {(row["kind"], row["title"]): row["id"] for row in await site.sql(_SENT)}
    received = Counter((entry.kind, entry.key, entry.id) for entry in site.received())
    came = {(kind, key) for kind, key, _id in received}
    said = {(key.partition("-")[0], kind): 0 for key in keys for kind in kinds}
    for key in keys:
        for kind in kinds:
            said[key.partition("-")[0], kind] += 1
    in_states = {at: sum(states.values()) for at, states in accounts.items()}
    states = sum(accounts.values(), Counter[str]())
    suppressed = states.pop("SUPPRESSED", 0)
    return [
        Measure("acknowledged notify calls", len(keys)),
        Measure("of them without exactly one inbox row", sum(inboxes.get(key) != 1 for key in keys), 0),
        Measure("inbox rows that nobody acknowledged", len(inboxes.keys() - {*keys}), 0),
        Measure("accepted and in no state", _difference(said, in_states), 0),
        Measure("sent", states.pop("SENT", 0)),
        Measure("suppressed", suppressed),
        Measure("failed or waiting", states.total(), 0),
        Measure("said to be sent, and lost", len(sent.keys() - came), 0),
        Measure("received, and not said to be sent", len(came - sent.keys()), 0),
        Measure(
            "received under another id", sum(sent.get((kind, key)) != id for kind, key, id in received), 0
        ),
        Measure("received twice or more", sum(received.values()) - len(received), most_doubled),
    ]


def _difference(one: dict[Any, int], other: dict[Any, int]) -> int:
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in one.keys() | other.keys())


# -- the scenarios -----------------------------------------------------------------------------------------


async def kill_workers(site: Site, notifies: int, *, workers: int = 4, every: float = 1) -> list[Measure]:
    """Kill a random worker every so often until all is delivered."""
    _servers, addresses = site.servers(1)
    async with open_client(site, addresses) as client:
        for tenant in TENANTS:
            await client.open_tenant(tenant, KINDS)
        began = time.monotonic()
        async with _under_fire(site.workers(workers), every) as kills:
            keys = await notify_all(client, iter(range(notifies)))
            await site.drained(_LONG_SECONDS)
    lasted = round(time.monotonic() - began, 1)
    return [
        Measure("kills", len(kills)),
        Measure("seconds", lasted),
        *await audit(site, keys, len(kills) * CONCURRENCY, KINDS),
    ]


async def kill_api(site: Site, notifies: int, *, every: float = 2) -> list[Measure]:
    """Kill one of two servers every so often while clients retry their calls; then let a worker deliver."""
    servers, addresses = site.servers(2)
    async with open_client(site, addresses) as client:
        for tenant in TENANTS:
            await client.open_tenant(tenant, KINDS)
        async with _under_fire(servers, every) as kills:
            keys = await notify_all(client, iter(range(notifies)))
        retries = client.retries
    site.workers(1)
    await site.drained(_LONG_SECONDS)
    books = await audit(site, keys, 0, KINDS)
    return [Measure("kills", len(kills)), Measure("calls tried again", retries), *books]


async def kill_postgres(
    site: Site, postgres: CrashingPostgres, *, kills: int = 20, every: float = 3
) -> list[Measure]:
    """Kill Postgres with -9 again and again; servers and workers must go on by themselves."""
    servers, addresses = site.servers(1)
    workers = site.workers(2)
    over = asyncio.Event()
    async with open_client(site, addresses) as client:
        for tenant in TENANTS:
            await client.open_tenant(tenant, KINDS)
        numbers = takewhile(lambda _: not over.is_set(), count())
        calling = asyncio.create_task(notify_all(client, numbers))
        for _ in range(kills):
            await asyncio.sleep(every)
            await asyncio.to_thread(postgres.crash)
            await asyncio.to_thread(postgres.start)
        over.set()
        keys = await calling
        await site.drained(_LONG_SECONDS)
    ended = [it for it in (*servers, *workers) if not it.is_running]
    return [
        Measure("kills", kills),
        Measure("calls tried again", client.retries),
        Measure("processes that ended", len(ended), 0),
        *await audit(site, keys, kills * CONCURRENCY * len(workers), KINDS),
    ]


async def stop_worker(site: Site, deliveries: int, worker: Callable[[], Program]) -> list[Measure]:
    """Stop a worker while it sends, have another do its work after the lease, let the first one go on.

    The receiver answers 500 the first time that it sees an id, so a stale result that were accepted would
    show: as an attempt that failed, a strike, or a delivery that is not SENT at its first attempt.
    """
    _servers, addresses = site.servers(1)
    async with open_client(site, addresses) as client:
        await client.open_tenant("acme", ["WEBHOOK"], "?seconds=1&first=500%20Oops")
        first = worker()
        await client.notify("acme", "acme-000001", *(f"user-{it}" for it in range(deliveries)))
        await until(lambda: len(site.received()) >= deliveries)
        first.send(signal.SIGSTOP)
        worker()
        await site.drained(_LONG_SECONDS)
        first.send(signal.SIGCONT)
        await asyncio.sleep(3)  # it has its answers, and tries to settle
    states = await site.sql(
        "select status, attempts, strikes, count(*) from tocsin.delivery group by 1, 2, 3"
    )
    tries = await site.sql("select count(*) from tocsin.attempt where status_code is distinct from 200")
    good = sum(it["count"] for it in states if tuple(it)[:3] == ("SENT", 1, 0))
    return [
        Measure("sent by both workers", len(site.received()) - deliveries),
        Measure("not sent by both workers", 2 * deliveries - len(site.received()), 0),
        Measure("stale results accepted", deliveries - good + tries[0]["count"], 0),
        Measure("first worker has ended", not first.is_running, 0),
    ]


async def flood(site: Site, slow: int, *, slow_seconds: float, others: int = 100) -> list[Measure]:
    """Measure one tenant's deliveries alone, and while another's flood a slow receiver."""
    _servers, addresses = site.servers(1)
    async with open_client(site, addresses) as client:
        await client.open_tenant("globex", ["WEBHOOK"], "?seconds=0.1")
        await client.open_tenant("acme", ["WEBHOOK"], f"?seconds={slow_seconds}")
        site.workers(1)
        await _lasts(site, client, "globex-warm", others)
        alone = median([await _lasts(site, client, f"globex-alone{it}", others) for it in range(3)])
        for number in range(0, slow, 1_000):
            users = [f"user-{number + it}" for it in range(min(1_000, slow - number))]
            await client.notify("acme", f"acme-{number:06}", *users)
        await asyncio.sleep(2 * POLL_SECONDS)
        beside = median([await _lasts(site, client, f"globex-beside{it}", others) for it in range(3)])
        waiting = await site.sql("select count(*) from tocsin.due where tenant_id = 'acme'")
    return [
        Measure("seconds alone", alone),
        Measure("seconds beside the flood", beside),
        Measure("of the flood still waiting", waiting[0]["count"]),
        Measure("times as long", beside / alone, 2, is_time=True),
    ]


async def _lasts(site: Site, client: Client, key: str, count: int) -> float:
    """Return the seconds from a notify of so many recipients until the last of it is received."""
    began = time.time()
    await client.notify("globex", key, *(f"user-{it}" for it in range(count)))
    await until(lambda: sum(entry.key == key for entry in site.received()) >= count)
    return max(entry.at for entry in site.received() if entry.key == key) - began


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has come about."""
    async with asyncio.timeout(_LONG_SECONDS):
        while not condition():  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.05)


# -- all of it ---------------------------------------------------------------------------------------------


def short_lived(site: Site, lease: float, timeout: float) -> Callable[[], Program]:
    """Return what starts a worker whose lease may be shorter than a real one's."""
    return lambda: site.program(partial(short_worker.run, lease, timeout))


async def _main(folder: Path, chosen: Sequence[str]) -> bool:
    fine = True
    with embedded.start(folder / "postgres") as server:
        for name in chosen:
            measures = await _run(name, folder / name, server.superuser_url)
            holds = all(it.is_fine for it in measures)
            fine = report(SCENARIOS[name], "; ".join(map(str, measures)), holds=holds) and fine
    return fine


async def _run(name: str, folder: Path, superuser_url: str) -> list[Measure]:
    if name == "kill-postgres":
        with crashing_postgres(folder / "postgres") as postgres:
            await upgrade(postgres.urls.owner)
            with deployed(postgres.urls, folder) as site:
                return await kill_postgres(site, postgres)
    async with provision(superuser_url) as urls:
        with deployed(urls, folder) as site:
            if name == "kill-workers":
                return await kill_workers(site, 10_000)
            if name == "kill-api":
                return await kill_api(site, 5_000)
            if name == "stop-worker":
                return await stop_worker(site, 32, lambda: site.workers(1)[0])
            return await flood(site, 100_000, slow_seconds=30)


SCENARIOS = {
    "kill-workers": "A worker of four killed -9 every second while 10,000 calls are delivered",
    "stop-worker": "A worker stopped past its lease and continued",
    "kill-api": "The server killed -9 every 2 s under 5,000 keyed calls",
    "kill-postgres": "Postgres killed -9 twenty times under calls and deliveries",
    "flood": "100,000 for a webhook that takes 30 s, and 100 of another tenant",
}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(not asyncio.run(_main(Path(name), sys.argv[1:] or [*SCENARIOS])))
