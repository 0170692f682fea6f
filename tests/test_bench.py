"""The benchmark of requests, small: its rows are what Tocsin would keep, and it runs to its end."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import orjson

from bench import fill, plot
from db.session import WORKER_ROLE, open_database
from delivery import reconcile
from tests.support import provision
from tests.tocsin.processes import ROOT

_READ_SOME = """
update tocsin.notification set read_at = clock_timestamp() where user_id = 'user-1' and read_at is null"""
_COUNT_THEM = "update tocsin.{} set unread = 0 where user_id = 'user-1'"
_SUMS = "select count(*), sum(total), sum(unread), sum(seq) from tocsin.inbox"


async def test_counters_of_what_is_filled_equal_its_rows(superuser_url: str) -> None:
    """After the fill, and after what was changed is put back, nothing drifts."""
    async with provision(superuser_url) as urls, open_database(urls.server, role=WORKER_ROLE) as database:
        eye = await asyncpg.connect(urls.superuser)
        await fill.fill(eye, fill.Size.of(10_000))
        filled = tuple(await eye.fetchrow(_SUMS) or ())
        # 2 tenants of 50 users of 100, of which 653 are read, and 1,000 unread of one user more.
        assert filled == (101, 11_000, 10_347, 11_000)
        assert await reconcile.run(database, repair=False) == []
        await eye.execute(_READ_SOME)
        for table in ("inbox", "inbox_count"):
            await eye.execute(_COUNT_THEM.format(table))
        assert await fill.restore(eye) == 80 + 94
        assert tuple(await eye.fetchrow(_SUMS) or ()) == filled
        assert await reconcile.run(database, repair=False) == []
        await eye.close()


def test_the_benchmark_runs(tmp_path: Path) -> None:
    """Tocsin and the limit answer the same bytes, each read changes a row, and the figures can be drawn."""
    file = tmp_path / "figures.json"
    small = ["--rows", "5000", "--rounds", "1", "--seconds", "0.2", "--warm", "0.3"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.api", *small, "--only", "tocsin,limit", "--json", file],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kinds = orjson.loads(file.read_bytes())["kinds"]
    assert {kind: [*entries] for kind, entries in kinds.items()} == {
        kind: ["Tocsin", "limit"] for kind in ("badge", "page", "deep", "read", "mark_all")
    }
    assert plot.svg(kinds).count("<rect ") == 3 * 2 * 2
