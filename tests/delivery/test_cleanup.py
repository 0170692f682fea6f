"""What time takes away: exactly what is too old, of exactly the tenant whose rule it is."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

import db.cleanup
from db.safety import unsafe_role
from db.session import WORKER_ROLE, Database, Scope, open_database
from delivery import cleanup, reconcile
from tests.delivery.support import Eye
from tests.support import Api, Urls

OTHER = "another-tenant"
DAYS = cleanup.Days(events=7, deliveries=30, audit=365)


# -- purge -------------------------------------------------------------------------------------------------


async def test_purge_removes_what_was_deleted_90_days_ago(worker: Database, eye: Eye, tenant: str) -> None:
    """Rows deleted 91 days ago go with their deliveries and attempts; those of 89 days ago stay."""
    await eye.deleted(tenant, "ada", 3, days=91)
    await eye.deleted(tenant, "ada", 2, days=89)
    await eye.delivered(tenant)
    assert await cleanup.purge(worker, tenant) == 3
    left = [await eye.count(table, tenant) for table in ("notification", "delivery", "attempt")]
    assert left == [2, 2, 2]
    assert await cleanup.purge(worker, tenant) == 0


async def test_purge_touches_no_counter_and_no_live_row(
    worker: Database, eye: Eye, ada: Api.User, tenant: str
) -> None:
    """Counters, seq, events and the rows that are not deleted are as they were."""
    await ada.receive("one", "two")
    await eye.deleted(tenant, "ada", 5, days=400)
    before = await eye.ledger(tenant)
    assert await cleanup.purge(worker, tenant) == 5
    assert await eye.ledger(tenant) == before
    assert await eye.count("notification", tenant) == 2


async def test_retention_is_the_tenants_own(worker: Database, eye: Eye, tenant: str) -> None:
    """One tenant keeps 7 days, another 365, a third has set nothing: each loses its own rows only."""
    tenants = [f"{tenant}-{name}" for name in ("week", "year", "default")]
    for name in tenants:
        for days in (5, 8, 80, 100, 364, 366):
            await eye.deleted(name, "ada", 1, days)
    await eye.configure(tenants[0], retention_days=7)
    await eye.configure(tenants[1], retention_days=365)
    assert [await cleanup.purge(worker, name) for name in tenants] == [5, 1, 3]
    assert [await eye.count("notification", name) for name in tenants] == [1, 5, 3]


async def test_purge_waits_for_no_inbox_lock(worker: Database, eye: Eye, tenant: str) -> None:
    """It ends while somebody holds the inbox's row."""
    await eye.deleted(tenant, "ada", 1, days=91)
    async with eye.sql.transaction(), asyncio.timeout(5):
        await eye.sql.execute("select from tocsin.inbox where tenant_id = $1 for update", tenant)
        assert await cleanup.purge(worker, tenant) == 1


async def test_two_workers_purge_each_row_once(urls: Urls, eye: Eye, tenant: str) -> None:
    """Whichever worker takes a row, together they take each one once."""
    await eye.deleted(tenant, "ada", 5_500, days=91)
    await eye.delivered(tenant)
    async with (
        open_database(urls.server, size=1, role=WORKER_ROLE) as one,
        open_database(urls.server, size=1, role=WORKER_ROLE) as two,
    ):
        shares = await asyncio.gather(cleanup.purge(one, tenant), cleanup.purge(two, tenant))
    assert sum(shares) == 5_500
    assert [await eye.count(table, tenant) for table in ("notification", "delivery", "attempt")] == [0, 0, 0]


