"""What is decided once more when a delivery's time has come."""

import asyncio

import pytest

from delivery.dispatcher import Pace
from delivery.sender import Sent
from resolvers.routing import PAUSED
from tests.delivery.shop import Recorder, Shop, Tenant, until

_OPT_OUT = """mutation { updatePreferences(
  preferences: [{category: "*", channelKind: WEBHOOK, enabled: false}]) { id } }"""
_PAUSE = "mutation($paused: Boolean!) { updateSettings(input: {notifierPaused: $paused}) { changed } }"
_READ = "mutation($ids: [ID!]!) { read(ids: $ids) { changed } }"
_HOURLY = """
insert into tocsin.preference (tenant_id, user_id, id, category, channel_kind, digest)
values ($1, 'ada', gen_random_uuid(), '*', 'EMAIL', 'HOURLY')
"""


async def _pause(tenant: Tenant, *, paused: bool) -> None:
    await tenant.admin.data(_PAUSE, paused=paused)


async def test_preferences_changed_while_it_waited(shop: Shop) -> None:
    """Who switches a channel off gets nothing more by it, not even what was on its way."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    await tenant.notify("ada", "bob")
    await shop.api.user(tenant.id, "ada").data(_OPT_OUT)
    async with shop.working(sender):
        await tenant.settled()
    assert await tenant.states() == [("SUPPRESSED", "It is switched off."), ("SENT", None)]
    assert [it.recipient.id for it in sender.done] == ["bob"]


async def test_a_channel_deleted_while_it_waited(shop: Shop) -> None:
    """What waited is cancelled and leaves the outbox."""
    tenant, sender = shop.tenant(), Recorder()
    channel = await tenant.channel()
    await tenant.notify("ada")
    await tenant.admin.data("mutation($id: ID!) { deleteChannel(id: $id) }", id=str(channel))
    async with shop.working(sender):
        await tenant.settled()
    assert ([it["status"] for it in await tenant.log()], await tenant.due()) == (["CANCELLED"], 0)
    assert sender.begun == []


async def test_paused_and_unpaused(shop: Shop) -> None:
    """While a tenant pauses nothing is sent and all waits; as soon as it goes on all is sent."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    async with shop.working(sender):
        await tenant.notify("early")
        await tenant.settled()
        await _pause(tenant, paused=True)
        await tenant.notify("ada", "bob")
        await tenant.settled()
        assert await tenant.states() == [("DEFERRED", PAUSED), ("DEFERRED", PAUSED), ("SENT", None)]
        assert await tenant.due() == 2
        await _pause(tenant, paused=False)
        await tenant.settled()
    assert await tenant.states() == [("SENT", None)] * 3
    assert sorted(it.recipient.id for it in sender.done) == ["ada", "bob", "early"]


async def test_a_pause_that_comes_and_goes_loses_nothing(shop: Shop) -> None:
    """Paused and unpaused in the middle of it again and again, each is sent once and none is left parked."""
    tenant, sender = shop.tenant(), Recorder(seconds=0.005)
    await tenant.channel()

    async def toggle() -> None:
        for number in range(20):
            await _pause(tenant, paused=number % 2 == 0)

    async with shop.working(sender), shop.working(sender):
        toggling = asyncio.create_task(toggle())
        for number in range(10):
            await tenant.notify(*(f"user-{number}-{it}" for it in range(10)))
        await toggling
        await until(lambda: len(sender.done) >= 100)
        await tenant.settled()
    assert await tenant.states() == [("SENT", None)] * 100
    assert (len(sender.done), await tenant.due()) == (100, 0)


@pytest.mark.parametrize(
    ("reads", "state"), [(True, ("SUPPRESSED", "It was read before.")), (False, ("SENT", None))]
)
async def test_escalation(shop: Shop, *, reads: bool, state: tuple[str, str | None]) -> None:
    """After the time given it is sent to who has not read it, and not before."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    said = await tenant.notify("ada", escalateAfterMinutes=5)
    (row,) = await tenant.log()
    assert (row["status"], row["reason"]) == ("DEFERRED", "It waits to be read first.")
    assert 290 < row["seconds"] <= 300
    async with shop.working(sender):
        await asyncio.sleep(0.3)
        assert sender.begun == []
        if reads:
            await shop.api.user(tenant.id, "ada").data(_READ, ids=said["notifications"])
        await tenant.hurry()
        await tenant.settled()
    assert await tenant.states() == [state]
    assert len(sender.done) == (not reads)


async def test_two_workers_gather_one_digest(shop: Shop) -> None:
    """However two workers share out what is due of a digest, it goes as one parcel: 50 rounds."""
    sender = Recorder(Sent(250))
    tenants = [shop.tenant() for _ in range(50)]
    for tenant in tenants:
        await tenant.channel("EMAIL")
        await shop.eye.sql.execute(_HOURLY, tenant.id)
        await tenant.notify("ada", title="First")
        await tenant.notify("ada", title="Second")
        assert [it[0] for it in await tenant.states()] == ["DEFERRED", "DEFERRED"]
    for tenant in tenants:
        await tenant.hurry()
    narrow = Pace(concurrency=4, lease_seconds=60, timeout_seconds=5)  # one delivery of a tenant at a time
    async with shop.working(sender, narrow), shop.working(sender, narrow):
        for tenant in tenants:
            await tenant.settled()
    for tenant in tenants:
        assert await tenant.states() == [("SENT", None)] * 2
        parcels = [it for it in sender.done if it.tenant_id == tenant.id]
        assert [[it.title for it in parcel.messages] for parcel in parcels] == [["First", "Second"]]
