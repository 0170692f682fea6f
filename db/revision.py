"""Which revision the database has, and which this code needs, without Alembic, which takes long to load."""

from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

from db.session import Database
from db.tables import SCHEMA

MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """The database cannot be brought to a revision, for it has one that this code does not know."""


@cache
def newest() -> str:
    """Return the revision that this code needs, with which the name of the last migration begins."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


async def stored(database: Database) -> str | None:
    """Return the revision of the database; raises what the driver does if there is none, or none to be seen."""
    found: Any = await database.pool.fetchval(f"select version_num from {SCHEMA}.alembic_version")  # noqa: S608
    return None if found is None else str(found)


async def is_current(database: Database) -> bool:
    """Tell whether the database that the server uses has the revision this code needs, or a later one.

    A migration leaves the version before it working, so that both can run: docs/how-to/upgrade.md.
    """
    try:
        found = await stored(database)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        return False  # nothing is there yet, or nothing that the server may see
    return bool(found and found >= newest())
