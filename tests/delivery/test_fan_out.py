"""Fan-out of requests to many, a batch at a time."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import pytest

import delivery.fan_out
from db.session import Database, Row, Transaction
from delivery.dispatcher import Pace
from delivery.fan_out import BATCH
from tests.delivery.shop import Recorder, Shop, until

PEOPLE = 2 * BATCH + 50
_PEOPLE = """insert into tocsin.recipient (tenant_id, id)
select $1, 'user-' || lpad(n::text, 4, '0') from generate_series(1, $2) n"""
_PROGRESS = (
    "select status, position, recipients, done, created, suppressed from tocsin.request where tenant_id = $1"
)


async def test_everyone_killed_in_the_middle(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends within the second of three batches leaves one; the next one does the other two."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    await shop.eye.sql.execute(_PEOPLE, tenant.id, PEOPLE)
    reached, whole = asyncio.Event(), delivery.fan_out._give

    async def stuck(tx: Transaction, row: Row, users: Sequence[str]) -> None:
        await whole(tx, row, users)
        if row.position:
            reached.set()
            await asyncio.Event().wait()  # all is written, and nothing committed

    await tenant.notify()
    with monkeypatch.context() as patch:
        patch.setattr(delivery.fan_out, "_give", stuck)
        task = asyncio.create_task(shop.dispatcher(sender, Pace(96, 60, 5, grace_seconds=0)).run())
        await asyncio.wait_for(reached.wait(), 20)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    row = await shop.eye.sql.fetchrow(_PROGRESS, tenant.id)
    assert tuple(row or ()) == ("FANNING_OUT", f"user-{BATCH:04}", PEOPLE, BATCH, BATCH, 0)
    assert await shop.eye.count("notification", tenant.id) == BATCH
    async with shop.working(sender):
        await until(lambda: len(sender.done) >= PEOPLE)
        await tenant.settled()
    row = await shop.eye.sql.fetchrow(_PROGRESS, tenant.id)
    assert tuple(row or ()) == ("DONE", f"user-{PEOPLE:04}", PEOPLE, PEOPLE, PEOPLE, 0)
    titles = await shop.eye.rows("count(*), count(distinct user_id)", "notification", tenant.id, "1")
    assert titles == [(PEOPLE, PEOPLE)]
    assert len({it.recipient.id for it in sender.done}) == len(sender.done) == PEOPLE
    assert await tenant.states() == [("SENT", None)] * PEOPLE
    assert await tenant.due() == 0


async def test_two_workers_fan_out_one_request(shop: Shop) -> None:
    """Whoever competes for it, each recipient gets it once."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    await shop.eye.sql.execute(_PEOPLE, tenant.id, PEOPLE)
    async with shop.working(sender), shop.working(sender):
        await tenant.notify()
        await until(lambda: len(sender.done) >= PEOPLE)
        await tenant.settled()
    assert len({it.recipient.id for it in sender.done}) == len(sender.done) == PEOPLE
    assert await shop.eye.count("notification", tenant.id) == PEOPLE


async def test_the_heartbeat_holds_a_long_fan_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes several leases is not taken over meanwhile."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    await shop.eye.sql.execute(_PEOPLE, tenant.id, PEOPLE)
    begun, whole = list[UUID](), delivery.fan_out.spread

    async def slow(database: Database, tenant_id: str, id: UUID, lease: UUID) -> None:
        begun.append(lease)
        await asyncio.sleep(5)
        await whole(database, tenant_id, id, lease)

    monkeypatch.setattr(delivery.fan_out, "spread", slow)
    short = Pace(96, lease_seconds=2, timeout_seconds=5, grace_seconds=2)
    async with shop.working(sender, short), shop.working(sender, short):
        await tenant.notify()
        await tenant.settled()
    assert len(begun) == 1
    assert await shop.eye.count("notification", tenant.id) == PEOPLE
