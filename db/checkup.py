"""What `tocsin doctor` asks the database: of the server, its roles, its room for connections, and its clock."""

from typing import NamedTuple

from db import isolation
from db.revision import newest, stored
from db.session import Database, Row
from db.tables import SCHEMA

# pg_stat_activity would hide from whoever is no superuser what kind the backends of others are.
_SERVER = """
select current_setting('server_version_num')::int as number, current_setting('server_version') as version,
  current_database() as database, session_user as login, current_user as acting, pg_is_in_recovery() as replica,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) as connections,
  (select sum(numbackends)::int from pg_stat_database where datname is not null) as taken
"""
_HELD = f"select exists(select from {SCHEMA}.due where lease is not null and due_at > now())"  # noqa: S608  a constant
OLDEST = 150_000
"""The least server_version_num."""


class Revisions(NamedTuple):
    """Which revision the database has, and which this code needs."""

    found: str
    needed: str


async def server(database: Database) -> Row:
    """Return number, version, database, login, acting, replica; and connections: how many can be, and are taken.

    acting: the role that statements run as.
    """
    rows = await database.pool.fetch(_SERVER)
    return rows[0]


async def revisions(database: Database) -> Revisions:
    """Return the revisions; what the driver raises if nothing is migrated, or nothing may be seen."""
    return Revisions(str(await stored(database)), newest())


async def faults(database: Database) -> list[str]:
    """Return what is wrong with row level security, a sentence each."""
    return [
        *await isolation.table_faults(database.pool),
        *await isolation.policy_faults(database.pool),
    ]


async def is_worked(database: Database) -> bool:
    """Tell, as the worker's role, whether a worker holds something of the outbox now."""
    return bool(await database.pool.fetchval(_HELD))


async def clock(database: Database) -> float:
    """Return the database's time as Unix seconds."""
    return float(await database.pool.fetchval("select extract(epoch from clock_timestamp())::float8"))
