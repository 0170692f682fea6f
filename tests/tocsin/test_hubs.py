"""Two whole servers on one database that tell each other by NATS, with no sweep to help them."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

import live.sweep
import tocsin.access
from db.session import OUTBOX
from resolvers.principal import Role
from tests.live.nats_server import NatsServer, nats_server, shared_or
from tests.machines import REVOKE, machine
from tests.resolvers.support import WATCH_EVENTS, WATCH_STATS
from tests.support import Api, Urls, running_server, test_settings
from tests.tocsin.test_access import REMOVE, at
from tocsin.hubs import open_hub
from tocsin.settings import Settings


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
    """Events and the badge, within a second."""
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
            assert time.monotonic() - started < 1


async def test_access_taken_away_on_one_ends_at_the_other(shared: Settings, tenant: str) -> None:
    """Sockets close with 4403; a request is refused though the other server has just let the user in."""
    async with two(shared) as (one, other):
        admin, ada = one.user(tenant, "root", Role.ADMIN), one.user(tenant, "ada")
        await ada.receive("one")
        agent = await machine(admin)
        async with at(other, ada).socket() as users, at(other, agent).socket() as agents:
            await admin.data(REVOKE, id=agent.id)
            assert await agents.closed(1) == (4403, "FORBIDDEN")
            await admin.data(REMOVE, id="ada")
            assert await users.closed(1) == (4403, "FORBIDDEN")
        assert (await at(other, ada).refusal("{ __typename }"))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_what_is_to_be_sent_wakes_a_worker(shared: Settings, tenant: str) -> None:
    """The hub of another process hears that there is work."""
    send = """mutation { notify(input: { recipients: [{ id: "grace" }], type: "a.b", title: "T" }) { created } }"""
    async with running_server(shared) as api, open_hub(shared) as hub:
        with hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter:
            await waiter.moved(5)
            started = time.monotonic()
            await api.user(tenant, "ci", Role.AGENT).data(send)
            await waiter.moved(5)
            assert time.monotonic() - started < 1


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
    """With NATS nobody listens on the database; without it everybody does."""
    listeners = (
        "select count(*) from pg_stat_activity where usename = $1 and application_name = 'tocsin-hints'"
    )
    connection = await asyncpg.connect(urls.superuser)
    server = urls.server.split("//")[1].split(":")[0]
    before = await connection.fetchval(listeners, server)
    async with running_server(shared):
        assert await connection.fetchval(listeners, server) == before
    await connection.close()
