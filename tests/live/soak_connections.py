"""Connections at full size: `make soak`, or `python -m tests.live.soak_connections [clients megabytes cycles]`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from db import embedded
from db.session import open_database
from tests.live import churn
from tests.live.stalled import stall
from tests.support import Urls, provision
from tests.tocsin.processes import Tocsin

_CLIENTS, _MEGABYTES, _CYCLES = 200, 10, 50_000
_MOST_MEGABYTES, _MOST_SECONDS = 20, 60


async def _stalled(urls: Urls, folder: Path, clients: int, megabytes: int) -> bool:
    tocsin = Tocsin(folder / "stalled", {"database_url": urls.server, "jwt_secret": "stalled " * 4})
    async with open_database(urls.server, size=2) as database:
        with tocsin.serve() as running:
            cost = await stall(tocsin, running, database, clients, megabytes * 1_000_000)
    sys.stdout.write(
        f"{clients} clients for whom {megabytes} MB wait: {cost.growth:.1f} MB more, all gone after"
        f" {cost.seconds:.0f} s; others' p99 {cost.calm * 1000:.1f} ms before, {cost.busy * 1000:.1f} ms then\n"
    )
    return cost.growth < _MOST_MEGABYTES and cost.seconds < _MOST_SECONDS


async def _churned(urls: Urls, folder: Path, cycles: int) -> bool:
    before, after, growth = await churn.run(urls.server, folder / "churned", cycles)
    sys.stdout.write(f"{cycles} cycles: held {before} before, {after} after; {growth:.1f} MB more\n")
    return before == after and growth < _MOST_MEGABYTES


async def _run(clients: int, megabytes: int, cycles: int) -> bool:
    with tempfile.TemporaryDirectory() as name, embedded.start(Path(name) / "postgres") as postgres:
        async with provision(postgres.superuser_url) as urls:
            return all(
                [
                    await _stalled(urls, Path(name), clients, megabytes),
                    await _churned(urls, Path(name), cycles),
                ]
            )


if __name__ == "__main__":
    sizes = [int(it) for it in sys.argv[1:]] or [_CLIENTS, _MEGABYTES, _CYCLES]
    sys.exit(not asyncio.run(_run(*sizes)))
