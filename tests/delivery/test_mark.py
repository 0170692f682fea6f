"""Settling marks: nobody sees it, nobody stops it for good, and it stops nobody."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import db.mark
import delivery.mark
from db import reconcile
from db.session import Scope, Transaction
from delivery import cleanup
from tests.delivery.shop import Recorder, Shop, Tenant
from tests.delivery.support import command
from tests.resolvers.support import DELETE, DISMISS, MARK_ALL_READ, READ
from tests.support import Api, Urls
from tocsin.environment import url

LIST = """{ notifications(first: 200, filter: {dismissed: INCLUDE}) {
  unreadCount eventCursor totalCount nodes { id read readAt updatedAt unreadSeq } } }"""
_SETTLED = "select count(*) from tocsin.notification where tenant_id = $1 and read_at is not null"
_WIDEN = """
with wide as (
  insert into tocsin.notification (tenant_id, id, user_id, type, category, title, body, unread_seq)
  select $1, gen_random_uuid(), 'ada', 'build.done', 'build', 'one more', '', 1 from generate_series(1, $2)
), counted as (
  update tocsin.inbox_count set total = total + $2::int, unread = unread + $2::int where tenant_id = $1
)
update tocsin.inbox set total = total + $2::int, unread = unread + $2::int where tenant_id = $1
"""


async def _marked(shop: Shop, rows: int) -> tuple[Tenant, Api.User]:
    """Return a tenant whose ada has so many rows, all marked and none settled."""
    tenant = shop.tenant()
    ada = shop.api.user(tenant.id, "ada")
    await ada.receive("first")
    await shop.eye.sql.execute(_WIDEN, tenant.id, rows - 1)
    done = await ada.data(MARK_ALL_READ)
    assert (done["markAllRead"]["marked"], await _settled(shop, tenant)) == (rows, 0)
    return tenant, ada


async def _settled(shop: Shop, tenant: Tenant) -> int:
    return int(await shop.eye.sql.fetchval(_SETTLED, tenant.id))


async def _drifts(shop: Shop, tenant: Tenant) -> list[Any]:
    return await reconcile.drifts(shop.worker.reader(Scope(tenant.id, None)), ["ada"])


@asynccontextmanager
async def _unseen(shop: Shop, tenant: Tenant, ada: Api.User) -> AsyncIterator[None]:
    """Check that what the block does changes nothing for ada, in no counter and no event."""
    before, ledger = await ada.data(LIST), await shop.eye.ledger(tenant.id)
    yield
    assert await ada.data(LIST) == before
    assert await shop.eye.ledger(tenant.id) == ledger
    assert await _drifts(shop, tenant) == []


async def test_a_mark_whose_work_was_dropped(shop: Shop) -> None:
    """Cleanup finds it, once; a worker of an older version would have dropped it."""
    tenant, ada = await _marked(shop, 3)
    await shop.eye.sql.execute("delete from tocsin.due where tenant_id = $1", tenant.id)
    async with _unseen(shop, tenant, ada):
        assert (await cleanup.run(shop.worker, cleanup.Days(7, 30, 365))).marks == 1
        assert (await cleanup.run(shop.worker, cleanup.Days(7, 30, 365))).marks == 0
        async with shop.working(Recorder()):
            await tenant.settled()
    assert await _settled(shop, tenant) == 3
    assert [await tenant.due(), await shop.eye.count("mark", tenant.id)] == [0, 0]


async def test_a_mark_is_settled(shop: Shop) -> None:
    """A worker that hears of it writes all its rows, in batches, and then there is no mark and no work."""
    tenant, ada = await _marked(shop, 2 * delivery.mark.BATCH + 50)
    async with _unseen(shop, tenant, ada):
        assert await tenant.due() == 1
        async with shop.working(Recorder()):
            await tenant.settled()
    assert await _settled(shop, tenant) == 2 * delivery.mark.BATCH + 50
    assert [await tenant.due(), await shop.eye.count("mark", tenant.id)] == [0, 0]


async def test_between_two_batches_nothing_shows(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half settled, the inbox looks as before; another worker goes on when the lease has run out."""
    tenant, ada = await _marked(shop, 250)
    monkeypatch.setattr(delivery.mark, "BATCH", 100)
    whole, stuck, calls = db.mark.settle, asyncio.Event(), list[int]()

    async def settle(tx: Transaction, *arguments: Any) -> bool:
        calls.append(1)
        if len(calls) == 2:
            stuck.set()
            raise RuntimeError
        return await whole(tx, *arguments)

    monkeypatch.setattr(db.mark, "settle", settle)
    async with _unseen(shop, tenant, ada):
        async with shop.working(Recorder()):
            await asyncio.wait_for(stuck.wait(), 20)
        assert await _settled(shop, tenant) == 100
        assert await _drifts(shop, tenant) == []
        await tenant.hurry()
        async with shop.working(Recorder()):
            await tenant.settled()
    assert [await _settled(shop, tenant), await shop.eye.count("mark", tenant.id)] == [250, 0]


