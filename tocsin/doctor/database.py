"""The database: reachable, current, guarded, with room for all, and with a clock that agrees with ours."""

import time
from collections.abc import AsyncIterator

import asyncpg

from db import checkup, work
from db.session import APP_ROLE, WORKER_ROLE, Database, open_database
from tocsin.doctor.finding import Finding, Level, judged
from tocsin.environment import url
from tocsin.keys import secret_vault
from tocsin.roles import require_safe_role
from tocsin.rotation import closed
from tocsin.settings import Settings, variable
from tocsin.worker import CONNECTIONS as OF_A_WORKER

_HINTS = 1
"""The connection on which a process listens, if hints go over the database."""
_SKEW_SECONDS, _BAD_SKEW_SECONDS = 1.0, 30.0
_LATE_SECONDS = 60.0
_SHOWN = 5
_ROLES_ADVICE = "README.md, `On a Postgres of your own`, makes the roles."
_NOTHING_MIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InsufficientPrivilegeError,
)


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the database of whole settings, the first things first: what needs them is skipped."""
    first = await judged("database", _connected(settings), f"Check {variable('database_url')}.")
    yield first
    if first.level is Level.PROBLEM:
        yield Finding("the rest", Level.SKIPPED, "Nothing more of the database can be looked at.")
        return
    roles = [await judged(role, _safe(settings, role), _ROLES_ADVICE) for role in (APP_ROLE, WORKER_ROLE)]
    for it in roles:
        yield it
    async with open_database(url(settings.database_url), size=1, role=None) as database:
        yield await judged("connections", _room(database, settings))
        yield await judged("clock", _clock(database))
    if any(it.level is Level.PROBLEM for it in roles):
        yield Finding("the rest", Level.SKIPPED, "The roles come first.")
        return
    async for it in _inside(settings):
        yield it


async def _inside(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what is in the database, as servers and workers do."""
    async with open_database(url(settings.database_url), size=1) as database:
        revision = await judged("migrations", _revision(database))
        yield revision
        if revision.level is not Level.OK:
            yield Finding("the rest", Level.SKIPPED, "The migrations come first.")
            return
        yield await judged("isolation", _isolation(database))
        yield await judged("secrets", _secrets(database, settings))
    async with open_database(url(settings.database_url), size=1, role=WORKER_ROLE) as database:
        yield await judged("backlog", _backlog(database))


async def _connected(settings: Settings) -> Finding:
    async with open_database(url(settings.database_url), size=1, role=None) as database:
        row = await checkup.server(database)
    said = f"Postgres {row.version}, database {row.database} as {row.login}."
    if row.number < checkup.OLDEST:
        return Finding("database", Level.PROBLEM, said, "Tocsin needs Postgres 15 or later.")
    if row.replica:
        return Finding(
            "database", Level.PROBLEM, said, "This is a standby, which takes no writes: name the primary."
        )
    return Finding("database", Level.OK, said)


async def _safe(settings: Settings, role: str) -> Finding:
    async with open_database(url(settings.database_url), size=1, role=role) as database:
        await require_safe_role(database)
        acting = (await checkup.server(database)).acting
    if acting != role:
        said = f"Statements run as {acting}: something between, such as a pooler, takes the role out."
        return Finding(role, Level.PROBLEM, said, f"Let {variable('database_url')} name Postgres itself.")
    return Finding(role, Level.OK, "The login may act as it, and cannot get around row level security.")


async def _room(database: Database, settings: Settings) -> Finding:
    row = await checkup.server(database)
    hints = 0 if settings.hub else _HINTS
    server, worker = settings.database_pool_size + hints, OF_A_WORKER + hints
    said = (
        f"{row.connections} can be open, {row.taken} are. A server process takes up to {server}, "
        f"a worker {worker}."
    )
    advice = f"Raise max_connections of Postgres, or lower {variable('database_pool_size')}."
    if server + worker > row.connections:
        return Finding("connections", Level.PROBLEM, said, advice)
    if row.taken + server > row.connections:
        return Finding("connections", Level.WARNING, said, f"There is no room for one more. {advice}")
    return Finding("connections", Level.OK, said)


async def _clock(database: Database) -> Finding:
    before = time.time()
    theirs = await checkup.clock(database)
    after = time.time()
    # The database looked at its clock somewhere between.
    ahead = before - theirs if before > theirs else min(after - theirs, 0)
    said = f"This host's is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} Postgres's."
    advice = "Run NTP on both: tokens go by the host's, all else by Postgres's."
    if abs(ahead) > _BAD_SKEW_SECONDS:
        return Finding("clock", Level.PROBLEM, said, advice)
    if abs(ahead) > _SKEW_SECONDS:
        return Finding("clock", Level.WARNING, said, advice)
    return Finding("clock", Level.OK, "This host's and Postgres's agree.")


async def _revision(database: Database) -> Finding:
    try:
        found, needed = await checkup.revisions(database)
    except _NOTHING_MIGRATED:
        return Finding(
            "migrations", Level.PROBLEM, "There are no tables.", "Run `tocsin migrate` as the owner."
        )
    if found < needed:
        said = f"The database is at {found}, this Tocsin needs {needed}."
        return Finding("migrations", Level.PROBLEM, said, "Run `tocsin migrate` as the owner.")
    if found > needed:
        said = f"The database is at {found}, which is newer than this Tocsin's {needed}."
        return Finding(
            "migrations", Level.WARNING, said, "Finish the upgrade, and ask that version's doctor."
        )
    return Finding("migrations", Level.OK, f"The database is at {found}.")


async def _isolation(database: Database) -> Finding:
    found = await checkup.faults(database)
    if not found:
        return Finding(
            "isolation", Level.OK, "Row level security is on, forced, and as this version made it."
        )
    advice = (
        "It was changed by hand, and tenants may see each other: stop the servers, and mend it as the owner; "
        "db/migrations has what it was."
    )
    return Finding("isolation", Level.PROBLEM, f"{_few(found)}.", advice)


async def _secrets(database: Database, settings: Settings) -> Finding:
    found = sorted(await closed(database, secret_vault(settings)))
    if not found:
        return Finding("secrets", Level.OK, "The keys open the secrets of all channels.")
    said = f"{len(found)} channels have secrets that no key opens: {_few([f'{id} of {it}' for it, id in found])}."
    advice = f"Add the key that is missing to {variable('secret_keys')}, or give these channels new secrets."
    return Finding("secrets", Level.PROBLEM, said, advice)


async def _backlog(database: Database) -> Finding:
    waiting, oldest = await work.backlog(database)
    if oldest <= _LATE_SECONDS:
        return Finding("backlog", Level.OK, "Nothing that is due has waited for long.")
    said = f"{waiting} things are due, the oldest for {oldest:.0f} s."
    if await checkup.is_worked(database):
        advice = "Workers are at it: a tenant's receivers are slow, or more workers are needed."
        return Finding("backlog", Level.WARNING, said, advice)
    return Finding("backlog", Level.PROBLEM, said, "No worker runs: start `tocsin worker`.")


def _few(found: list[str]) -> str:
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
