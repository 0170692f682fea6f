"""Whether time tells foreign ids from absent ones: `make soak`, or `python -m tests.isolation.soak [rounds]`."""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import asyncpg

from db import embedded
from resolvers.principal import Role
from tests.figures import report
from tests.isolation.probe import Attacker, absent, arguments, call
from tests.isolation.shape import FIELDS
from tests.isolation.world import World, filled, named, renamed, stored
from tests.rights import Call, RootField
from tests.support import Api, provision, running_server, test_settings

_PLACES = {("id",), ("ids", 0), ("startingBefore",)}
_CALLERS = {Role.USER: "ada", Role.ADMIN: "root", Role.AGENT: "bot"}


def _foreign(field: RootField, away: World) -> str:
    """Return an id of the kind that a field takes: the one it is named after, else a notification's."""
    kinds = [table for table in away.rows if table in field.name.lower() and "id" in away.rows[table][0]]
    kind = max(kinds, key=len, default="notification")
    ids = [str(row["id"]) for row in away.rows[kind]]
    return next((id for id in ids if id.startswith("canary")), ids[0])


async def _milliseconds(caller: Api.User, it: Call) -> float:
    began = time.perf_counter()
    await caller.ask(it.document, **it.variables)
    return 1_000 * (time.perf_counter() - began)


async def _compared(api: Api, field: RootField, home: World, away: World, rounds: int) -> float:
    """Ask with either id by turns, in an order of chance; print the medians and return their ratio."""
    role = min(field.roles, key=[*_CALLERS].index)
    caller = api.user(home.tenant, _CALLERS[role], role)
    (path,) = [path for path, _type in field.leaves() if path in _PLACES]
    foreign = _foreign(field, away)
    values = {"foreign": foreign, "absent": absent(Attacker(caller.id, role, True), home, away, foreign)}
    given = arguments(field, home, caller.id)
    calls = [(what, call(field, path, value, given)) for what, value in values.items()]
    took: dict[str, list[float]] = {what: [] for what in values}
    for _ in range(rounds):
        for what, it in random.sample(calls, 2):
            took[what].append(await _milliseconds(caller, it))
    one, other = median(took["foreign"]), median(took["absent"])
    sys.stdout.write(f"{field!s:32} {one:8.2f} {other:8.2f} {one / other:8.3f}\n")
    return one / other


async def soak(rounds: int) -> None:
    """Print a line for each field that takes an id, and a row of them all."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as postgres:
        async with (
            provision(postgres.superuser_url) as urls,
            running_server(test_settings(urls, Path(folder))) as api,
        ):
            sql = await asyncpg.connect(urls.superuser)
            made = await filled(api, sql)
            home = await stored(sql, renamed(made, named("home")))
            away = await stored(sql, renamed(made, named("away"), new_ids=True))
            await sql.close()
            sys.stdout.write(f"{f'medians of {rounds}, ms':32} {'foreign':>8} {'absent':>8} {'ratio':>8}\n")
            fields = [it for it in FIELDS if any(path in _PLACES for path, _type in it.leaves())]
            ratios = [await _compared(api, it, home, away, rounds) for it in fields]
    report(
        "Foreign ids timed beside absent ones",
        f"{len(ratios)} fields, {rounds:,} times each: "
        f"ratios of medians from {min(ratios):.3f} to {max(ratios):.3f}",
        holds=True,  # a figure to read, not a promise: a busy machine makes more than a lookup does
    )


if __name__ == "__main__":
    asyncio.run(soak(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
