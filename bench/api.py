"""Requests against Tocsin and its peers, in one run: `make bench`; docs/benchmarks.md has figures.

All servers run at once on one core, and one at a time is asked; clients and Postgres have the other cores. In a
round each is given the same work of each kind in turn, from the same rows: what was changed is put back.
"""

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import asyncpg
import uvloop

from bench import contenders, fill, report, work
from bench.contenders import Served, Start
from bench.load import Load, ask, ask_once, request
from bench.process import cpu, peak_kilobytes, pin, pin_postgres, postgres_cpu, postmaster_of
from bench.report import Figures, Results
from bench.work import CHANGING, KINDS, Target, Words
from db import embedded
from resolvers.principal import Role
from tests.support import Urls, provision, test_settings
from tocsin.auth import sign

CONNECTIONS = 32
_PEOPLE, _READS = 1_000, 12_000
_SAMPLE = 50
_SETTLE_SECONDS = 0.3


class Contender(NamedTuple):
    """Whom to start, and how it is spoken to."""

    name: str
    start: Start
    words: Words


CONTENDERS = (
    Contender("Tocsin", contenders.tocsin, work.OURS),
    Contender("PostGraphile, RLS", contenders.postgraphile, work.GRAPHILE),
    Contender("Mercurius, plain SQL", contenders.plain_mercurius, work.MERCURIUS),
    Contender("Mercurius, equal SQL", contenders.equal_mercurius, work.MERCURIUS),
    Contender("Strawberry as usual", contenders.naive, work.NAIVE),
    Contender("limit", contenders.limit, work.OURS),
)


class Running(NamedTuple):
    """A contender that runs, and what it is asked, by kind."""

    contender: Contender
    served: Served
    requests: dict[str, Sequence[bytes]]


class Options(NamedTuple):
    """How much, how often and how long."""

    rows: int
    rounds: int
    seconds: float
    warm: float
    only: Collection[str]


class Cores(NamedTuple):
    """Who runs where; with one core they share it."""

    servers: Collection[int]
    rest: Collection[int]

    @classmethod
    def of(cls) -> "Cores":
        """Share out what this process may use."""
        first, *rest = sorted(os.sched_getaffinity(0))
        return cls([first], rest or [first])


class Bench:
    """What the contenders share: a filled database, and who asks."""

    def __init__(self, urls: Urls, folder: Path, eye: fill.Eye, options: Options) -> None:
        self.urls, self.folder, self.eye, self.options = urls, folder, eye, options
        self.size = fill.Size.of(options.rows)
        self.postmaster = postmaster_of(folder / "postgres")
        self._settings = test_settings(urls, folder / "data")
        self._tokens: dict[tuple[str, str], str] = {}

    async def requests(self, contender: Contender, port: int) -> dict[str, Sequence[bytes]]:
        """Return what a contender is asked: the same rows of the same people as any other, in the same order."""
        people = [Target(*it) for it in await fill.people(self.eye, _PEOPLE)]
        unread = [Target(*it) for it in await fill.unread(self.eye, _PEOPLE, _READS)]
        heavy = Target(*fill.HEAVY, after=await self._cursor(contender.words, port))
        targets = {"badge": people, "page": people, "deep": [heavy], "read": unread, "mark_all": people}
        if contender.words.mark_all is None:
            del targets["mark_all"]
        return {
            kind: [request(self._token(it), contender.words.body(kind, it)) for it in asked]
            for kind, asked in targets.items()
        }

    async def _cursor(self, words: Words, port: int) -> str:
        if words.cursor:
            return words.cursor(await fill.deep_row(self.eye, self.size.depth), self.size.depth)
        body = work.ask_cursor(*fill.HEAVY, self.size.depth)
        return work.cursor_in(await ask_once(port, request(self._token(Target(*fill.HEAVY)), body)))

    def _token(self, target: Target) -> str:
        key = target[:2]
        if key not in self._tokens:
            day = timedelta(days=1)
            self._tokens[key] = sign(
                self._settings, tenants=[target.tenant], user=target.user, roles=[Role.USER], expires=day
            )
        return self._tokens[key]

    async def warm(self, running: Running) -> None:
        """Ask everything for a while."""
        for kind in running.requests:
            await self.load(running, kind, self.options.warm / 3)
        await fill.restore(self.eye)

    async def load(self, running: Running, kind: str, seconds: float) -> Load:
        """Ask one thing on all connections for a while, or until all of it was changed."""
        asked = running.requests[kind]
        following = iter(asked) if kind in CHANGING else cycle(asked)
        return await ask(running.served.port, following, connections=CONNECTIONS, seconds=seconds)

    async def measure(self, running: Running, kind: str) -> Figures:
        """Ask one thing on all connections; put back what it changed, which must be what was asked."""
        if kind not in CHANGING:
            await self.load(running, kind, _SETTLE_SECONDS)
        pid = running.served.pid
        before = cpu(pid), postgres_cpu(self.postmaster)
        load = await self.load(running, kind, self.options.seconds)
        after = cpu(pid), postgres_cpu(self.postmaster)
        server, postgres = ((end - begin) / load.done * 1e6 for begin, end in zip(before, after, strict=True))
        changed = await fill.restore(self.eye)
        assert kind != "read" or changed == load.done, (running.contender.name, changed, load.done)
        assert kind != "mark_all" or changed > load.done, (running.contender.name, changed, load.done)
        cuts = quantiles(load.waits, n=100)
        return Figures(server, postgres, load.done / load.seconds, cuts[49] * 1e3, cuts[98] * 1e3)


