"""A user who is removed while a worker is about to tell them something."""

import asyncio
from uuid import uuid4

import pytest

import db.outbox
from db.outbox import Settlement
from db.session import Database, Scope
from db.types import DeliveryStatus
from delivery import fan_out
from tests.delivery.support import Eye
from tests.support import Api

REMOVE = "mutation($id: ID!) { removeRecipient(id: $id) }"
_SAID = """
insert into tocsin.request (tenant_id, id, caller, type, title, recipient_ids, recipients)
values ($1, $2, 'test', 'build.done', 'A build', array['ada'], 1)
"""
_HELD = """
insert into tocsin.due (tenant_id, id, kind, lease, due_at)
values ($1, $2, $3, $2, now() + interval '1 minute')
"""
_DELIVERIES = """
with stored as (
  insert into tocsin.delivery (tenant_id, id, request_id, user_id)
  select $1, gen_random_uuid(), $2, 'ada' from generate_series(1, 300) returning tenant_id, id
)
insert into tocsin.due (tenant_id, id, lease, due_at)
select tenant_id, id, $2, now() + interval '1 minute' from stored returning id
"""
_ONE_OF_THEM = "select from tocsin.delivery where request_id = $1 offset 150 limit 1 for update"
_INBOX = "select from tocsin.inbox where tenant_id = $1 and user_id = 'ada' for update"
_WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


async def _waiting(eye: Eye, count: int) -> None:
    async with asyncio.timeout(10):
        while await eye.sql.fetchval(_WAITING) != count:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("first", ["the removal", "the worker"])
async def test_a_removal_amid_a_fan_out(
    worker: Database, eye: Eye, admin: Api.User, ada: Api.User, tenant: str, first: str
) -> None:
    """Both are under way when the inbox is free, in either order: no deadlock, and nothing is left."""
    await ada.receive("one")
    id = uuid4()
    await eye.sql.execute(_SAID, tenant, id)
    await eye.sql.execute(_HELD, tenant, id, "REQUEST")
    async with eye.sql.transaction():
        await eye.sql.execute(_INBOX, tenant)
        both = [admin.data(REMOVE, id="ada"), fan_out.spread(worker, tenant, id, id)]
        tasks = []
        for number, work in enumerate(both if first == "the removal" else reversed(both), 1):
            tasks.append(asyncio.create_task(work))
            await _waiting(eye, number)
    assert {"removeRecipient": "ada"} in await asyncio.gather(*tasks)
    assert [await eye.count(table, tenant) for table in ("request", "notification", "event", "due")] == [
        0
    ] * 4
    assert await eye.rows("user_id, epoch, seq, total", "inbox", tenant, "1") == [("ada", 2, 0, 0)]


async def test_a_removal_amid_settling(
    worker: Database, eye: Eye, admin: Api.User, ada: Api.User, tenant: str
) -> None:
    """300 results are written, the newest first, when their user goes: the one waits for the other."""
    await ada.receive("one")
    id = uuid4()
    await eye.sql.execute(_SAID, tenant, id)
    rows = await eye.sql.fetch(_DELIVERIES, tenant, id)
    results = [Settlement(row["id"], id, DeliveryStatus.SENT, tried=True) for row in reversed(rows)]

    async def settle() -> int:
        async with worker.transaction(Scope(tenant, None)) as tx:
            return len(await db.outbox.settle(tx, results))

    async with eye.sql.transaction():
        await eye.sql.execute(_ONE_OF_THEM, id)
        settling = asyncio.create_task(settle())
        await _waiting(eye, 1)
        removal = asyncio.create_task(admin.data(REMOVE, id="ada"))
        await _waiting(eye, 2)
    assert await settling == 300
    assert await removal == {"removeRecipient": "ada"}
    left = [await eye.count(table, tenant) for table in ("request", "delivery", "attempt", "due")]
    assert left == [0, 0, 0, 0]
