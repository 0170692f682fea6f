"""Two versions side by side while the database is migrated: what a rolling upgrade is.

The versions are those of this repository's history: the old one is the commit before the one that brought the
migration, the new one the last before the next migration. `python -m tests.tocsin.upgrades` runs them all.
"""

import asyncio
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from alembic.script import ScriptDirectory

from db import embedded
from db.migrate import _config, upgrade
from resolvers.principal import Role
from tests.delivery.site import KINDS, Client, Site, deployed
from tests.delivery.soak import TENANTS, Measure, audit, notify_all
from tests.figures import report
from tests.support import provision
from tests.tocsin.processes import ROOT, Running, Tocsin

FIRST = "0006"
"""Before it not every channel delivered, and nothing had been released."""

_PAGE = "{ notifications(first: 5) { totalCount nodes { id title readAt } } stats { unread } }"
_READ = "mutation($ids: [ID!]!) { read(ids: $ids) { changed } }"
_DISMISS = "mutation($ids: [ID!]!) { dismiss(ids: $ids) { changed } }"
_MARK = "mutation { markAllRead { marked } }"


class Upgrade(NamedTuple):
    """A migration, what it starts from, and the commits of the versions before and with it; "" is this one."""

    revision: str
    down_revision: str
    old: str
    new: str


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


def _before(path: str) -> str:
    """Return the last commit without a file."""
    added = _git("log", "--diff-filter=A", "--format=%H", "--", path).split()
    return _git("rev-parse", f"{added[-1].decode()}^" if added else "HEAD").decode().strip()


def upgrades() -> list[Upgrade]:
    """Return the upgrades that the history knows, the newest last."""
    scripts = [*ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    before = [_before(str(Path(it.path).relative_to(ROOT))) for it in scripts]
    found = [
        Upgrade(it.revision, str(it.down_revision), old, new)
        for it, old, new in zip(scripts, before, [*before[1:], ""], strict=True)
    ]
    return [it for it in found if it.revision >= FIRST]


def check_out(commit: str, folder: Path) -> Path:
    """Lay out a version; return where it lies."""
    if not commit:
        return ROOT
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Version:
    """A server and a worker of one version, and a client that calls them and tries nothing again."""

    def __init__(self, tocsin: Tocsin, processes: Sequence[Running], client: Client) -> None:
        self.tocsin = tocsin
        self._processes = processes
        self.client = client
        self.over = asyncio.Event()
        self.asked = 0

    async def ask(self, role: Role, document: str, **variables: Any) -> Any:
        """Return the data of an operation; it must not fail."""
        data = await self.client.ask(TENANTS[0], role, document, **variables)
        self.asked += 1
        return data

    async def live(self, first: int) -> list[str]:
        """Notify, read and dismiss until it is over; return the keys that were acknowledged."""
        numbers = takewhile(lambda _: not self.over.is_set(), count(first))
        using = asyncio.create_task(self._use())
        keys = await notify_all(self.client, numbers, at_once=4)
        await using
        self.asked += len(keys)
        return keys

    async def _use(self) -> None:
        while not self.over.is_set():
            page = await self.ask(Role.USER, _PAGE)
            if ids := [node["id"] for node in page["notifications"]["nodes"]]:
                await self.ask(Role.USER, _READ, ids=ids[:2])
                await self.ask(Role.USER, _DISMISS, ids=ids[-1:])
            await self.ask(Role.USER, _MARK)

    async def end(self) -> list[int]:
        """Send SIGTERM to both; return their exit codes."""
        return [await asyncio.to_thread(it.end) for it in self._processes]


@asynccontextmanager
async def _version(site: Site, code: Path) -> AsyncIterator[Version]:
    tocsin = Tocsin(site.folder / "data", site.settings, code)
    async with AsyncExitStack() as stack:
        running = stack.enter_context(tocsin.serve())
        worker = stack.enter_context(tocsin.start("worker"))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=20))
        yield Version(tocsin, [running, worker], Client(site, [running.url], http))


async def roll(site: Site, it: Upgrade, seconds: float) -> list[Measure]:
    """Upgrade under load, each stage for so many seconds: old, migrated, both, new."""
    old_code = check_out(it.old, site.folder / "old")
    new_code = check_out(it.new, site.folder / "new")
    await upgrade(site.urls.owner, it.down_revision)
    async with _version(site, old_code) as old:
        for tenant in TENANTS:
            await old.client.open_tenant(tenant, KINDS)
        said = [asyncio.create_task(old.live(0))]
        await asyncio.sleep(seconds)
        await upgrade(site.urls.owner, it.revision)
        await asyncio.sleep(seconds)
        async with _version(site, new_code) as new:
            said.append(asyncio.create_task(new.live(10**5)))
            await asyncio.sleep(seconds)
            old.over.set()
            await said[0]
            codes = await old.end()
            await asyncio.sleep(seconds)
            new.over.set()
            keys = [key for task in said for key in await task]
            await site.drained(60)
            counted = await asyncio.to_thread(new.tocsin.run, "reconcile")
    return [
        Measure("requests", old.asked + new.asked),
        Measure("failed requests", old.client.retries + new.client.retries, 0),
        *(Measure(f"failed request {it}", 1, 0) for it in old.client.troubles + new.client.troubles),
        Measure("old processes that did not end by themselves", sum(map(bool, codes)), 0),
        Measure("counters that differ from their rows", counted.code, 0),
        *await audit(site, keys, 0, KINDS),
    ]


async def run(superuser_url: str, folder: Path, it: Upgrade, seconds: float) -> list[Measure]:
    """Run an upgrade in a database of its own."""
    async with provision(superuser_url, migrate=False) as urls:
        with deployed(urls, folder) as site:
            return await roll(site, it, seconds)


async def _main(chosen: Sequence[str]) -> bool:
    fine = True
    with (
        tempfile.TemporaryDirectory() as name,
        embedded.start(Path(name) / "postgres") as postgres,
    ):
        for it in upgrades():
            if not chosen or it.revision in chosen:
                measures = await run(postgres.superuser_url, Path(name) / it.revision, it, 5)
                figures = "; ".join(map(str, measures))
                holds = all(measure.is_fine for measure in measures)
                fine = report(f"Rolling upgrade to {it.revision}", figures, holds=holds) and fine
    return fine


if __name__ == "__main__":
    sys.exit(not asyncio.run(_main(sys.argv[1:])))