async def test_20_000_rows_go_in_seconds_by_the_index(
    worker: Database, eye: Eye, tenant: str, record_property: Callable[[str, object], None]
) -> None:
    """20,000 rows with deliveries and attempts, beside 20,000 that stay: seconds, and an index scan."""
    await eye.deleted(tenant, "ada", 20_000, days=91)
    await eye.delivered(tenant)
    await eye.deleted(tenant, "ada", 20_000, days=1)
    await eye.sql.execute("analyze tocsin.notification")
    plan = await _plan(worker, db.cleanup._PURGE, tenant, limit=cleanup.BATCH)
    assert "notification_tenant_id_deleted_at_idx" in plan
    assert "notification_pkey" in plan  # an index scan or a bitmap of one, as the statistics go
    assert "Seq Scan on notification" not in plan
    started = time.monotonic()
    assert await cleanup.purge(worker, tenant) == 20_000
    seconds = time.monotonic() - started
    record_property("seconds", seconds)
    assert seconds < 20
    assert [await eye.count(table, tenant) for table in ("notification", "delivery")] == [20_000, 0]


async def _plan(database: Database, statement: Any, tenant: str, **values: Any) -> str:
    scope = Scope(tenant, None)
    async with database.transaction(scope) as tx:
        arguments = statement.arguments(values | scope.binds)
        rows = await tx._connection.fetch("explain " + statement.text, *arguments)
    return "\n".join(row[0] for row in rows)


# -- expire ------------------------------------------------------------------------------------------------


async def _aged_inbox(ada: Api.User, eye: Eye) -> list[str]:
    """Give a user four old rows (unread, read, dismissed, both) and two new ones; return the old ids."""
    old = await ada.receive("unread", "read", "dismissed", "both", type="build.failed")
    await ada.receive("new", "newer")
    await ada.data("mutation($ids: [ID!]!) { read(ids: $ids) { changed } }", ids=[old[1], old[3]])
    await ada.data("mutation($ids: [ID!]!) { dismiss(ids: $ids) { changed } }", ids=old[2:])
    await eye.sql.execute(
        "update tocsin.notification set created_at = now() - interval '31 days' where id = any($1)", old
    )
    return old


async def test_expire_does_what_delete_does(worker: Database, eye: Eye, api: Api, tenant: str) -> None:
    """Counters, seq and events are those of a twin who deleted the same rows through the API."""
    ada, twin = api.user(tenant, "ada"), api.user(f"{tenant}-twin", "ada")
    await _aged_inbox(ada, eye)
    ids = await _aged_inbox(twin, eye)
    await eye.configure(tenant, inbox_days=30)
    assert await cleanup.expire(worker, tenant) == 4
    await twin.data("mutation($ids: [ID!]!) { delete(ids: $ids) { ids } }", ids=ids)
    assert await eye.ledger(tenant) == await eye.ledger(twin.tenant)
    deleted = await eye.rows("title", "notification", tenant, "title")
    assert len(deleted) == 6
    assert await reconcile.tenant(worker, tenant, repair=False) == []
    assert await cleanup.expire(worker, tenant) == 0
    stats = (await ada.data("{ stats { total unread dismissed } }"))["stats"]
    assert stats == {"total": 2, "unread": 2, "dismissed": 0}


async def test_nothing_expires_unless_the_tenant_says_so(
    worker: Database, eye: Eye, ada: Api.User, tenant: str
) -> None:
    """Without inbox_days, and with more days than any row's age, the ledger stays as it is."""
    await _aged_inbox(ada, eye)
    before = await eye.ledger(tenant)
    assert await cleanup.expire(worker, tenant) == 0
    await eye.configure(tenant, inbox_days=32)
    assert await cleanup.expire(worker, tenant) == 0
    assert await eye.ledger(tenant) == before


async def test_expire_leaves_other_tenants_alone(
    worker: Database, eye: Eye, ada: Api.User, grace: Api.User, stranger: Api.User, tenant: str
) -> None:
    """Both users of the tenant lose their old rows; a namesake in another tenant loses nothing."""
    for somebody in (ada, grace, stranger):
        await _aged_inbox(somebody, eye)
    before = await eye.ledger(stranger.tenant)
    await eye.configure(tenant, inbox_days=30)
    assert await cleanup.expire(worker, tenant) == 8
    assert await eye.ledger(stranger.tenant) == before