async def agree(bench: Bench, running: Sequence[Running]) -> None:
    """Fail unless all contenders give the same rows and counts; the limit: Tocsin's very bytes."""
    for kind in KINDS:
        answers = {}
        for one in running:
            asked = one.requests.get(kind, [])[:_SAMPLE]
            answers[one.contender.name] = [await ask_once(one.served.port, it) for it in asked]
            await fill.restore(bench.eye)
        reference = running[0].contender.name
        for name, given in answers.items():
            for mine, theirs in zip(answers[reference], given, strict=False):
                ours, other = work.gist(kind, mine), work.gist(kind, theirs)
                common = {key: ours[key] for key in other}
                assert other == common, (kind, name, other, common)
                exact = name == "limit" and reference == "Tocsin" and kind not in CHANGING
                assert not exact or mine == theirs, (kind, mine, theirs)


@asynccontextmanager
async def benching(options: Options) -> AsyncIterator[Bench]:
    """Run a Postgres with all rows."""
    with tempfile.TemporaryDirectory() as name, embedded.start(Path(name) / "postgres") as server:
        async with provision(server.superuser_url) as urls:
            eye = await asyncpg.connect(urls.superuser)
            bench = Bench(urls, Path(name), eye, options)
            await fill.fill(eye, bench.size)
            yield bench
            await eye.close()


@asynccontextmanager
async def _started(bench: Bench, cores: Cores) -> AsyncIterator[list[Running]]:
    """Run all contenders that are wanted, on the servers' core."""
    async with AsyncExitStack() as stack:
        running = []
        for contender in CONTENDERS:
            if bench.options.only and contender.name.split(",")[0].lower() not in bench.options.only:
                continue
            served = await stack.enter_async_context(contender.start(bench.urls, bench.folder))
            pin(served.pid, cores.servers)
            running.append(Running(contender, served, await bench.requests(contender, served.port)))
        yield running


async def compare(bench: Bench, cores: Cores) -> Results:
    """Measure all contenders in turn, several times."""
    runs: dict[str, dict[str, list[Figures]]] = {kind: defaultdict(list) for kind in KINDS}
    async with _started(bench, cores) as running:
        await agree(bench, running)
        for one in running:
            await bench.warm(one)
        for number in range(bench.options.rounds):
            report.say(f"round {number + 1}, load {os.getloadavg()[0]:.2f}")
            for kind in KINDS:
                for one in running:
                    if kind in one.requests:
                        runs[kind][one.contender.name].append(await bench.measure(one, kind))
        peaks = {one.contender.name: peak_kilobytes(one.served.pid) / 1024 for one in running}
    return Results(runs, peaks)


async def scale(bench: Bench) -> dict[str, dict[str, list[float]]]:
    """Return requests a second of one worker and of two, by kind; clients and Postgres share their cores."""
    found: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in ("badge", "page")}
    for _ in range(bench.options.rounds):
        for workers in (1, 2):
            async with contenders.tocsin(bench.urls, bench.folder, workers) as served:
                one = Running(CONTENDERS[0], served, await bench.requests(CONTENDERS[0], served.port))
                for kind, rates in found.items():
                    await bench.load(one, kind, bench.options.warm / 5)
                    load = await bench.load(one, kind, bench.options.seconds)
                    rates[str(workers)].append(load.done / load.seconds)
    return found


async def run(options: Options, path: Path) -> None:
    """Measure everything, print tables and write a file."""
    everywhere, cores = os.sched_getaffinity(0), Cores.of()
    began = os.getloadavg()[0]
    # What is started from here on stays off the servers' core.
    os.sched_setaffinity(0, cores.rest)
    async with benching(options) as bench:
        results = await compare(bench, cores)
        pin_postgres(bench.postmaster, everywhere)
        os.sched_setaffinity(0, everywhere)
        workers = await scale(bench) if not options.only else {}
    load = (began, os.getloadavg()[0])
    report.show(results, workers, load)
    report.write(path, results, workers, load, options._asdict())


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="how long each is asked at a time, at most")
    parser.add_argument(
        "--warm", type=float, default=10, help="seconds of each contender before the first round"
    )
    parser.add_argument(
        "--only", default="", help="comma list: tocsin,postgraphile,mercurius,strawberry as usual,limit"
    )
    parser.add_argument("--json", type=Path, default=Path("bench-requests.json"))
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    uvloop.run(run(Options(given.rows, given.rounds, given.seconds, given.warm, only), given.json))


if __name__ == "__main__":
    main()
