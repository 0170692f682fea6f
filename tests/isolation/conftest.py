"""A tenant filled through the API, copies of it, and who asks there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.isolation.world import Sql, World, filled, named, renamed, stored
from tests.support import Api, Urls


@pytest.fixture(scope="session")
async def sql(urls: Urls) -> AsyncIterator[Sql]:
    """Connect as superuser, past row level security."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def made(api: Api, sql: Sql) -> World:
    """Fill a tenant that is copied, and otherwise left alone."""
    return await filled(api, sql)


@dataclass(frozen=True)
class Worlds:
    """Two tenants with the same rows, and one whose rows have ids of their own; when they were made."""

    home: World
    twin: World
    away: World
    made_at: datetime


@pytest.fixture
async def worlds(made: World, sql: Sql) -> Worlds:
    """Copy the tenant three times: what a test changes is its own."""
    home, twin = [await stored(sql, renamed(made, named(kind))) for kind in ("home", "twin")]
    away = await stored(sql, renamed(made, named("away"), new_ids=True))
    return Worlds(home, twin, away, datetime.now(UTC))
