"""How long anything waits for a database that is silent."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

import db.pool
import db.session
from db.session import APP_ROLE, Database, open_database
from live.hub import Hub
from tests.faults.proxy import Proxy
from tests.faults.soak import cut_off
from tocsin.removals import Removals

_WAIT, _ANSWER = 2, 1.5


class Far(NamedTuple):
    """A database behind a network that can be cut."""

    database: Database
    network: Proxy


@pytest.fixture
async def far(superuser_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Far]:
    """Open one with four connections, for which two seconds are long and an answer in one and a half is late."""
    monkeypatch.setattr(db.pool, "_WAIT_SECONDS", _WAIT)
    monkeypatch.setattr(db.session, "_STATEMENT_SECONDS", {APP_ROLE: 1})
    monkeypatch.setattr(db.session, "_GRACE_SECONDS", _ANSWER - 1)
    async with cut_off(superuser_url) as (urls, network), open_database(urls.server, size=4) as database:
        await asyncio.gather(*(database.pool.fetchval("select pg_sleep(0.1)") for _ in range(4)))
        yield Far(database, network)
        database.pool._pool.terminate()


async def test_one_silent_connection_tells_of_the_others(far: Far) -> None:
    """Who is next after the network is back does not try those that were open before it was cut."""
    assert far.database.pool.get_idle_size() == 4
    far.network.cut()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await far.database.pool.fetchval("select 1")
    assert _ANSWER <= time.monotonic() - began < _ANSWER + 3
    far.network.heal()
    began = time.monotonic()
    assert [await far.database.pool.fetchval("select 1") for _ in range(4)] == [1] * 4
    assert time.monotonic() - began < 4  # and not an answer for each


async def test_nobody_waits_for_ever_for_a_connection(far: Far) -> None:
    """With as many callers as wished each has its error after a wait and an answer that did not come."""
    far.network.cut()
    began = time.monotonic()
    reads = (far.database.pool.fetchval("select 1") for _ in range(40))
    errors = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(it) for it in errors} == {TimeoutError}
    assert time.monotonic() - began < _WAIT + _ANSWER + 4


async def test_a_read_that_all_wait_for_fails_for_all(far: Far) -> None:
    """A hundred who ask for a tenant's removals at once share one failure; then it is read again."""
    removals, now = Removals(far.database, Hub()), datetime.now(UTC)
    far.network.cut()
    began = time.monotonic()
    asked = (removals.include("acme", f"u{it}", now) for it in range(100))
    assert {type(it) for it in await asyncio.gather(*asked, return_exceptions=True)} == {TimeoutError}
    assert time.monotonic() - began < _ANSWER + 4
    far.network.heal()
    assert await removals.include("acme", "ada", now) is False
