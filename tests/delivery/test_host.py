"""What a host application says by SQL reaches people as if it came by the API."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

import db.tenant
import db.work
from db.session import Database
from db.types import WorkKind
from delivery import cleanup, fan_out
from resolvers.principal import Role
from tests.delivery.support import Eye
from tests.host import Host, open_host
from tests.support import Api, Urls, running_server, test_settings
from tocsin.worker import working

_PAGE = """{ notifications { totalCount nodes {
  type category severity title body url data targets } } }"""
_UPSERT = "mutation($them: [RecipientInput!]!) { upsertRecipients(recipients: $them) { id } }"
_REQUEST = "query($id: ID!) { notifyRequest(id: $id) { status recipients done } }"


@pytest.fixture
async def host(urls: Urls, tenant: str) -> AsyncIterator[Host]:
    """Connect as a host application that is tied to the tenant."""
    async with open_host(urls) as host:
        await host.tie(tenant)
        yield host


async def _work(worker: Database, tenant: str) -> list[UUID]:
    """Do the tenant's requests that are due, as the dispatcher does; return which."""
    lease = uuid4()
    rows = await db.work.pick(worker, {tenant: 10}, lease, 60)
    assert all(row["kind"] == WorkKind.REQUEST for row in rows)
    for row in rows:
        await fan_out.spread(worker, tenant, row["id"], lease)
    return [row["id"] for row in rows]


async def test_a_rollback_tells_nobody(host: Host, worker: Database, eye: Eye, tenant: str) -> None:
    """Nothing is due, and nobody has an inbox."""
    transaction = host.sql.transaction()
    await transaction.start()
    await host.notify(tenant, recipients=["ada"])
    assert await _work(worker, tenant) == []
    await transaction.rollback()
    assert await _work(worker, tenant) == []
    assert [await eye.count(table, tenant) for table in ("request", "due", "inbox", "notification")] == [
        0
    ] * 4


async def test_named_recipients_get_it(
    host: Host, worker: Database, ada: Api.User, grace: Api.User, admin: Api.User, tenant: str
) -> None:
    """After the commit the worker stores a row for each of them, with all that was said."""
    said: dict[str, Any] = {"category": "orders", "severity": "HIGH", "body": "It is **packed**."}
    said |= {"url": "/orders/17", "data": {"order": 17}, "targets": ["order-17"]}
    id = await host.notify(tenant, recipients=["grace", "ada"], **said)
    asked = {"id": str(id)}
    before = (await admin.data(_REQUEST, **asked))["notifyRequest"]
    assert before == {"status": "ACCEPTED", "recipients": 2, "done": 0}
    assert await _work(worker, tenant) == [id]
    for user in (ada, grace):
        page = (await user.data(_PAGE))["notifications"]
        assert page["totalCount"] == 1
        assert page["nodes"] == [{"type": "order.paid", "title": "Order 17 is paid"} | said]
    after = (await admin.data(_REQUEST, **asked))["notifyRequest"]
    assert after == {"status": "DONE", "recipients": 2, "done": 2}
    assert await _work(worker, tenant) == []


async def test_everyone_gets_it(host: Host, worker: Database, admin: Api.User, eye: Eye, tenant: str) -> None:
    """Without recipients it is for the whole directory; how many that is shows when it is done."""
    await admin.data(_UPSERT, them=[{"id": f"user-{n}"} for n in range(3)])
    id = await host.notify(tenant)
    assert (await admin.data(_REQUEST, id=str(id)))["notifyRequest"]["recipients"] == 0
    await _work(worker, tenant)
    done = (await admin.data(_REQUEST, id=str(id)))["notifyRequest"]
    assert done == {"status": "DONE", "recipients": 3, "done": 3}
    assert await eye.rows("user_id, title", "notification", tenant, "1") == [
        (f"user-{n}", "Order 17 is paid") for n in range(3)
    ]


async def test_a_directory_without_anybody(host: Host, worker: Database, eye: Eye, tenant: str) -> None:
    """The request is done, and its tenant known, so that cleanup finds it when it is old."""
    await host.notify(tenant)
    await _work(worker, tenant)
    assert await eye.rows("status, recipients", "request", tenant, "1") == [("DONE", 0)]
    await eye.sql.execute(
        "update tocsin.request set created_at = now() - interval '31 days' where tenant_id = $1", tenant
    )
    assert tenant in await db.tenant.ids(worker)
    assert await cleanup.drop_requests(worker, tenant, 30) == 1


async def test_the_same_key_reaches_people_once(host: Host, worker: Database, eye: Eye, tenant: str) -> None:
    """Whether the second call comes before or after the worker."""
    for _time in range(2):
        for _again in range(2):
            await host.notify(tenant, recipients=["ada"], idempotency_key="order-17")
        await _work(worker, tenant)
    assert await eye.count("notification", tenant) == 1


async def test_what_it_sets_off_is_not_for_the_host(host: Host, worker: Database, tenant: str) -> None:
    """The rows that the worker made are closed to it."""
    await host.notify(tenant, recipients=["ada"])
    await _work(worker, tenant)
    for table in ("notification", "inbox", "delivery", "attempt", "recipient", "event", "tenant"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"permission denied for table {table}"):
            await host.sql.fetch(f"select * from tocsin.{table}")


async def test_the_how_to_works_as_printed(own_urls: Urls, repository: Path, tmp_path: Path) -> None:
    """Its three snippets, run by the superuser, the owner and the host, reach an inbox through a worker."""
    text = (repository / "docs/how-to/notify-from-sql.md").read_text()
    role = f"shop_{uuid4().hex[:12]}"
    grant, tie, transaction = (
        block.replace("shop", role) for block in re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)
    )
    superuser, owner, shop = [
        await asyncpg.connect(url) for url in (own_urls.superuser, own_urls.owner, own_urls.superuser)
    ]
    await superuser.execute(f"create role {role}; create table orders (id int, paid_at timestamptz)")
    await superuser.execute(f"grant insert on orders to {role}")
    await superuser.execute(grant)
    await owner.execute(tie)
    await shop.execute(f"set session authorization {role}")
    settings = test_settings(own_urls, tmp_path)
    async with running_server(settings) as api, working(settings, login_too=True):
        ada = api.user("acme", "ada", Role.USER)
        await shop.execute(transaction)
        async with asyncio.timeout(10):
            while (page := (await ada.data(_PAGE))["notifications"])["totalCount"] == 0:  # noqa: ASYNC110  what is waited for tells nobody
                await asyncio.sleep(0.05)
    assert [node["title"] for node in page["nodes"]] == ["Order 17 is paid"]
    for connection in (shop, owner):
        await connection.close()
    await superuser.execute(f"drop owned by {role}; drop role {role}")
    await superuser.close()
