"""Tests of channels: to the caller alone, past everything, and no more than five a minute each."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

import db.settings
from db.session import Scope
from db.settings import Settings
from db.types import ChannelKind
from tests.resolvers.support import (
    ABSENT,
    Nobody,
    Vault,
    add_channel,
    add_deliveries,
    add_preference,
    change,
    inbox,
    stats,
    titles,
)
from tests.support import Answer, Api

DELIVERY = "{ id status reason channel { id } notification { id title body type } attempts { number } }"
TEST = f"mutation($id: ID!) {{ testChannel(id: $id) {DELIVERY} }}"
TEST_ALL = f"mutation {{ sendTestNotification {DELIVERY} }}"
LAST = "query($id: ID!) { channel(id: $id) { lastDelivery { id status } } }"
REQUEST = """select tenant_id, caller, status, recipient_ids, recipients, done, created, suppressed, type,
category, title, body, notification_ids from tocsin.request"""


async def _due(vault: Vault, tenant: str) -> set[UUID]:
    return {row["id"] for row in await vault.fetch("select tenant_id, id from tocsin.due", tenant)}


async def _tests(vault: Vault, tenant: str) -> list[tuple[UUID, str, bool]]:
    """Return (channel, user, is_test) of each delivery."""
    rows = await vault.fetch("select * from tocsin.delivery", tenant)
    return [(row["channel_id"], row["user_id"], row["is_test"]) for row in rows]


async def _pass(vault: Vault, tenant: str, seconds: float) -> None:
    """Let time pass for a tenant's deliveries."""
    await vault.connection.execute(
        "update tocsin.delivery set created_at = created_at - make_interval(secs => $2) where tenant_id = $1",
        tenant,
        seconds,
    )


# -- one channel -------------------------------------------------------------------------------------------


async def test_it_goes_to_the_caller_alone(admin: Api.User, ada: Api.User, vault: Vault) -> None:
    """One delivery, PENDING and due, of a request that is done; nobody has an inbox row of it."""
    await ada.receive("theirs")
    channel = await add_channel(admin, name="Ops *team*")
    shown = await change(admin, TEST, id=str(channel))
    assert shown == {
        "id": shown["id"],
        "status": "PENDING",
        "reason": None,
        "channel": {"id": str(channel)},
        "notification": None,
        "attempts": [],
    }
    assert await _due(vault, admin.tenant) == {UUID(shown["id"])}
    assert await _tests(vault, admin.tenant) == [(channel, "root", True)]
    (request,) = await vault.fetch(REQUEST, admin.tenant)
    assert tuple(request)[1:] == (
        *("root", "DONE", ["root"], 1, 1, 0, 1, "tocsin.test", "tocsin", "Test from Tocsin"),
        r"root sent this through the channel Ops \*team\* to see whether it works.",
        [],
    )
    assert (await titles(admin), await titles(ada)) == ([], ["theirs"])
    assert (await admin.data(LAST, id=str(channel)))["channel"]["lastDelivery"] == {
        "id": shown["id"],
        "status": "PENDING",
    }


async def test_an_off_switch_and_a_pause_do_not_matter(admin: Api.User, vault: Vault) -> None:
    """A channel is tried before it is switched on."""
    channel = await add_channel(admin, enabled=False)
    await add_preference(admin, category="*", enabled=False)
    async with admin.api.database.transaction(Scope(admin.tenant, None)) as tx:
        await db.settings.store(tx, Settings(notifier_paused=True))
    assert (await change(admin, TEST, id=str(channel)))["status"] == "PENDING"
    assert len(await _due(vault, admin.tenant)) == 1


async def test_five_a_minute(admin: Api.User, rival: Api.User, vault: Vault) -> None:
    """The sixth within a minute is told when to come back, and stores nothing; other channels go on."""
    one, other = [await add_channel(admin) for _ in range(2)]
    for _ in range(4):
        await admin.data(TEST, id=str(one))
    await _pass(vault, admin.tenant, 50)
    await admin.data(TEST, id=str(one))
    before = await vault.of(admin.tenant)
    error = await admin.refusal(TEST, id=str(one))
    assert error["message"] == "A channel takes 5 tests a minute."
    assert error["extensions"] in ({"code": "RATE_LIMITED", "retryAfter": seconds} for seconds in (9, 10))
    assert await vault.of(admin.tenant) == before
    await admin.data(TEST, id=str(other))
    await rival.data(TEST, id=str(await add_channel(rival)))
    await _pass(vault, admin.tenant, error["extensions"]["retryAfter"])
    answers = [(await admin.ask(TEST, id=str(one))).codes for _ in range(5)]
    assert answers == [[], [], [], [], ["RATE_LIMITED"]]


async def test_twenty_at_once(admin: Api.User, vault: Vault) -> None:
    """Of twenty at once five are stored."""
    channel = await add_channel(admin)
    answers = await asyncio.gather(*(admin.ask(TEST, id=str(channel)) for _ in range(20)))
    assert sorted(answer.codes for answer in answers) == [[]] * 5 + [["RATE_LIMITED"]] * 15
    assert len(await _due(vault, admin.tenant)) == 5


async def test_other_deliveries_do_not_count(admin: Api.User) -> None:
    """What was no test leaves room for tests."""
    channel = await add_channel(admin)
    (row,) = await admin.receive("a")
    await add_deliveries(admin, [(row, channel)] * 6)
    assert (await admin.ask(TEST, id=str(channel))).codes == []


