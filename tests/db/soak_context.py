"""One connection for 50 tenants in a storm: `make soak`, or `python -m tests.db.soak_context [statements]`."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from db import embedded
from db.session import open_database
from tests.db.storm import HAPPENS, TASKS, TENANTS, Chaos, fill
from tests.figures import report
from tests.support import provision


async def soak(statements: int) -> bool:
    """Print what happened in one line; tell whether no row was another tenant's."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as postgres:
        async with provision(postgres.superuser_url) as urls:
            await fill(urls.server)
            superuser = await asyncpg.connect(urls.superuser)
            began = time.monotonic()
            async with open_database(urls.server, size=1) as database:
                chaos = Chaos(database, superuser, statements, seed=17)
                failed = await chaos.storm()
            await superuser.close()
    seconds = time.monotonic() - began
    happened = ", ".join(f"{chaos.seen[it]:,} {it}" for it in HAPPENS)
    return report(
        f"One connection, {TASKS} tasks of {TENANTS} tenants, killed, cancelled, timed out, rolled back",
        f"{chaos.seen['statements']:,} statements in {seconds:.0f} s, {len(chaos.wrong)} of them wrong, "
        f"{len(failed)} tasks failed; {happened}",
        holds=not chaos.wrong and not failed,
    )


if __name__ == "__main__":
    sys.exit(not asyncio.run(soak(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)))
