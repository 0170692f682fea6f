"""Counters equal their rows, whatever was done; where somebody tampered, it is found, told and mended."""

from pathlib import Path

import pytest

from db.reconcile import Drift
from db.session import Database
from db.types import Counters
from delivery import cleanup, reconcile
from tests.delivery.support import Eye, command
from tests.support import Api, Urls

_TAMPER = "update tocsin.inbox set total = total + 3 where tenant_id = $1 and user_id = 'ada'"


async def _busy_inbox(user: Api.User) -> None:
    """Do everything to an inbox that can be done."""
    ids = await user.receive("one", "two", "three", "four", "five")
    await user.receive("six", "seven", type="bill.due", category="billing")
    for document in (
        "mutation($ids: [ID!]!) { read(ids: $ids) { changed } }",
        "mutation($ids: [ID!]!) { dismiss(ids: $ids) { changed } }",
        "mutation($ids: [ID!]!) { read(ids: $ids, read: false) { changed } }",
    ):
        await user.data(document, ids=ids[:2])
    await user.data("mutation($ids: [ID!]!) { delete(ids: $ids) { ids } }", ids=ids[1:3])
    await user.data('mutation { markAllRead(filter: {categories: ["billing"]}) { marked } }')


async def test_there_is_no_drift(
    worker: Database, eye: Eye, ada: Api.User, grace: Api.User, tenant: str
) -> None:
    """After every kind of change, expiry and purge included, all counters equal their rows."""
    for user in (ada, grace):
        await _busy_inbox(user)
    await eye.sql.execute(
        "update tocsin.notification set created_at = now() - interval '9 days' "
        "where tenant_id = $1 and title in ('four', 'six')",
        tenant,
    )
    await eye.configure(tenant, inbox_days=8)
    assert await cleanup.expire(worker, tenant) == 4
    await eye.deleted(tenant, "ada", 3, days=91)
    assert await cleanup.purge(worker, tenant) == 3
    assert await reconcile.tenant(worker, tenant, repair=False) == []


async def test_drift_is_told_with_numbers_and_left(
    worker: Database, eye: Eye, ada: Api.User, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An inbox row with three rows too many: one drift, one log line, and nothing changes."""
    await ada.receive("one", "two")
    await eye.sql.execute(_TAMPER, tenant)
    before = await eye.ledger(tenant)
    (drift,) = await reconcile.tenant(worker, tenant, repair=False)
    assert drift == Drift("ada", "", "", Counters(5, 2), Counters(2, 2))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"drift in tenant {tenant}, inbox of ada, as a whole: recorded (5, 2, 0, 0), counted (2, 2, 0, 0)"
    )
    assert await eye.ledger(tenant) == before


async def test_repair_mends_each_kind_of_drift(
    worker: Database, eye: Eye, ada: Api.User, grace: Api.User, stranger: Api.User, tenant: str
) -> None:
    """A wrong inbox, a wrong, a missing and a superfluous group are mended; others' stay as they were."""
    for user in (ada, grace, stranger):
        await user.receive("one", "two")
        await user.receive("three", type="bill.due", category="billing")
    sound = await eye.ledger(tenant)
    await eye.sql.execute(_TAMPER, tenant)
    await eye.sql.execute(_TAMPER, stranger.tenant)
    foreign = await eye.ledger(stranger.tenant)
    for change in (
        "update tocsin.inbox_count set unread = 0 where tenant_id = $1 and user_id = 'ada' and total = 2",
        "delete from tocsin.inbox_count where tenant_id = $1 and user_id = 'ada' and type = 'bill.due'",
        "insert into tocsin.inbox_count values ($1, 'ada', 'ghost', 'ghost', 1, 1, 1, 1)",
    ):
        await eye.sql.execute(change, tenant)
    found = await reconcile.tenant(worker, tenant, repair=True)
    assert [(drift.user_id, drift.type) for drift in found] == [
        ("ada", ""),
        ("ada", "bill.due"),
        ("ada", "build.done"),
        ("ada", "ghost"),
    ]
    inboxes, groups, events = await eye.ledger(tenant)
    assert inboxes == sound[0]
    assert groups == sorted([*sound[1], ("ada", "ghost", "ghost", 0, 0, 0, 0)])
    assert events == sound[2]
    assert await reconcile.tenant(worker, tenant, repair=False) == []
    assert await eye.ledger(stranger.tenant) == foreign


async def test_more_users_than_are_looked_at_at_once(worker: Database, eye: Eye, tenant: str) -> None:
    """Of 450 inboxes the drifting ones are found wherever they stand in the order."""
    await eye.sql.execute("insert into tocsin.tenant values ($1)", tenant)
    await eye.sql.execute(
        "insert into tocsin.inbox (tenant_id, user_id, total) "
        "select $1, to_char(n, 'FM000'), (n in (1, 200, 201, 450))::int from generate_series(1, 450) n",
        tenant,
    )
    found = await reconcile.tenant(worker, tenant, repair=True)
    assert [drift.user_id for drift in found] == ["001", "200", "201", "450"]
    assert await reconcile.tenant(worker, tenant, repair=False) == []


async def test_the_command(own_urls: Urls, own_eye: Eye, tmp_path: Path) -> None:
    """Its exit code is 0 without drift, 1 with, 0 once mended; it names the numbers."""

    async def run(*words: str) -> tuple[int, str]:
        async with command(own_urls, tmp_path, "reconcile", *words) as running:
            return await running.end()

    await own_eye.deleted("acme", "ada", 1, days=1)
    assert await run() == (0, "0 counters differed.\n")
    await own_eye.sql.execute(_TAMPER, "acme")
    code, output = await run()
    assert code == 1
    assert output.startswith("1 counters differed.\n")
    assert "recorded (3, 0, 0, 0), counted (0, 0, 0, 0)" in output
    code, output = await run("--repair")
    assert (code, output.splitlines()[0]) == (0, "1 counters differed, all are mended.")
    assert await run() == (0, "0 counters differed.\n")
