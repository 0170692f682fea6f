"""The demo: three tenants to explore, filled once, and somebody's badge that moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from db.session import Database, open_database
from tests.support import Urls, provision
from tests.tocsin.processes import fetch
from tocsin import demo
from tocsin.importer import import_lines

_INBOXES = "select tenant_id, user_id, total, unread from tocsin.inbox order by 1, 2"
_COUNTED = """
select tenant_id, user_id, count(*), count(*) filter (where read_at is null)
from tocsin.notification group by 1, 2 order by 1, 2
"""
_PER_TENANT = "select tenant_id, count(*) from tocsin.{} group by 1 order by 1"
_STATUSES = "select status, count(*) from tocsin.delivery group by 1 order by 1"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to come true, for ten seconds at most."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110  other processes set no event
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
async def urls_of_demo(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a database for the demo alone."""
    async with provision(superuser_url) as urls:
        yield urls


@pytest.fixture(scope="module")
async def database(urls_of_demo: Urls) -> AsyncIterator[Database]:
    """Fill it."""
    async with open_database(urls_of_demo.server, size=2) as database:
        await demo.seed(database)
        yield database


@pytest.fixture
def look(urls_of_demo: Urls, database: Database) -> str:
    """Return the URL that sees all of the filled database."""
    assert database
    return urls_of_demo.superuser


async def test_there_is_something_to_explore(look: str) -> None:
    """Three tenants of two or three people with some thousand notifications, settings and deliveries."""
    inboxes = await fetch(look, _INBOXES)
    assert {tenant for tenant, *_ in inboxes} == set(demo.PEOPLE)
    assert {(tenant, user) for tenant, user, *_ in inboxes} == {
        (tenant, user) for tenant, people in demo.PEOPLE.items() for user in people
    }
    assert [tuple(row) for row in await fetch(look, _COUNTED)] == inboxes
    assert 2_000 <= sum(total for *_, total, _unread in inboxes) <= 5_000
    assert all(0 < unread < total for *_, total, unread in inboxes)
    people = sorted((tenant, len(names)) for tenant, names in demo.PEOPLE.items())
    assert await fetch(look, _PER_TENANT.format("recipient")) == people
    assert await fetch(look, _PER_TENANT.format("preference")) == [(it, 2 * n) for it, n in people]
    assert await fetch(look, _PER_TENANT.format("channel")) == [(it, 2) for it, _ in people]
    assert await fetch(look, _PER_TENANT.format("template")) == [(it, 4) for it, _ in people]
    assert await fetch(look, _STATUSES) == [("FAILED", 90), ("SENT", 90)]


async def test_it_is_filled_once(look: str, database: Database) -> None:
    """A second start adds nothing and changes nothing."""
    everything = "select * from tocsin.inbox order by 1, 2"
    before = await fetch(look, everything)
    await demo.seed(database)
    assert await fetch(look, everything) == before


async def test_its_events_are_good(look: str, database: Database) -> None:
    """The file that comes with the demo imports without a bad line, and has the three tenants only."""
    count = "select count(*) from tocsin.notification"
    before = await fetch(look, count)
    with demo.EVENTS.open("rb") as lines:
        report = await import_lines(database, lines)
    assert (report.bad, report.stored) == ([], 0)
    assert await fetch(look, count) == before
    assert report.events == len(demo.EVENTS.read_text().splitlines())


async def test_somebody_gets_something_new(
    look: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tick is one more unread notification, of now, for one of the demo's people."""
    assert demo.TICK_SECONDS == 20
    monkeypatch.setattr(demo, "TICK_SECONDS", 0.01)
    fresh = "select count(*) from tocsin.notification where created_at > now() - interval '1 minute'"
    ((before,),) = await fetch(look, fresh)

    async def came() -> bool:
        return bool((await fetch(look, fresh))[0][0] >= before + 3)

    ticking = asyncio.create_task(demo.tick(database))
    try:
        await until(came)
    finally:
        ticking.cancel()
    people = {(tenant, user) for tenant, names in demo.PEOPLE.items() for user in names}
    assert {(tenant, user) for tenant, user, *_ in await fetch(look, _INBOXES)} == people
    assert await fetch(look, _COUNTED) == await fetch(look, _INBOXES)


async def test_it_goes_on_after_the_database_was_away(
    look: str, urls_of_demo: Urls, superuser_url: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """A database that is down for a while costs some ticks, not the demo."""
    monkeypatch.setattr(demo, "TICK_SECONDS", 0.02)
    name = look.rpartition("/")[2].partition("?")[0]
    terminate = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1"

    async def complained() -> bool:
        return len(caplog.records) >= 2

    async with open_database(urls_of_demo.server, size=1) as database:
        await fetch(superuser_url, f"alter database {name} allow_connections false")
        await fetch(superuser_url, terminate, name)
        ticking = asyncio.create_task(demo.tick(database))
        try:
            await until(complained)
            await fetch(superuser_url, f"alter database {name} allow_connections true")
            before = await fetch(look, _COUNTED)

            async def went_on() -> bool:
                return await fetch(look, _COUNTED) != before

            await until(went_on)
        finally:
            ticking.cancel()
