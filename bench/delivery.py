"""Tocsin's worker against workers on pgqueuer, with the same sends: `make bench-delivery`.

See bench.pgqueuer_worker for what theirs do: "whole" is the same work, "bare" and "httpx" only send.

Each is up and idle when all becomes due, in one transaction; the time is from the first request that the receiver
gets to the last, the CPU that of the worker and of Postgres from the first request until all is written down.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias
from uuid import uuid4

import asyncpg
import orjson
from pgqueuer import Queries

from bench.process import cpu, postgres_cpu, postmaster_of
from bench.receiver import Receiver, receiving
from db import embedded
from db.tables import metadata
from resolvers.channel_config import new_signing_secret
from resolvers.principal import Role
from tests.support import SECRET, Api, Urls, provision, running_server, test_settings

TENANTS = 8
CONCURRENCY = 96
BATCHES = (10, 48)
"""pgqueuer's default, and the most that it takes with this concurrency."""
_IDLE_CPU = 0.05
"""Of a second, what a worker uses that waits."""
Eye: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_ROOT = Path(__file__).parents[1]
_CREATE_CHANNEL = "mutation($input: ChannelInput!) { createChannel(input: $input) { channel { id } } }"
_NOTIFY = "mutation($input: NotifyInput!) { notify(input: $input) { request { id } } }"


class Run(NamedTuple):
    """What one drain took: sends a second, and microseconds of CPU a send in the worker and in Postgres."""

    rate: float
    worker: float
    postgres: float


class Bench:
    """What the contenders share."""

    def __init__(self, receiver: Receiver, postmaster: int, sends: int, folder: Path) -> None:
        self.receiver, self.postmaster, self.sends, self.folder = receiver, postmaster, sends, folder

    async def drain(
        self,
        words: Sequence[str],
        environ: dict[str, str],
        give: Callable[[], Awaitable[object]],
        is_drained: Callable[[], Awaitable[bool]],
    ) -> Run:
        """Start a worker, give it all once it is idle, and let it run until all is sent and written down."""
        self.receiver.reset()
        log = (self.folder / f"{uuid4()}.log").open("wb")
        whole = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path])} | environ
        process = subprocess.Popen([sys.executable, "-m", *words], env=whole, stdout=log, stderr=log)
        try:
            await _idle(process)
            await give()
            while not self.receiver.requests:
                assert process.poll() is None, Path(log.name).read_text()
                await asyncio.sleep(0.005)
            began = cpu(process.pid), postgres_cpu(self.postmaster)
            while self.receiver.requests < self.sends or not await is_drained():
                assert process.poll() is None, Path(log.name).read_text()
                await asyncio.sleep(0.1)
            ended = cpu(process.pid), postgres_cpu(self.postmaster)
        finally:
            process.terminate()
            process.wait()
            log.close()
        assert self.receiver.requests == self.sends, self.receiver.requests
        worker, postgres = ((end - begin) / self.sends * 1e6 for begin, end in zip(began, ended, strict=True))
        return Run(self.sends / self.receiver.seconds, worker, postgres)


async def _idle(process: "subprocess.Popen[bytes]") -> None:
    """Return when a worker has had little to do for a second: it has started, and cleaned up."""
    used = -1.0
    while cpu(process.pid) > used + _IDLE_CPU:
        used = cpu(process.pid)
        await asyncio.sleep(1)


