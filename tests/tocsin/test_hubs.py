"""Two whole servers on one database that tell each other by NATS, with no sweep to help them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

import delivery.dispatcher
import live.sweep
import tocsin.access
from resolvers.principal import Role
from tests.live.nats_server import NatsServer, nats_server, shared_or
from tests.machines import REVOKE, machine
from tests.resolvers.support import WATCH_EVENTS, WATCH_STATS
from tests.support import Api, Urls, provision, running_server, test_settings
from tests.tocsin.test_access import REMOVE, at
from tocsin.settings import Settings
from tocsin.worker import working

_LISTENERS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and application_name = 'tocsin-hints'"
)


@pytest.fixture
def own() -> Iterator[NatsServer]:
    """A NATS of the test's own, not yet started."""
    with nats_server() as server:
        yield server


@pytest.fixture
async def shared(own: NatsServer, urls: Urls, tmp_path: Path) -> Settings:
    """Settings with the machine's NATS, or where none listens with one's own."""
    await own.start()
    return test_settings(urls, tmp_path, hub=SecretStr(shared_or(own)))


@pytest.fixture
async def alone(shared: Settings, superuser_url: str) -> AsyncIterator[Settings]:
    """The same on a database of the test's own, where no work of other tests waits."""
    async with provision(superuser_url) as urls:
        yield shared.model_copy(update={"database_url": SecretStr(urls.server)})


@pytest.fixture(autouse=True)
def _nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but hints tells anybody anything."""
    monkeypatch.setattr(live.sweep, "SECONDS", 600)
    monkeypatch.setattr(tocsin.access, "PATIENCE_SECONDS", 600)


@asynccontextmanager
async def two(settings: Settings) -> AsyncIterator[tuple[Api, Api]]:
    """Run two servers."""
    async with running_server(settings) as one, running_server(settings) as other:
        yield one, other


async def test_a_mutation_on_one_arrives_at_the_other(shared: Settings, tenant: str) -> None:
    """Events and the badge, long before the sweep would look."""
    async with two(shared) as (one, other):
        ada = one.user(tenant, "ada")
        (id,) = await ada.receive("one")
        async with at(other, ada).socket() as socket:
            events, badge = await socket.subscribe(WATCH_EVENTS), await socket.subscribe(WATCH_STATS)
            assert (await badge.next())["stats"]["unread"] == 1
            assert await events.silent(0.3)
            started = time.monotonic()
            await ada.data("mutation($ids: [ID!]!) { read(ids: $ids) { __typename } }", ids=[id])
            event = (await events.next())["inboxEvents"]
            assert (event["__typename"], event["stats"]["unread"]) == ("NotificationUpdated", 0)
            assert (await badge.next())["stats"]["unread"] == 0
            assert time.monotonic() - started < 4


async def test_access_taken_away_on_one_ends_at_the_other(shared: Settings, tenant: str) -> None:
    """Sockets close with 4403; a request is refused though the other server has just let the user in."""
    async with two(shared) as (one, other):
        admin, ada = one.user(tenant, "root", Role.ADMIN), one.user(tenant, "ada")
        await ada.receive("one")
        agent = await machine(admin)
        async with at(other, ada).socket() as users, at(other, agent).socket() as agents:
            await admin.data(REVOKE, id=agent.id)
            assert await agents.closed(10) == (4403, "FORBIDDEN")
            await admin.data(REMOVE, id="ada")
            assert await users.closed(10) == (4403, "FORBIDDEN")
        assert (await at(other, ada).refusal("{ __typename }"))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_work_wakes_a_worker(alone: Settings, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one, which has nothing to do and would not look for ten minutes, fans out when it is woken."""
    monkeypatch.setattr(delivery.dispatcher, "POLL_SECONDS", 600)
    send = (
        """mutation { notify(input: { everyone: true, type: "a.b", title: "T" }) { request { status } } }"""
    )
    async with running_server(alone) as api, working(alone, login_too=True):
        ada = api.user(tenant, "ada")
        await ada.receive("one")
        async with ada.socket() as socket:
            badge = await socket.subscribe(WATCH_STATS)
            assert (await badge.next())["stats"]["unread"] == 1
            await asyncio.sleep(0.5)  # the worker goes to sleep
            await api.user(tenant, "ci", Role.AGENT).data(send)
            assert (await badge.next(10))["stats"]["unread"] == 2


async def test_servers_start_without_nats(own: NatsServer, urls: Urls, tmp_path: Path, tenant: str) -> None:
    """They serve; once NATS is there they tell each other."""
    settings = test_settings(urls, tmp_path, hub=SecretStr(own.url))
    async with two(settings) as (one, other):
        ada = one.user(tenant, "ada")
        await ada.receive("one")
        async with at(other, ada).socket() as socket:
            badge = await socket.subscribe(WATCH_STATS)
            assert (await badge.next())["stats"]["unread"] == 1
            await ada.receive("two")
            assert await badge.silent(0.3)
            await own.start()
            # They learn that hints were lost, and sweep.
            assert (await badge.next(10))["stats"]["unread"] == 2


async def test_the_database_carries_no_hints(shared: Settings, urls: Urls) -> None:
    """With NATS a server listens there and not on the database; without it the other way round."""
    connection = await asyncpg.connect(urls.superuser)
    found = []
    for settings in (shared, shared.model_copy(update={"hub": None})):
        before = await connection.fetchval(_LISTENERS)
        async with running_server(settings) as api:
            await api.user("t", "ada").ask("{ __typename }")
            found.append(await connection.fetchval(_LISTENERS) - before)
    await connection.close()
    assert found == [0, 1]
