"""Connections at full size: `make soak`, or `python -m tests.live.soak_connections [clients megabytes cycles]`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from db import embedded
from db.session import open_database
from tests.figures import report
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
    return report(
        f"{clients} clients that stop reading, {megabytes} MB waiting for them",
        f"{cost.growth:.1f} MB more, all gone after {cost.seconds:.0f} s; others' p99"
        f" {cost.calm * 1000:.1f} ms before, {cost.busy * 1000:.1f} ms then",
        holds=cost.growth < _MOST_MEGABYTES and cost.seconds < _MOST_SECONDS,
    )


async def _churned(urls: Urls, folder: Path, cycles: int) -> bool:
    before, after, growth = await churn.run(urls.server, folder / "churned", cycles)
    return report(
        f"{cycles:,} subscriptions opened and closed",
        f"held {before} before, {after} after; {growth:.1f} MB more",
        holds=before == after and growth < _MOST_MEGABYTES,
    )


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