async def test_two_workers_expire_each_row_once(urls: Urls, eye: Eye, ada: Api.User, tenant: str) -> None:
    """2,500 rows, more than two batches: one event a row, no seq twice, counters at zero."""
    await ada.receive(*(f"row {number}" for number in range(2_500)))
    await eye.sql.execute(
        "update tocsin.notification set created_at = now() - interval '9 days' where tenant_id = $1", tenant
    )
    await eye.configure(tenant, inbox_days=8)
    async with (
        open_database(urls.server, size=1, role=WORKER_ROLE) as one,
        open_database(urls.server, size=1, role=WORKER_ROLE) as two,
    ):
        shares = await asyncio.gather(cleanup.expire(one, tenant), cleanup.expire(two, tenant))
    assert sum(shares) == 2_500
    inboxes, counts, events = await eye.ledger(tenant)
    assert inboxes == [("ada", 1, 5_000, 0, 0, 0, 0)]
    assert counts == [("ada", "build.done", "build", 0, 0, 0, 0)]
    assert [seq for _user, seq, _kind in events] == list(range(1, 5_001))
    assert [kind for _user, _seq, kind in events[2_500:]] == ["REMOVED"] * 2_500


async def test_an_open_subscription_sees_rows_expire(
    worker: Database, eye: Eye, ada: Api.User, tenant: str
) -> None:
    """The worker's own process tells the server's: a NotificationRemoved a row, within a second."""
    (id,) = await ada.receive("old")
    await eye.sql.execute(
        "update tocsin.notification set created_at = now() - interval '9 days' where tenant_id = $1", tenant
    )
    await eye.configure(tenant, inbox_days=8)
    async with ada.socket() as socket:
        feed = await socket.subscribe(
            "subscription { inboxEvents { __typename stats { total } ... on NotificationRemoved { id } } }"
        )
        assert await feed.silent(0.3)
        assert await cleanup.expire(worker, tenant) == 1
        event = (await feed.next(seconds=2))["inboxEvents"]
    assert event == {"__typename": "NotificationRemoved", "stats": {"total": 0}, "id": id}


# -- deliveries --------------------------------------------------------------------------------------------

_LOG = """
with said as (
  insert into tocsin.request (tenant_id, id, caller, type, title, status, created_at)
  select $1, gen_random_uuid(), 'test', 'build.done', status, 'DONE', now() - $3::interval
  from unnest($2::text[]) status returning id, title, created_at
),
sent as (
  insert into tocsin.delivery (tenant_id, id, request_id, user_id, status, created_at)
  select $1, gen_random_uuid(), id, 'ada', title, created_at from said returning id
)
insert into tocsin.attempt (tenant_id, delivery_id, number, duration_ms)
select $1, id, number, 5 from sent, generate_series(1, 2) number
"""
OVER = ("CANCELLED", "FAILED", "SENT", "SUPPRESSED")
WAITING = ("DEFERRED", "PENDING", "SENDING")
_OUTBOX = ("request", "delivery", "attempt")


async def _log(eye: Eye, tenant: str, *statuses: str, days: float) -> None:
    """Store requests that are done, so many days old, each with a delivery and its two attempts."""
    await eye.sql.execute("insert into tocsin.tenant values ($1) on conflict do nothing", tenant)
    await eye.sql.execute(_LOG, tenant, statuses, timedelta(days=days))


async def _outbox(eye: Eye, tenant: str) -> list[int]:
    return [await eye.count(table, tenant) for table in _OUTBOX]


async def test_the_log_keeps_30_days(worker: Database, eye: Eye, tenant: str) -> None:
    """Older deliveries that are over go with their attempts, then their requests; younger ones stay."""
    await _log(eye, tenant, *OVER, days=30.01)
    await _log(eye, tenant, *OVER, days=29.99)
    assert await cleanup.drop_requests(worker, tenant, 30) == 0
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 4
    assert await _outbox(eye, tenant) == [8, 4, 8]
    assert await cleanup.drop_requests(worker, tenant, 30) == 4
    assert await _outbox(eye, tenant) == [4, 4, 8]
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 0
    assert await cleanup.drop_requests(worker, tenant, 30) == 0