async def test_a_deletion_comes_before_or_after(admin: Api.User, vault: Vault) -> None:
    """A channel that is deleted meanwhile is NOT_FOUND, or its test is cancelled; nothing is in between."""
    for _ in range(5):
        id = str(await add_channel(admin))
        document = "mutation($id: ID!) { deleteChannel(id: $id) }"
        tested, deleted = await asyncio.gather(admin.ask(TEST, id=id), admin.ask(document, id=id))
        assert deleted.codes == []
        assert tested.codes in ([], ["NOT_FOUND"])
    rows = await vault.fetch("select tenant_id, status from tocsin.delivery", admin.tenant)
    assert {row["status"] for row in rows} <= {"CANCELLED"}


# -- all of them -------------------------------------------------------------------------------------------


async def test_an_inbox_row_and_every_channel_that_is_on(
    admin: Api.User, ada: Api.User, vault: Vault
) -> None:
    """The caller's inbox has one row, whatever their preferences; each channel that is on gets a delivery."""
    ways = [await add_channel(admin, kind) for kind in (ChannelKind.WEBHOOK, ChannelKind.EMAIL)]
    await add_channel(admin, enabled=False)
    await add_preference(admin, category="*", enabled=False)
    sent = await change(admin, TEST_ALL)
    (row,) = (await inbox(admin))["nodes"]
    assert row["title"] == "Test from Tocsin"
    body = "root sent this through every channel that is on to see whether they work."
    shown = {"id": row["id"], "title": row["title"], "body": body, "type": "tocsin.test"}
    assert {it["channel"]["id"] for it in sent} == {str(way) for way in ways}
    assert [(it["status"], it["notification"]) for it in sent] == [("PENDING", shown)] * 2
    assert await _due(vault, admin.tenant) == {UUID(it["id"]) for it in sent}
    assert sorted(await _tests(vault, admin.tenant)) == sorted((way, "root", True) for way in ways)
    (request,) = await vault.fetch(REQUEST, admin.tenant)
    assert (request["status"], request["created"], request["suppressed"]) == ("DONE", 1, 0)
    assert request["notification_ids"] == [UUID(row["id"])]
    assert ((await stats(admin))["unread"], (await stats(ada))["total"]) == (1, 0)


async def test_without_channels(admin: Api.User) -> None:
    """In a tenant that is new there is the inbox row alone."""
    assert await change(admin, TEST_ALL) == []
    assert await titles(admin) == ["Test from Tocsin"]


async def test_the_category_is_the_types(admin: Api.User) -> None:
    """Who gives the type another category finds the row there."""
    await admin.data(
        'mutation { upsertNotificationTypes(types: [{name: "tocsin.test", category: "ops"}]) { name } }'
    )
    await change(admin, TEST_ALL)
    assert (await stats(admin))["byCategory"] == [{"key": "ops", "total": 1, "unread": 1}]


async def test_both_count_against_one_limit(admin: Api.User, vault: Vault) -> None:
    """Any channel that has had five refuses the whole, and nothing is stored, nor in the inbox."""
    full, _free = [await add_channel(admin) for _ in range(2)]
    for _ in range(3):
        await admin.data(TEST_ALL)
    for _ in range(2):
        await admin.data(TEST, id=str(full))
    before = await vault.of(admin.tenant)
    error = await admin.refusal(TEST_ALL)
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfter"] in {59, 60}
    assert await vault.of(admin.tenant) == before


async def test_all_at_once(admin: Api.User, vault: Vault) -> None:
    """Ten of each kind at once: each channel gets five tests, and nobody waits in a circle."""
    ways = [await add_channel(admin) for _ in range(3)]
    await admin.receive("first")
    asked = [admin.ask(TEST_ALL) for _ in range(10)] + [admin.ask(TEST, id=str(ways[0])) for _ in range(10)]
    answers: list[Answer] = await asyncio.gather(*asked)
    assert {code for answer in answers for code in answer.codes} == {"RATE_LIMITED"}
    found = [way for way, _user, _test in await _tests(vault, admin.tenant)]
    assert found.count(ways[0]) == 5
    assert found.count(ways[1]) == found.count(ways[2]) <= 5


# -- who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [TEST, TEST_ALL])
async def test_admins_only(
    ada: Api.User, agent: Api.User, nobody: Nobody, vault: Vault, document: str
) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, and nothing is stored."""
    id = await add_channel(ada)
    before = await vault.of(ada.tenant)
    asked: list[dict[str, Any]] = [{"id": str(id)}, {"id": ABSENT}] if document == TEST else [{}]
    for variables in asked:
        for user in (ada, agent):
            assert (await user.refusal(document, **variables))["extensions"] == {"code": "FORBIDDEN"}
        assert (await nobody.ask(document, **variables)).codes == ["UNAUTHENTICATED"]
    assert await vault.of(ada.tenant) == before


async def test_a_foreign_channel_is_an_absent_one(admin: Api.User, rival: Api.User, vault: Vault) -> None:
    """Byte for byte; and neither tenant's channels get anything from the other's tests."""
    id = str(await add_channel(admin))
    before = await vault.of(admin.tenant)
    answers = [await rival.ask(TEST, id=it) for it in (id, ABSENT, "nonsense", "")]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].codes == ["NOT_FOUND"]
    assert await change(rival, TEST_ALL) == []
    assert await vault.of(admin.tenant) == before
