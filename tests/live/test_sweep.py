"""Right without hints: what nobody told of arrives all the same."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

import live.sweep
from db.draft import create
from db.session import Scope, open_database
from live.hub import Hub, Place
from live.sweep import keep_sweeping, sweep
from tests.resolvers.support import WATCH_EVENTS, WATCH_STATS
from tests.support import Urls, draft, running_server
from tocsin.settings import Settings


async def test_one_question_a_tenant() -> None:
    """However many wait; each user once."""
    hub, asked = Hub(), list[tuple[str, list[str]]]()

    async def places(tenant_id: str, users: Collection[str]) -> Mapping[str, Place]:
        asked.append((tenant_id, sorted(users)))
        return {}

    with (
        hub.register("t", "ada"),
        hub.register("t", "ada"),
        hub.register("t", "bob"),
        hub.register("u", "cy"),
    ):
        await sweep(hub, places)
    assert asked == [("t", ["ada", "bob"]), ("u", ["cy"])]


async def test_a_loss_is_swept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the next round; a database that is away ends nothing."""
    hub, rounds = Hub(), list[int]()

    async def places(_tenant_id: str, _users: Collection[str]) -> Mapping[str, Place]:
        rounds.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(live.sweep, "SECONDS", 60)
    task = asyncio.create_task(keep_sweeping(hub, places))
    with hub.register("t", "ada"):
        for number in (1, 2):
            hub.miss()
            await asyncio.sleep(0.05)
            assert len(rounds) == number
    task.cancel()


async def test_without_any_hint(
    settings: Settings, urls: Urls, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that tells nobody: events and the badge arrive with the next sweep."""
    monkeypatch.setattr(live.sweep, "SECONDS", 0.2)
    async with running_server(settings) as api, open_database(urls.server) as database:
        ada = api.user(tenant, "ada")
        async with ada.socket() as socket:
            events, badge = await socket.subscribe(WATCH_EVENTS), await socket.subscribe(WATCH_STATS)
            assert (await badge.next())["stats"]["unread"] == 0
            for count in (1, 2):
                async with database.transaction(Scope(tenant, None)) as tx:
                    await create(tx, [draft("ada", title=str(count))])
                assert (await events.next())["inboxEvents"]["notification"]["title"] == str(count)
                assert (await badge.next())["stats"]["unread"] == count