async def test_what_waits_stays_however_old(worker: Database, eye: Eye, tenant: str) -> None:
    """With its request, for that holds what it says."""
    await _log(eye, tenant, *WAITING, days=400)
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 0
    assert await cleanup.drop_requests(worker, tenant, 30) == 0
    assert await eye.rows("status", "delivery", tenant, "1") == [(status,) for status in WAITING]
    assert await _outbox(eye, tenant) == [3, 3, 6]


@pytest.mark.parametrize("status", ["ACCEPTED", "FANNING_OUT"])
async def test_a_request_that_is_not_done_stays(status: str, worker: Database, eye: Eye, tenant: str) -> None:
    """Though it has no deliveries yet, or no more."""
    await _log(eye, tenant, "SENT", days=400)
    await eye.sql.execute("update tocsin.request set status = $2 where tenant_id = $1", tenant, status)
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 1
    assert await cleanup.drop_requests(worker, tenant, 30) == 0
    assert await _outbox(eye, tenant) == [1, 0, 0]


async def test_the_log_of_another_tenant_stays(worker: Database, eye: Eye, tenant: str) -> None:
    """Each tenant's log is cleaned in that tenant."""
    other = f"{tenant}-{OTHER}"
    for name in (tenant, other):
        await _log(eye, name, "SENT", days=31)
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 1
    assert await cleanup.drop_requests(worker, tenant, 30) == 1
    assert await _outbox(eye, other) == [1, 1, 2]


async def test_inbox_rows_outlive_their_deliveries(worker: Database, eye: Eye, tenant: str) -> None:
    """The log forgets how something was sent, not what was said."""
    await eye.deleted(tenant, "ada", 3, days=5)
    await eye.delivered(tenant)
    await eye.sql.execute(
        "update tocsin.delivery set status = 'SENT', created_at = now() - interval '31 days'"
        " where tenant_id = $1",
        tenant,
    )
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 3
    assert await eye.count("notification", tenant) == 3


async def test_two_workers_drop_each_delivery_once(urls: Urls, eye: Eye, tenant: str) -> None:
    """Whichever worker takes a row, together they take each one once, and each request once."""
    await _log(eye, tenant, *OVER * 700, days=31)
    async with (
        open_database(urls.server, size=1, role=WORKER_ROLE) as one,
        open_database(urls.server, size=1, role=WORKER_ROLE) as two,
    ):
        for drop in (cleanup.drop_deliveries, cleanup.drop_requests):
            assert sum(await asyncio.gather(*(drop(it, tenant, 30) for it in (one, two)))) == 2_800
    assert await _outbox(eye, tenant) == [0, 0, 0]


async def test_20_000_deliveries_go_in_seconds_by_the_index(
    worker: Database, eye: Eye, tenant: str, record_property: Callable[[str, object], None]
) -> None:
    """Beside 20,000 that stay: both statements walk their index from its old end."""
    await _log(eye, tenant, *OVER * 5_000, days=31)
    await _log(eye, tenant, *OVER * 5_000, days=1)
    values = {"limit": cleanup.BATCH, "days": 30}
    await eye.sql.execute("analyze tocsin.delivery, tocsin.request")
    plan = await _plan(worker, db.cleanup._DROP_DELIVERIES, tenant, **values)
    assert "Index Scan Backward using delivery_log_idx on delivery" in plan
    assert "Seq Scan" not in plan
    started = time.monotonic()
    assert await cleanup.drop_deliveries(worker, tenant, 30) == 20_000
    await eye.sql.execute("analyze tocsin.delivery, tocsin.request")
    plan = await _plan(worker, db.cleanup._DROP_REQUESTS, tenant, **values)
    assert "Index Scan using request_tenant_id_created_at_idx on request" in plan
    assert "delivery_tenant_id_request_id_idx on delivery" in plan
    assert "Seq Scan" not in plan
    assert await cleanup.drop_requests(worker, tenant, 30) == 20_000
    seconds = time.monotonic() - started
    record_property("seconds", seconds)
    assert seconds < 20
    assert await _outbox(eye, tenant) == [20_000, 20_000, 40_000]


