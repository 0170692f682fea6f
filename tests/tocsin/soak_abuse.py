"""A minute of the whole corpus of abuse beside normal queries: `python -m tests.tocsin.soak_abuse [SECONDS]`."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import httpx

from db import embedded
from tests.figures import report
from tests.support import SECRET, Api, Urls, provision, test_settings
from tests.tocsin.abuse import MAX_CPU_MS, Target
from tests.tocsin.corpus import attacks, bodies, messages
from tests.tocsin.processes import Tocsin
from tocsin.settings import Settings

_EVERY = 0.01
_QUERY = {"query": "{ stats { unread } notifications(first: 20) { nodes { id title } } }"}


@dataclass(frozen=True)
class Figures:
    """What a soak measured; times in ms."""

    attacks: int
    max_cpu: float
    p99_alone: float
    p99_meanwhile: float
    queries: int
    crashes: int

    def __str__(self) -> str:
        """Return them in one line."""
        return (
            f"attacks {self.attacks}, max CPU of one {self.max_cpu:.1f} ms, normal p99 alone "
            f"{self.p99_alone:.1f} ms, meanwhile {self.p99_meanwhile:.1f} ms ({self.queries} queries), "
            f"crashes {self.crashes}"
        )


def p99(times: list[float]) -> float:
    """Return the 99th percentile, in ms."""
    return sorted(times)[int(len(times) * 0.99)] * 1_000


@asynccontextmanager
async def attacked(urls: Urls, folder: Path, rate_limit: str) -> AsyncIterator[tuple[Target, str]]:
    """Run a server process; yield it as somebody's target, and a normal user's token."""
    api = Api("", test_settings(urls, folder), None, None)  # type: ignore[arg-type]
    settings = {"database_url": urls.server, "jwt_secret": SECRET, "rate_limit": rate_limit}
    settings |= {"introspection": "true", "allow_get": "true"}
    with Tocsin(folder / "data", settings).serve() as running:
        target = Target(running.url, running.process.pid, api.token("abused", "mallory"))
        async with target.http:
            yield target, api.token("normal", "ada")
        assert running.process.poll() is None, running.text()


async def ask_steadily(target: Target, token: str, over: Callable[[], bool]) -> list[float]:
    """Ask a normal query 100 times a second, late or not, and return how long each took."""
    times: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}

    async def one(http: httpx.AsyncClient) -> None:
        began = time.perf_counter()
        response = await http.post("/graphql", json=_QUERY, headers=headers)
        assert "errors" not in response.json(), response.text
        times.append(time.perf_counter() - began)

    async with httpx.AsyncClient(base_url=target.url, timeout=20) as http, asyncio.TaskGroup() as group:
        await one(http)
        times.clear()
        while not over():
            group.create_task(one(http))
            await asyncio.sleep(_EVERY)
    return times


async def attack_in_a_loop(target: Target, over: Callable[[], bool]) -> int:
    """Send the corpus over each transport, one attack at a time, as fast as they are answered; return how many."""
    done = 0
    headers = target.headers | {"Content-Type": "application/json"}
    while not over():
        for attack in attacks():
            for way in (target.post, target.stream, target.subscribe):
                await way(attack)
                done += 1
        for body in bodies():
            await target.http.post("/graphql", content=body.content, headers=headers)
            done += 1
        for _name, text, _code in messages():
            await target.say(text)
            done += 1
    return done


async def dearest(target: Target) -> float:
    """Return the CPU of the dearest attack, each measured with nothing beside it."""
    costs = [await target.cost(lambda it=attack: target.post(it)) for attack in attacks()]  # type: ignore[misc]
    return max(costs)


def attack_apart(url: str, pid: int, token: str, seconds: float) -> int:
    """Attack from a process of its own, which takes no processor from the server and the one that measures."""
    os.nice(19)

    async def attack() -> int:
        target = Target(url, pid, token)
        async with target.http:
            return await attack_in_a_loop(target, after(seconds))

    return asyncio.run(attack())


def after(seconds: float) -> Callable[[], bool]:
    """Return what tells that so many seconds have gone by."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


async def soak(urls: Urls, folder: Path, seconds: float) -> Figures:
    """Measure each attack without rate limits; then ask alone, and beside the attacks, under the default ones."""
    async with attacked(urls, folder, "0") as (target, _token):
        most = await dearest(target)
    limit = str(Settings.model_fields["rate_limit"].default)
    async with attacked(urls, folder, limit) as (target, token):
        alone = await ask_steadily(target, token, after(min(seconds, 10)))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            args = (target.url, target.pid, target.token, seconds)
            attacking = asyncio.get_running_loop().run_in_executor(pool, attack_apart, *args)
            meanwhile = await ask_steadily(target, token, after(seconds))
            done = await attacking
        crashes = int((await target.http.get("/healthz")).status_code != 200)
    return Figures(done, most, p99(alone), p99(meanwhile), len(meanwhile), crashes)


async def main(seconds: float) -> bool:
    """Soak, and print the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-abuse-") as folder,
        embedded.start(Path(folder) / "postgres") as postgres,
    ):
        async with provision(postgres.superuser_url) as urls:
            figures = await soak(urls, Path(folder), seconds)
    holds = not figures.crashes and figures.max_cpu <= MAX_CPU_MS
    return report("The corpus of abuse, again and again", str(figures), holds=holds)


if __name__ == "__main__":
    sys.exit(not asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)))
