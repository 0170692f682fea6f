"""The dispatcher's leases, its handling of what is poisonous, how it ends, and how it wakes."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pytest

import delivery.dispatcher
from db.session import OUTBOX
from delivery.dispatcher import POLL_SECONDS, Dispatcher, Pace
from delivery.parcel import Parcel
from delivery.sender import Result, Retry, Sent
from live.hub import Waiter
from tests.delivery.shop import QUICK, Recorder, Shop, until

SHORT = Pace(concurrency=96, lease_seconds=1, timeout_seconds=20, grace_seconds=2)


async def test_it_delivers(shop: Shop) -> None:
    """What is due is sent once, logged as one attempt, and leaves the outbox."""
    tenant, sender = shop.tenant(), Recorder(Sent(202))
    await tenant.channel()
    await tenant.notify("ada", "bob")
    async with shop.working(sender):
        await tenant.settled()
    assert sorted(it.recipient.id for it in sender.begun) == ["ada", "bob"]
    assert await tenant.states() == [("SENT", None)] * 2
    assert await tenant.due() == 0
    tries = await shop.eye.rows("number, status_code, error", "attempt", tenant.id, "1")
    assert tries == [(1, 202, None)] * 2


# -- leases ------------------------------------------------------------------------------------------------


async def test_a_result_after_the_lease_is_refused(shop: Shop) -> None:
    """What another worker has taken over meanwhile keeps that one's result; the late one leaves no trace."""
    tenant, late, prompt = shop.tenant(), Recorder(Retry("Late.", 500), seconds=2.5), Recorder(Sent(200))
    await tenant.channel()
    await tenant.notify("ada")
    dispatcher = shop.dispatcher(late, SHORT)
    assert await dispatcher._pick() == 1
    async with shop.working(prompt):
        await until(lambda: bool(prompt.done))
        await _over(dispatcher)
    assert [it.id for it in prompt.done] == [it.id for it in late.begun]
    assert await tenant.states() == [("SENT", None)]
    assert await shop.eye.rows("number, status_code, error", "attempt", tenant.id, "1") == [(1, 200, None)]


async def test_a_result_after_the_lease_that_nobody_took_over_is_refused(shop: Shop) -> None:
    """A lease that ran out is over, whether or not somebody else has come; no strike is counted."""
    tenant, late = shop.tenant(), Recorder(Retry("Late.", 500), seconds=1.5)
    await tenant.channel()
    await tenant.notify("ada")
    dispatcher = shop.dispatcher(late, SHORT)
    assert await dispatcher._pick() == 1
    await _over(dispatcher)
    assert len(late.done) == 1
    assert [(it["status"], it["attempts"], it["strikes"]) for it in await tenant.log()] == [("PENDING", 0, 0)]


async def test_the_heartbeat_holds_what_takes_long(shop: Shop) -> None:
    """A send that takes more than two leases is not taken over, and its result counts."""
    tenant, sender, other = shop.tenant(), Recorder(seconds=5), Recorder()
    held = replace(SHORT, lease_seconds=2)
    await tenant.channel()
    await tenant.notify("ada")
    async with shop.working(sender, held):
        await until(lambda: bool(sender.begun))
        async with shop.working(other, held):
            await tenant.settled()
    assert (len(sender.done), len(other.begun)) == (1, 0)
    assert await tenant.states() == [("SENT", None)]


async def _over(dispatcher: Dispatcher) -> None:
    """Wait until what it has picked is over; nothing holds its leases meanwhile, as if it were stopped."""
    while dispatcher._tasks:
        await asyncio.wait([*dispatcher._tasks])
    await dispatcher._settler.flush()


async def test_what_is_picked_again_takes_no_slot_for_ever(shop: Shop) -> None:
    """A worker that lost its leases picks its own work again; at the end all its slots are free."""
    tenant, sender = shop.tenant(), Recorder(seconds=1.5)
    await tenant.channel()
    await tenant.notify("ada", "bob")
    dispatcher = shop.dispatcher(sender, SHORT)
    assert await dispatcher._pick() == 2
    await asyncio.sleep(1.2)
    assert await dispatcher._pick() == 2
    assert dispatcher._hand._slots.free == SHORT.concurrency - 4
    await _over(dispatcher)
    assert dispatcher._hand._slots.free == SHORT.concurrency


# -- poison ------------------------------------------------------------------------------------------------


