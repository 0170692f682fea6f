"""Connections are lent the short way when they come back as they went, and asyncpg's way otherwise."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.pool import Pool
from db.session import Database, open_database
from tests.db.support import Connection, holders
from tests.support import Urls


@pytest.fixture
async def single(urls: Urls) -> AsyncIterator[Database]:
    """Open the database with one connection."""
    async with open_database(urls.server, size=1) as database:
        yield database


async def _pid(pool: Pool) -> int:
    return int(await pool.fetchval("select pg_backend_pid()"))


async def test_a_connection_is_lent_again(single: Database) -> None:
    """It stays open, and is asyncpg's no sooner than somebody tidies up."""
    pid = await _pid(single.pool)
    assert await _pid(single.pool) == pid
    assert single.pool.get_idle_size() == 1
    assert single.pool._pool.get_idle_size() == 0
    await single.pool.tidy()
    assert single.pool._pool.get_idle_size() == 1
    assert await _pid(single.pool) == pid


async def test_everybody_has_a_turn(single: Database) -> None:
    """Who waits is served when the one connection comes back, in whichever way."""
    seen = await asyncio.gather(*(_pid(single.pool) for _ in range(50)))
    assert len(seen) == 50
    assert len({*seen}) == 1
    assert single.pool.get_idle_size() == 1


async def test_a_killed_connection_is_replaced(single: Database, superuser: Connection) -> None:
    """While it lies idle it is found closed, and another is made."""
    pid = await _pid(single.pool)
    connection = holders(single)[0]._con
    assert await superuser.fetchval("select pg_terminate_backend($1)", pid)
    for _ in range(100):
        if connection.is_closed():
            break
        await asyncio.sleep(0.02)
    assert await _pid(single.pool) != pid
    assert single.pool.get_size() == 1


async def test_an_error_goes_asyncpgs_way(single: Database) -> None:
    """It clears up behind who failed, was cancelled, or left a transaction open."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        await single.pool.fetchval("select 1 / 0")
    assert single.pool._pool.get_idle_size() == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await single.pool.fetchval("select pg_sleep(60)")
    assert single.pool.get_idle_size() == 1
    assert await single.pool.fetchval("select 1") == 1


async def test_who_gives_up_waiting_is_not_waited_for(single: Database) -> None:
    """The connection is lent the short way again."""
    async with single.pool.acquire():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await _pid(single.pool)
    assert single.pool._pool.get_idle_size() == 0
    assert single.pool.get_idle_size() == 1
