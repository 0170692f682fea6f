"""Results of one delivery under an old lease and the one that holds, written in the same transaction."""

import asyncio
from itertools import permutations
from uuid import uuid4

import pytest

from db.outbox import Settlement
from db.session import Database
from db.types import DeliveryStatus
from delivery.settler import Settler, Verdict
from tests.delivery.support import Eye
from tests.support import Api

_DELIVERY = """
with request as (
  insert into tocsin.request (tenant_id, id, caller, type, title, recipient_ids, recipients)
  values ($1, gen_random_uuid(), 'test', 'build.done', 'A build', array['ada'], 1) returning tenant_id, id
), stored as (
  insert into tocsin.delivery (tenant_id, id, request_id, user_id)
  select tenant_id, gen_random_uuid(), id, 'ada' from request returning tenant_id, id
)
insert into tocsin.due (tenant_id, id, lease, due_at)
select tenant_id, id, $2, now() + interval '1 minute' from stored returning id
"""


@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_only_the_lease_that_holds_counts(
    worker: Database, eye: Eye, ada: Api.User, tenant: str, order: tuple[int, ...]
) -> None:
    """Of three results, two of leases that are over, exactly the third is written, wherever it stands."""
    await ada.receive("one")
    lease = uuid4()
    id = await eye.sql.fetchval(_DELIVERY, tenant, lease)
    results = [
        Settlement(id, lease, DeliveryStatus.SENT, tried=True, status_code=200),
        Settlement(id, uuid4(), DeliveryStatus.PENDING, delay=60, tried=True, status_code=500),
        Settlement(id, uuid4(), DeliveryStatus.FAILED, tried=True, status_code=410),
    ]
    settler = Settler(worker, lambda _lease, _ids: None)
    settler.put(tenant, [Verdict(results[number]) for number in order])
    async with asyncio.timeout(10):
        await settler.flush()
    assert await eye.rows("status, attempts, strikes", "delivery", tenant, "1") == [("SENT", 1, 0)]
    assert await eye.rows("number, status_code", "attempt", tenant, "1") == [(1, 200)]
    assert await eye.count("due", tenant) == 0
