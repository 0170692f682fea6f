"""Tocsin's worker against one on pgqueuer, with the same sends and the same sender: `make bench-delivery`.

Both drain what is there when they start; the time is from the first request that the receiver gets to the
last, the CPU that of the worker and of Postgres from the first request until all is written down.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple
from uuid import uuid4

import asyncpg
import orjson
from pgqueuer import Queries

from bench.receiver import Receiver, receiving
from db import embedded
from resolvers.channel_config import new_signing_secret
from resolvers.principal import Role
from tests.support import SECRET, Api, Urls, provision, running_server, test_settings

TENANTS = 8
CONCURRENCY = 96
BATCHES = (10, 48)
"""pgqueuer's default, and the most that it takes with this concurrency."""
_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).parents[1]
_CREATE_CHANNEL = "mutation($input: ChannelInput!) { createChannel(input: $input) { channel { id } } }"
_NOTIFY = "mutation($input: NotifyInput!) { notify(input: $input) { request { id } } }"


class Run(NamedTuple):
    """What one drain took: sends a second, and microseconds of CPU a send in the worker and in Postgres."""

    rate: float
    worker: float
    postgres: float


def _cpu(pid: int, *, reaped: bool = False) -> float:
    """Return the seconds of CPU that a process has used; reaped: with those of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if reaped else 13])) / _TICKS


def _postgres_cpu(postmaster: int) -> float:
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return _cpu(postmaster, reaped=True) + sum(_cpu(int(child)) for child in children)


class Bench:
    """What the contenders share."""

    def __init__(self, receiver: Receiver, postmaster: int, sends: int, folder: Path) -> None:
        self.receiver, self.postmaster, self.sends, self.folder = receiver, postmaster, sends, folder

    async def drain(
        self, words: Sequence[str], environ: dict[str, str], is_drained: Callable[[], Awaitable[bool]]
    ) -> Run:
        """Run a worker until all is sent and written down."""
        self.receiver.reset()
        log = (self.folder / f"{uuid4()}.log").open("wb")
        whole = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path])} | environ
        process = subprocess.Popen([sys.executable, "-m", *words], env=whole, stdout=log, stderr=log)
        try:
            while not self.receiver.requests:
                assert process.poll() is None, Path(log.name).read_text()
                await asyncio.sleep(0.005)
            began = _cpu(process.pid), _postgres_cpu(self.postmaster)
            while self.receiver.requests < self.sends or not await is_drained():
                assert process.poll() is None, Path(log.name).read_text()
                await asyncio.sleep(0.1)
            ended = _cpu(process.pid), _postgres_cpu(self.postmaster)
        finally:
            process.terminate()
            process.wait()
            log.close()
        assert self.receiver.requests == self.sends, self.receiver.requests
        worker, postgres = ((end - begin) / self.sends * 1e6 for begin, end in zip(began, ended, strict=True))
        return Run(self.sends / self.receiver.seconds, worker, postgres)


async def _fill(api: Api, receiver: Receiver, sends: int, tenants: Sequence[str]) -> None:
    """Have the tenants notify, each as many people."""
    for tenant in tenants:
        admin = api.user(tenant, "root", Role.ADMIN)
        config = {"url": f"http://127.0.0.1:{receiver.port}/"}
        await admin.data(_CREATE_CHANNEL, input={"kind": "WEBHOOK", "name": "w", "config": config})
        people = [{"id": f"user-{it}"} for it in range(sends // len(tenants))]
        said = {"type": "build.done", "title": "A build", "recipients": people}
        await admin.data(_NOTIFY, input=said)


async def tocsin(bench: Bench, urls: Urls) -> Run:
    """Drain with `tocsin worker`."""
    settings = test_settings(urls, bench.folder / "data", allow_private_webhooks=True)
    eye = await asyncpg.connect(urls.superuser)
    await eye.execute("truncate tocsin.due, tocsin.delivery, tocsin.attempt, tocsin.request cascade")
    async with running_server(settings) as api:
        names = [f"tenant-{uuid4().hex[:8]}" for _ in range(TENANTS)]
        await _fill(api, bench.receiver, bench.sends, names)
    await eye.execute("vacuum analyze")

    async def is_drained() -> bool:
        return not await eye.fetchval("select count(*) from tocsin.due")

    environ = {
        "TOCSIN_DATABASE_URL": urls.server,
        "TOCSIN_OWNER_DATABASE_URL": urls.owner,
        "TOCSIN_DATA_DIR": str(settings.data_dir),
        "TOCSIN_JWT_SECRET": SECRET,
        "TOCSIN_ALLOW_PRIVATE_WEBHOOKS": "true",
        "TOCSIN_WORKER_CONCURRENCY": str(CONCURRENCY),
    }
    try:
        return await bench.drain(["tocsin", "worker"], environ, is_drained)
    finally:
        await eye.close()


async def pgqueuer(bench: Bench, urls: Urls, batch: int) -> Run:
    """Drain with a worker on pgqueuer; each job holds all that is sent."""
    eye = await asyncpg.connect(urls.superuser)
    queries = Queries.from_asyncpg_connection(eye)
    if not await queries.has_table("pgqueuer"):
        await queries.install()
    await queries.clear_queue()
    await eye.execute("truncate pgqueuer_log")
    config = {"url": f"http://127.0.0.1:{bench.receiver.port}/", "secret": new_signing_secret()}
    jobs: list[bytes | None] = [
        orjson.dumps({"id": str(uuid4()), "tenant": "acme", "user": f"user-{it}", "config": config})
        for it in range(bench.sends)
    ]
    await queries.enqueue(["send"] * bench.sends, jobs, [0] * bench.sends)
    await eye.execute("vacuum analyze")

    async def is_drained() -> bool:
        return not await eye.fetchval("select count(*) from pgqueuer")

    words = ["bench.pgqueuer_worker", urls.superuser, str(CONCURRENCY), str(batch)]
    try:
        return await bench.drain(words, {}, is_drained)
    finally:
        await eye.close()


async def _compare(bench: Bench, superuser_url: str, rounds: int) -> float:
    runs: dict[str, list[Run]] = {}
    async with provision(superuser_url) as ours, provision(superuser_url, migrate=False) as theirs:
        for _ in range(rounds):
            runs.setdefault("tocsin", []).append(await tocsin(bench, ours))
            for batch in BATCHES:
                run = await pgqueuer(bench, theirs, batch)
                runs.setdefault(f"pgqueuer, batches of {batch}", []).append(run)
    sys.stdout.write(f"{'':<26}{'sends/s':>10}  {'worker us':>10}  {'Postgres us':>11}   each round\n")
    rates = {}
    for name, of in runs.items():
        rates[name] = median(it.rate for it in of)
        worker, postgres = median(it.worker for it in of), median(it.postgres for it in of)
        each = ", ".join(f"{it.rate:.0f}" for it in of)
        sys.stdout.write(f"{name:<26}{rates[name]:>10.0f}  {worker:>10.0f}  {postgres:>11.0f}   {each}\n")
    return rates.pop("tocsin") / max(rates.values())


async def _main(sends: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        with embedded.start(folder / "postgres") as server:
            postmaster = int((folder / "postgres/cluster/data/postmaster.pid").read_text().split()[0])
            began = time.monotonic()
            ratio = await _compare(Bench(receiver, postmaster, sends, folder), server.superuser_url, rounds)
            sys.stdout.write(f"{ratio:.2f} times the best of pgqueuer; {time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    asyncio.run(_main(*(map(int, sys.argv[1:]) if sys.argv[1:] else (5_000, 3))))