async def test_poison_hurts_nobody_else(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Of one batch, what cannot be prepared fails for good, and all the rest is sent."""
    tenant, sender = shop.tenant(), Recorder()
    good, unknown_key, corrupt = [await tenant.channel() for _ in range(3)]
    await shop.eye.sql.execute(
        """update tocsin.channel set secrets = '{"secret": {"key": "lost", "box": "AAAA"}}' where id = $1""",
        unknown_key,
    )
    await shop.eye.sql.execute("update tocsin.channel set secrets = '[1]' where id = $1", corrupt)
    await tenant.notify("ada", "bob")
    with caplog.at_level(logging.CRITICAL):
        async with shop.working(sender):
            await tenant.settled()
    outcomes = {(it["channel_id"], it["status"], it["reason"]) for it in await tenant.log()}
    assert outcomes == {
        (good, "SENT", None),
        (
            unknown_key,
            "FAILED",
            "The channel's secret cannot be opened: its key is not in TOCSIN_SECRET_KEYS.",
        ),
        (corrupt, "FAILED", "Tocsin could not prepare it."),
    }
    assert (len(sender.done), await tenant.due()) == (2, 0)


async def test_a_corrupt_request_fails_alone(shop: Shop) -> None:
    """A request that no code of ours wrote fails, and what was picked with it is sent."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    await tenant.notify("ada")
    bad = (await tenant.notify("bob"))["request"]["id"]
    await shop.eye.sql.execute("update tocsin.request set channels = '{PIGEON}' where id = $1::uuid", bad)
    async with shop.working(sender):
        await tenant.settled()
    assert await tenant.states() == [("SENT", None), ("FAILED", "Tocsin could not prepare it.")]


async def test_a_sender_that_raises_is_tried_again(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """A bug of a sender counts as an attempt that failed; the log has its place and not its words."""
    tenant, sender = shop.tenant(), Recorder(RuntimeError("https://secret.example.org"), Sent(200))
    await tenant.channel()
    await tenant.notify("ada", "bob")
    async with shop.working(sender):
        await tenant.settled()
    assert sorted(await tenant.states()) == [("PENDING", "Tocsin failed to send it."), ("SENT", None)]
    assert "could not be sent: RuntimeError" in caplog.text
    assert "secret.example.org" not in caplog.text


async def test_a_kind_that_is_not_set_up(shop: Shop) -> None:
    """What this deployment cannot send fails at once and says so."""
    tenant = shop.tenant()
    await tenant.channel("SLACK")
    await tenant.notify("ada")
    async with shop.working({}):
        await tenant.settled()
    assert await tenant.states() == [("FAILED", "This deployment is not set up to send SLACK.")]


async def test_a_timeout(shop: Shop) -> None:
    """Whoever takes longer than an attempt may is tried again."""
    tenant, sender = shop.tenant(), Recorder(seconds=5)
    await tenant.channel()
    await tenant.notify("ada")
    async with shop.working(sender, replace(QUICK, timeout_seconds=0.1)):
        await tenant.settled()
    assert await tenant.states() == [("PENDING", "The receiver did not answer in time.")]
    assert sender.done == []


# -- the end -----------------------------------------------------------------------------------------------


class _Mixed:
    """A sender that is quick with some and never done with others."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def send(self, parcel: Parcel) -> Result:
        self.begun.append(parcel.recipient.id)
        await asyncio.sleep(0.3 if parcel.recipient.id < "m" else 60)
        return Sent(200)


async def test_it_ends_gracefully(shop: Shop) -> None:
    """Within the grace what can be finished is, and the rest is another worker's at once."""
    tenant, sender, other = shop.tenant(), _Mixed(), Recorder()
    await tenant.channel()
    await tenant.notify("ada", "bob", "xenia", "yves")
    async with shop.working(sender, replace(QUICK, timeout_seconds=60, grace_seconds=1)) as task:
        await until(lambda: len(sender.begun) == 4)
        stopped = time.monotonic()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert 0.9 < time.monotonic() - stopped < 3
    assert [it["status"] for it in await tenant.log()] == ["SENT", "SENT", "PENDING", "PENDING"]
    async with shop.working(other):
        await tenant.settled(10)
    assert sorted(it.recipient.id for it in other.done) == ["xenia", "yves"]
    assert [(it["status"], it["attempts"], it["strikes"]) for it in await tenant.log()] == [
        ("SENT", 1, 0)
    ] * 4


# -- waking ------------------------------------------------------------------------------------------------


async def test_it_is_woken(shop: Shop) -> None:
    """A hint brings work to an idle worker long before it would have looked by itself."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    took = []
    async with shop.working(sender):
        for number in range(5):
            await asyncio.sleep(0.1)
            await tenant.notify(f"user-{number}")
            began = time.monotonic()
            await until(lambda number=number: len(sender.begun) > number)  # type: ignore[misc]
            took.append(time.monotonic() - began)
    assert sorted(took)[2] < POLL_SECONDS / 4


async def test_it_looks_by_itself(shop: Shop) -> None:
    """Hints that are lost cost a second at most."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    async with shop.working(sender, hears=False):
        await asyncio.sleep(0.2)
        await tenant.notify("ada")
        await until(lambda: bool(sender.done))


async def test_a_hint_has_no_number(shop: Shop) -> None:
    """Each hint at work wakes, though all are alike."""
    with shop.hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter:
        for _ in range(3):
            shop.hub.wake([OUTBOX])
            assert await _wakes(waiter)
        assert not await _wakes(waiter)


async def _wakes(waiter: Waiter) -> bool:
    began = time.monotonic()
    await waiter.moved(1)
    return time.monotonic() - began < 0.8


# -- many tenants ------------------------------------------------------------------------------------------


async def test_what_is_due_behind_many_who_wait(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenants whose work is not yet due keep nobody waiting for the next poll, wherever the last look ended."""
    monkeypatch.setattr(delivery.dispatcher, "_LANES", 3)
    monkeypatch.setattr(delivery.dispatcher, "POLL_SECONDS", 60)
    for number in range(10):
        await shop.eye.sql.execute(
            "insert into tocsin.due (tenant_id, id, due_at) values ($1, $2, 'infinity')",
            f"waits-{number}-{uuid4().hex[:8]}",
            uuid4(),
        )
    sender = Recorder()
    async with shop.working(sender):
        for name in ("zoe", "ada", "mia"):
            tenant = shop.tenant()
            await tenant.channel()
            await tenant.notify(name)
            await until(lambda name=name: name in [it.recipient.id for it in sender.done])  # type: ignore[misc]