async def _fill(api: Api, receiver: Receiver, sends: int, tenants: Sequence[str]) -> None:
    """Have the tenants notify, each as many people."""
    for tenant in tenants:
        admin = api.user(tenant, "root", Role.ADMIN)
        config = {"url": f"http://127.0.0.1:{receiver.port}/"}
        await admin.data(_CREATE_CHANNEL, input={"kind": "WEBHOOK", "name": "w", "config": config})
        people = [{"id": f"user-{it}"} for it in range(sends // len(tenants))]
        said = {"type": "build.done", "title": "A build", "recipients": people}
        await admin.data(_NOTIFY, input=said)


async def _filled(bench: Bench, urls: Urls, eye: Eye) -> dict[str, str]:
    """Have deliveries wait, and no others; return the environment of a worker that sends them."""
    settings = test_settings(urls, bench.folder / "data", allow_private_webhooks=True)
    # Of tenants, too: else each drain would begin with a cleanup of those of all drains before it.
    await eye.execute(f"truncate {', '.join(metadata.tables)}")
    async with running_server(settings) as api:
        names = [f"tenant-{uuid4().hex[:8]}" for _ in range(TENANTS)]
        await _fill(api, bench.receiver, bench.sends, names)
    return {
        "TOCSIN_DATABASE_URL": urls.server,
        "TOCSIN_OWNER_DATABASE_URL": urls.owner,
        "TOCSIN_DATA_DIR": str(settings.data_dir),
        "TOCSIN_JWT_SECRET": SECRET,
        "TOCSIN_ALLOW_PRIVATE_WEBHOOKS": "true",
        "TOCSIN_WORKER_CONCURRENCY": str(CONCURRENCY),
    }


async def tocsin(bench: Bench, urls: Urls, eye: Eye) -> Run:
    """Drain with `tocsin worker`."""
    environ = await _filled(bench, urls, eye)
    await eye.execute("drop table if exists kept; create temp table kept as table tocsin.due")
    await eye.execute("truncate tocsin.due")
    await eye.execute("vacuum analyze")

    async def give() -> None:
        await eye.execute("insert into tocsin.due select * from kept")

    async def is_drained() -> bool:
        return not await eye.fetchval("select count(*) from tocsin.due")

    return await bench.drain(["tocsin", "worker"], environ, give, is_drained)


async def pgqueuer(bench: Bench, urls: Urls, eye: Eye, kind: str, batch: int) -> Run:
    """Drain with a worker on pgqueuer."""
    queries = Queries.from_asyncpg_connection(eye)
    if not await queries.has_table("pgqueuer"):
        await queries.install()
    await queries.clear_queue()
    await eye.execute("truncate pgqueuer_log")
    environ, jobs = {}, _bare_jobs(bench)
    if kind == "whole":
        environ = await _filled(bench, urls, eye)
        waiting = await eye.fetch("delete from tocsin.due returning tenant_id, id")
        jobs = [orjson.dumps({"tenant": row["tenant_id"], "id": str(row["id"])}) for row in waiting]
    assert len(jobs) == bench.sends, len(jobs)
    await eye.execute("vacuum analyze")

    async def give() -> None:
        await queries.enqueue(["send"] * bench.sends, jobs, [0] * bench.sends)

    async def is_drained() -> bool:
        return not await eye.fetchval("select count(*) from pgqueuer")

    words = ["bench.pgqueuer_worker", kind, urls.superuser, str(CONCURRENCY), str(batch)]
    return await bench.drain(words, environ, give, is_drained)


def _bare_jobs(bench: Bench) -> list[bytes | None]:
    config = {"url": f"http://127.0.0.1:{bench.receiver.port}/", "secret": new_signing_secret()}
    return [
        orjson.dumps({"id": str(uuid4()), "tenant": "acme", "user": f"user-{it}", "config": config})
        for it in range(bench.sends)
    ]


async def _compare(bench: Bench, superuser_url: str, rounds: int) -> None:
    runs: dict[str, list[Run]] = defaultdict(list)
    async with provision(superuser_url) as urls:
        eye = await asyncpg.connect(urls.superuser)
        for _ in range(rounds):
            runs["tocsin"].append(await tocsin(bench, urls, eye))
            for kind, batch in product(("whole", "httpx", "bare"), BATCHES):
                runs[f"pgqueuer {kind}, batches of {batch}"].append(
                    await pgqueuer(bench, urls, eye, kind, batch)
                )
        await eye.close()
    sys.stdout.write(
        f"{'':<32}{'sends/s':>8}  {'worker us':>10}  {'Postgres us':>11}  {'tocsin':>7}   each\n"
    )
    ours = [run.rate for run in runs["tocsin"]]
    for name, of in runs.items():
        rate, worker, postgres = (median(figures) for figures in zip(*of, strict=True))
        ratio = median(mine / run.rate for mine, run in zip(ours, of, strict=True))
        each = ", ".join(f"{run.rate:.0f}" for run in of)
        sys.stdout.write(
            f"{name:<32}{rate:>8.0f}  {worker:>10.0f}  {postgres:>11.0f}  {ratio:>6.2f}x   {each}\n"
        )


async def _main(sends: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name, receiving() as receiver:
        folder = Path(name)
        with embedded.start(folder / "postgres") as server:
            postmaster = postmaster_of(folder / "postgres")
            began = time.monotonic()
            await _compare(Bench(receiver, postmaster, sends, folder), server.superuser_url, rounds)
            sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    asyncio.run(_main(*(map(int, sys.argv[1:]) if sys.argv[1:] else (8_000, 5))))
