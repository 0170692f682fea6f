"""The database without a server on top of it: its pool, its superuser, and a scratch copy to break."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.session import Database, Hint, open_database
from tests.db.support import Connection, app_connection
from tests.support import Urls, provision


@pytest.fixture(scope="session")
async def hints() -> list[Hint]:
    """Collect everything that `store` announced after its commits."""
    return []


@pytest.fixture(scope="session")
async def store(urls: Urls, hints: list[Hint]) -> AsyncIterator[Database]:
    """Open the database as a server does, but without a server."""
    async with open_database(urls.server, size=8, on_commit=hints.extend) as database:
        yield database


@pytest.fixture(scope="session")
async def superuser(urls: Urls) -> AsyncIterator[Connection]:
    """Connect as whom row level security does not hold back, to look and to prepare."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()


@pytest.fixture
async def app(urls: Urls) -> AsyncIterator[Connection]:
    """Connect as the application's role, without any context."""
    async with app_connection(urls) as connection:
        yield connection


@pytest.fixture(scope="session")
async def scratch(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a migrated database that no other fixture looks at."""
    async with provision(superuser_url) as urls:
        yield urls