# -- the worker's role -------------------------------------------------------------------------------------


async def test_the_worker_cannot_get_around_row_level_security(
    worker: Database, eye: Eye, ada: Api.User, tenant: str
) -> None:
    """Its role is safe, sees nothing without a tenant, and with one sees and deletes in that one alone."""
    await ada.receive("one")
    assert await unsafe_role(worker) is None
    assert await worker.pool.fetchval("select current_user") == WORKER_ROLE
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"no (tenant|actor)"):
        await worker.pool.fetch("select from tocsin.notification")
    async with worker.transaction(Scope(f"{tenant}-{OTHER}", None)) as tx:
        deleted = await tx._connection.execute("delete from tocsin.notification")
    assert deleted == "DELETE 0"
    assert await eye.count("notification", tenant) == 1


# -- the audit log ------------------------------------------------------------------------------------------


async def test_the_audit_log_keeps_its_days(worker: Database, eye: Eye, tenant: str) -> None:
    """Entries of 366 days ago go, of this tenant alone; those of 364 days ago stay."""
    tenants = [tenant, f"{tenant}-{OTHER}"]
    for name in tenants:
        await eye.sql.execute("insert into tocsin.tenant values ($1) on conflict do nothing", name)
        for days in (364, 366, 1000):
            await eye.sql.execute(
                "insert into tocsin.audit (tenant_id, id, admin, action, created_at)"
                " values ($1, gen_random_uuid(), 'root', 'a', now() - make_interval(days => $2))",
                name,
                days,
            )
    assert await cleanup.drop_audit(worker, tenant, 365) == 2
    assert await cleanup.drop_audit(worker, tenant, 365) == 0
    assert [await eye.count("audit", name) for name in tenants] == [1, 3]


# -- all of it ---------------------------------------------------------------------------------------------


async def test_a_cleanup_reports_all_it_did_and_then_nothing(own_urls: Urls, own_eye: Eye) -> None:
    """The first run counts what it did in both tenants; the second finds nothing to do."""
    for tenant in ("one", "two"):
        await own_eye.deleted(tenant, "ada", 2, days=91)
        await _log(own_eye, tenant, "SENT", "FAILED", "PENDING", days=31)
    async with open_database(own_urls.server, role=WORKER_ROLE) as database:
        assert await cleanup.run(database, DAYS) == cleanup.Report(purged=4, deliveries=4, requests=4)
        assert await cleanup.run(database, DAYS) == cleanup.Report()


async def test_a_broken_tenant_stops_no_other(
    own_urls: Urls, own_eye: Eye, caplog: pytest.LogCaptureFixture
) -> None:
    """Where counters are below the rows, the database refuses to expire; the next tenant is cleaned."""
    for tenant in ("a-broken", "b-sound"):
        await own_eye.deleted(tenant, "ada", 1, days=91)
        await own_eye.configure(tenant, inbox_days=1)
        await own_eye.sql.execute(
            "insert into tocsin.inbox_count (tenant_id, user_id, type, category, total, unread) "
            "values ($1, 'ada', 'build.done', 'build', 1, 1)",
            tenant,
        )
        await own_eye.deleted(tenant, "ada", 1, days=2)
    await own_eye.sql.execute(
        "update tocsin.notification set deleted_at = null where deleted_at > now() - interval '3 days'"
    )
    await own_eye.sql.execute("update tocsin.inbox set total = 1, unread = 1 where tenant_id = 'b-sound'")
    async with open_database(own_urls.server, role=WORKER_ROLE) as database:
        report = await cleanup.run(database, DAYS)
    assert report == cleanup.Report(purged=2, expired=1, drifts=1)
    assert "cleanup of tenant a-broken ended early" in caplog.text
