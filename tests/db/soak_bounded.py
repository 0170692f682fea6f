"""What statements read on a million rows: `make soak`, or `python -m tests.db.soak_bounded [rows]`."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import db.notification
import db.stats
from db import embedded
from db.session import Scope
from db.types import Filter
from tests.db.bounded import (
    HEAVY,
    IN_ORDER,
    MODES,
    OPERATIONS,
    OTHERS,
    UNORDERED,
    Crowd,
    Watch,
    Watched,
    buffers,
    fill,
    middle,
    pages,
)
from tests.figures import report
from tests.support import Api, provision, running_server, test_settings

_ADA = Scope(HEAVY, "ada")
_MOST_GROWTH = 2.0


class Report(NamedTuple):
    """What was read, in lines to print, and what must not have been."""

    lines: list[str]
    faults: list[str]


@asynccontextmanager
async def _crowded(crowd: Crowd) -> AsyncIterator[Api]:
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as postgres:
        async with provision(postgres.superuser_url) as urls:
            began = time.monotonic()
            await fill(urls.superuser, crowd)
            print(f"{crowd} stored in {time.monotonic() - began:.0f} s")  # noqa: T201
            async with running_server(test_settings(urls, Path(folder))) as api:
                yield api


async def lists(api: Api, rows: int) -> Report:
    """Read pages and counts of the large inbox, by each filter and by either kind of plan."""
    lines, faults = [], []
    place = await middle(api.database, _ADA, rows)
    for name, filter in {**IN_ORDER, **OTHERS}.items():
        watches = [Watch(mode) for mode in MODES for _ in pages(filter, place)]
        queries = [query for _ in MODES for query in pages(filter, place).values()]
        for watch, query in zip(watches, queries, strict=True):
            await db.notification.page(Watched(api.database, watch).reader(_ADA), query)
        wrong = {it for watch in watches for it in watch.kinds if it in UNORDERED or it.startswith("Seq")}
        counted = await _counted(api, filter)
        most = max(watch.most_rows for watch in watches)
        lines.append(f"{name}: a page looks at {most:,} rows at most, its counts at {counted:,}")
        if (wrong and name in IN_ORDER) or "Seq Scan on notification" in wrong or most > rows:
            faults.append(f"{name}: {most} rows, {wrong}")
        if counted > (0 if name in IN_ORDER else rows):
            faults.append(f"{name}: counts look at {counted} rows")
    return Report(lines, faults)


async def _counted(api: Api, filter: Filter) -> int:
    watch = Watch()
    await db.stats.groups(Watched(api.database, watch).reader(_ADA), filter)
    return watch.most_rows


async def growth(api: Api, crowd: Crowd) -> Report:
    """Run each operation in inboxes of rising size."""
    lines, faults = [], []
    sizes = sorted((rows, user) for user, rows in crowd.large.items())
    for name in OPERATIONS:
        read = {rows: await buffers(api, name, user) for rows, user in sizes}
        lines.append(f"{name}: " + ", ".join(f"{it} pages of {rows:,} rows" for rows, it in read.items()))
        least, *_, most = read.values()
        if not 0 < most <= _MOST_GROWTH * least:
            faults.append(f"{name} grows: {read}")
    return Report(lines, faults)


async def _run(rows: int) -> bool:
    """Print what was read, and what should not have been."""
    crowd = Crowd.of(rows)
    crowd = crowd._replace(large={**crowd.large, "small": 100, "middle": max(100, rows // 100), "all": rows})
    async with _crowded(crowd) as api:
        reports = {
            f"Lists and counts of an inbox among {rows:,} rows": await lists(api, crowd.large["ada"]),
            "Buffers read as an inbox grows": await growth(api, crowd),
        }
    for name, it in reports.items():
        report(name, "; ".join([*it.lines, *it.faults]), holds=not it.faults)
    return not any(it.faults for it in reports.values())


if __name__ == "__main__":
    sys.exit(not asyncio.run(_run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