async def test_a_worker_killed_in_the_middle(shop: Shop, tmp_path: Path) -> None:
    """`tocsin worker` is killed with -9 among 30,000 rows: no row is lost or wrong, and the next does the rest."""
    tenant, ada = await _marked(shop, 30_000)
    given = shop.api.settings
    urls = Urls("", *(url(it) for it in (given.owner_database_url, given.database_url)))
    async with _unseen(shop, tenant, ada):
        async with command(urls, tmp_path, "worker") as worker:
            async with asyncio.timeout(20):
                while not await _settled(shop, tenant):  # noqa: ASYNC110  another process sets no event
                    await asyncio.sleep(0.005)
            worker.process.send_signal(signal.SIGKILL)
            await worker.end()
        assert 0 < await _settled(shop, tenant) < 30_000
        assert await _drifts(shop, tenant) == []
        await tenant.hurry()
        async with shop.working(Recorder()):
            await tenant.settled(60)
    assert [await _settled(shop, tenant), await shop.eye.count("mark", tenant.id)] == [30_000, 0]


async def test_settling_beside_a_busy_user(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """While ada reads, unreads, dismisses, deletes and marks again, two workers settle: each does its part."""
    tenant = shop.tenant()
    ada = shop.api.user(tenant.id, "ada")
    ids = await ada.receive(*(f"row {n}" for n in range(120)))
    monkeypatch.setattr(delivery.mark, "BATCH", 3)

    async def live(mine: list[str]) -> None:
        for n in range(0, len(mine), 3):
            await ada.data(MARK_ALL_READ)
            await ada.data(READ, ids=mine[n : n + 2], read=False)
            await ada.data(DISMISS, ids=mine[n + 1 : n + 3])
            await ada.data(DELETE, ids=mine[n + 2 : n + 3])
            await ada.data(READ, ids=mine[n : n + 1])
            assert await _drifts(shop, tenant) == []

    async with shop.working(Recorder()), shop.working(Recorder()):
        await asyncio.gather(live(ids[:60]), live(ids[60:]))
        async with _unseen(shop, tenant, ada):
            await tenant.settled()
    page = (await ada.data(LIST))["notifications"]
    assert (page["totalCount"], await shop.eye.count("mark", tenant.id)) == (80, 0)
    unread = sum(not node["read"] for node in page["nodes"])
    assert unread == await shop.eye.sql.fetchval(
        "select count(*) from tocsin.notification where tenant_id = $1 and read_at is null and deleted_at is null",
        tenant.id,
    )


async def test_a_mark_does_not_reach_into_the_next_life(shop: Shop) -> None:
    """Who was removed and comes back has unread rows, though the seqs begin again; and the work is dropped."""
    tenant, ada = await _marked(shop, 5)
    await tenant.admin.data('mutation { removeRecipient(id: "ada") }')
    assert [await tenant.due(), await shop.eye.count("mark", tenant.id)] == [1, 0]
    await ada.receive("again")
    async with shop.working(Recorder()):
        await tenant.settled()
    assert await tenant.due() == 0
    assert await _settled(shop, tenant) == 0
    assert await _drifts(shop, tenant) == []


async def test_rows_under_a_mark_expire(shop: Shop) -> None:
    """The cleanup takes them out of the counters as what they are: read."""
    tenant, _ada = await _marked(shop, 5)
    await shop.eye.configure(tenant.id, inbox_days=1)
    await shop.eye.sql.execute(
        "update tocsin.notification set created_at = now() - interval '2 days' where tenant_id = $1",
        tenant.id,
    )
    assert await cleanup.expire(shop.worker, tenant.id) == 5
    assert await _drifts(shop, tenant) == []


async def test_what_was_marked_is_not_escalated(shop: Shop) -> None:
    """Though the mark is not settled, a delivery to who has not read it sees that it was read."""
    tenant, sender = shop.tenant(), Recorder()
    await tenant.channel()
    await tenant.notify("ada", escalateAfterMinutes=5)
    await shop.api.user(tenant.id, "ada").data(MARK_ALL_READ)
    await shop.eye.sql.execute("delete from tocsin.due where tenant_id = $1 and kind = 'MARK'", tenant.id)
    await tenant.hurry()
    async with shop.working(sender):
        await tenant.settled()
    assert await tenant.states() == [("SUPPRESSED", "It was read before.")]
    assert (sender.begun, await _settled(shop, tenant)) == ([], 0)
