"""Removing a user: what is erased, what stays, and what happens to those who look on."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import db.preference
from db.session import Scope
from db.tables import metadata
from resolvers.principal import Role
from tests.machines import machine
from tests.resolvers.support import add_attempts, add_channel, add_deliveries
from tests.support import Api, Urls

REMOVE = "mutation($id: ID!) { removeRecipient(id: $id) }"
UPSERT = "mutation($r: [RecipientInput!]!) { upsertRecipients(recipients: $r) { id } }"
INBOX = "{ notifications { totalCount unreadCount eventCursor nodes { id title } } }"
NOTIFY = "mutation($i: NotifyInput!) { notify(input: $i) { created } }"
EVENTS = "subscription($c: String) { inboxEvents(since: $c) { __typename cursor } }"
READ = "mutation($ids: [ID!]!, $read: Boolean) { read(ids: $ids, read: $read) { changed } }"
EMPTY = (0, 0, 0, 0, 0)


async def everything(urls: Urls, tenant: str) -> dict[str, list[Any]]:
    """Return every row of the tenant, of every table, by table, past row level security."""
    connection = await asyncpg.connect(urls.superuser)
    found = {}
    for table in metadata.sorted_tables:
        if "tenant_id" in table.c:
            rows = await connection.fetch(f"select * from {table.fullname} where tenant_id = $1", tenant)
            found[table.name] = [dict(row) for row in rows]
    await connection.close()
    return found


LEFT = {"inbox", "removal", "audit"}
"""Where there still is something of who was removed: that they were, and by whom."""


def of_user(stored: dict[str, list[Any]], user: str) -> dict[str, list[Any]]:
    """Return the rows that say something of a user, whatever the column is called, or of nobody else."""
    found = {}
    for table, rows in stored.items():
        if mine := [row for row in rows if any(it in (user, [user]) for it in row.values())]:
            found[table] = mine
    return found


def in_order(rows: list[Any]) -> list[Any]:
    """Return rows by their age, those of one transaction by their user."""
    return sorted(rows, key=lambda row: (row["created_at"], row.get("user_id", "")))


async def furnish(user: Api.User) -> list[str]:
    """Give a user some of everything that can be stored; return the ids of three notifications."""
    admin = user.api.user(user.tenant, "root", Role.ADMIN)
    await admin.data(UPSERT, r=[{"id": user.id, "email": f"{user.id}@x.org"}])
    ids = await user.receive("one", "two", "three")
    await user.data("mutation($ids: [ID!]!) { delete(ids: $ids) { ids } }", ids=[ids[2]])
    async with user.api.database.transaction(Scope(user.tenant, user.id)) as tx:
        await db.preference.add(tx, user.id, uuid4(), category="*", enabled=False)
    channel = await add_channel(user)
    deliveries = await add_deliveries(user, [(id, channel) for id in ids], "PENDING")
    await add_attempts(user, deliveries, 1)
    return ids


def later(user: Api.User) -> Api.User:
    """Return the user with a token of now."""
    return user.api.user(user.tenant, user.id)


async def next_second() -> None:
    """Wait until a token counts as issued later than now."""
    await asyncio.sleep(1.02 - time.time() % 1)


async def test_nothing_is_left(admin: Api.User, ada: Api.User, grace: Api.User, urls: Urls) -> None:
    """In no table is there a row of the user but the empty inbox and that they were removed."""
    ids = await furnish(ada)
    await furnish(grace)
    before = await everything(urls, admin.tenant)
    assert set(of_user(before, "ada")) == {
        "recipient",
        "inbox",
        "inbox_count",
        "notification",
        "event",
        "preference",
        "request",
        "delivery",
    }
    assert await admin.data(REMOVE, id="ada") == {"removeRecipient": "ada"}
    after = await everything(urls, admin.tenant)
    left = of_user(after, "ada")
    assert set(left) == LEFT
    (inbox,) = left["inbox"]
    counters = ("seq", "total", "unread", "dismissed", "dismissed_unread")
    assert (inbox["epoch"], tuple(inbox[name] for name in counters)) == (2, EMPTY)
    assert len(left["removal"]) == 1
    assert not {str(row["notification_id"]) for row in after["delivery"]} & set(ids)
    assert (len(after["delivery"]), len(after["attempt"])) == (3, 3)
    assert of_user(after, "grace") == of_user(before, "grace")
    assert after["due"] == before["due"]  # ids only: the worker drops what it no longer finds
    kept = [row for row in before["delivery"] if str(row["notification_id"]) not in ids]
    assert sorted(map(repr, after["delivery"])) == sorted(map(repr, kept))


async def test_what_was_said_to_others_too_stays(admin: Api.User, grace: Api.User, urls: Urls) -> None:
    """A request for two people and one for everyone stay as they are; of the deliveries only the user's go."""
    await add_channel(admin)
    await grace.receive("one")
    said = {"type": "build.done", "title": "A build"}
    for whom in ({"recipients": [{"id": "ada"}]}, {"recipients": [{"id": "ada"}, {"id": "grace"}]}):
        await admin.data(NOTIFY, i=said | whom)
    await admin.data(NOTIFY, i=said | {"everyone": True})
    before = await everything(urls, admin.tenant)
    wanted = [["ada"], ["ada", "grace"], None]
    assert [row["recipient_ids"] for row in in_order(before["request"])] == wanted
    assert [row["user_id"] for row in in_order(before["delivery"])] == ["ada", "ada", "grace"]
    await admin.data(REMOVE, id="ada")
    after = await everything(urls, admin.tenant)
    assert in_order(after["request"]) == in_order(before["request"])[1:]
    assert after["delivery"] == [row for row in before["delivery"] if row["user_id"] == "grace"]
    assert [row["user_id"] for row in after["notification"]] == ["grace", "grace"]
    assert set(of_user(after, "ada")) == LEFT


async def test_a_namesake_in_another_tenant_stays(
    admin: Api.User, ada: Api.User, stranger: Api.User, urls: Urls
) -> None:
    """The same id in another tenant is another person."""
    await furnish(ada)
    await furnish(stranger)
    before = await everything(urls, stranger.tenant)
    await admin.data(REMOVE, id="ada")
    assert await everything(urls, stranger.tenant) == before


@pytest.mark.parametrize("trace", ["recipient", "notification", "preference"])
async def test_whoever_left_a_trace_is_known(admin: Api.User, ada: Api.User, urls: Urls, trace: str) -> None:
    """A directory entry, a notification or a preference is enough; each is erased."""
    if trace == "recipient":
        await admin.data(UPSERT, r=[{"id": "ada"}])
    elif trace == "notification":
        await ada.receive("one")
    else:
        await admin.data(UPSERT, r=[{"id": "somebody"}])
        async with ada.api.database.transaction(Scope(ada.tenant, "ada")) as tx:
            await db.preference.add(tx, "ada", uuid4(), category="*", enabled=False)
    assert await admin.data(REMOVE, id="ada") == {"removeRecipient": "ada"}
    assert set(of_user(await everything(urls, admin.tenant), "ada")) == LEFT


async def test_the_unknown_are_not_found(admin: Api.User, stranger: Api.User, urls: Urls) -> None:
    """An absent, a foreign and an impossible id give the same bytes and leave nothing behind."""
    await stranger.receive("one")
    before = await everything(urls, stranger.tenant)
    answers = {
        (await admin.ask(REMOVE, id=id)).content for id in ("ada", "nobody", "", "n" * 256, "user:ada")
    }
    assert len(answers) == 1
    assert b"NOT_FOUND" in answers.pop()
    assert not any((await everything(urls, admin.tenant)).values())
    assert await everything(urls, stranger.tenant) == before


async def test_only_admins_remove(
    api: Api, admin: Api.User, ada: Api.User, grace: Api.User, agent: Api.User, urls: Urls
) -> None:
    """Nobody, the user, another user, agents and another tenant's admin change nothing."""
    await furnish(ada)
    key = await machine(admin)
    await key.data("{ channels { totalCount } }")
    foreign = api.user(f"other-{uuid4().hex[:12]}", "root", Role.ADMIN)
    before = of_user(await everything(urls, admin.tenant), "ada")
    assert (await api.post(REMOVE, id="ada")).codes == ["UNAUTHENTICATED"]
    for caller in (ada, grace, agent, key):
        assert (await caller.ask(REMOVE, id="ada")).codes == ["FORBIDDEN"]
    assert (await foreign.ask(REMOVE, id="ada")).codes == ["NOT_FOUND"]
    assert of_user(await everything(urls, admin.tenant), "ada") == before


async def test_who_comes_back_resyncs(admin: Api.User, ada: Api.User, urls: Urls) -> None:
    """A cursor of the earlier life asks for a resync, whatever happened since; then events go on."""
    await ada.receive("one", "two")
    old = (await ada.data(INBOX))["notifications"]["eventCursor"]
    await admin.data(REMOVE, id="ada")
    await next_second()
    back = later(ada)
    found = (await back.data(INBOX))["notifications"]
    assert (found["totalCount"], found["unreadCount"], found["nodes"]) == (0, 0, [])
    await back.receive("three", "four")
    async with back.socket() as socket:
        feed = await socket.subscribe(EVENTS, c=old)
        assert (await feed.next())["inboxEvents"]["__typename"] == "ResyncRequired"
        await back.receive("five")
        assert (await feed.next())["inboxEvents"]["__typename"] == "NotificationCreated"
    found = (await back.data(INBOX))["notifications"]
    assert (found["totalCount"], found["unreadCount"]) == (3, 3)
    assert of_user(await everything(urls, ada.tenant), "ada")["recipient"][0]["email"] is None


async def test_removing_again_refuses_the_tokens_between(admin: Api.User, ada: Api.User) -> None:
    """A second removal works on what is left, and takes the access of whoever came back."""
    await ada.receive("one")
    await admin.data(REMOVE, id="ada")
    await next_second()
    back = later(ada)
    await back.data(INBOX)
    assert await admin.data(REMOVE, id="ada") == {"removeRecipient": "ada"}
    assert (await back.ask(INBOX)).codes == ["UNAUTHENTICATED"]


async def test_an_open_subscription_closes(admin: Api.User, ada: Api.User) -> None:
    """Whoever follows the inbox gets no event of the erasure, but 4403."""
    await ada.receive("one")
    async with ada.socket() as socket:
        feed = await socket.subscribe(EVENTS)
        await ada.receive("two")
        assert (await feed.next())["inboxEvents"]["__typename"] == "NotificationCreated"
        await admin.data(REMOVE, id="ada")
        assert await socket.closed(3) == (4403, "FORBIDDEN")
        with pytest.raises(TimeoutError):
            await feed.message(0.2)


async def keep_reading(user: Api.User, ids: list[str], codes: list[str]) -> None:
    """Mark read and unread in turn until refused, and remember every error's code."""
    read = True
    while "UNAUTHENTICATED" not in codes:
        answer = await user.ask(READ, ids=ids, read=read)
        codes += answer.codes
        read = not read


async def keep_receiving(user: Api.User, others: Api.User, done: asyncio.Event) -> int:
    """Send to two users in one transaction, again and again; return how often."""
    sent = 0
    while not done.is_set():
        await user.receive("more")
        await others.receive("more")
        sent += 1
    return sent


async def test_removing_amid_writes(admin: Api.User, ada: Api.User, grace: Api.User, urls: Urls) -> None:
    """With sessions that mark the rows and an open subscription, no deadlock, and nothing is left."""
    ids = await ada.receive(*(f"n{number}" for number in range(200)))
    await grace.receive("hers")
    before = of_user(await everything(urls, ada.tenant), "grace")
    codes: list[str] = []
    async with ada.socket() as socket:
        await socket.subscribe(EVENTS)
        sessions = [
            asyncio.create_task(keep_reading(ada, ids[start::2] + ids[:20], codes)) for start in (0, 1, 0)
        ]
        await asyncio.sleep(0.3)
        assert await admin.data(REMOVE, id="ada") == {"removeRecipient": "ada"}
        assert await socket.closed(3) == (4403, "FORBIDDEN")
        async with asyncio.timeout(10):
            await asyncio.gather(*sessions)
    assert set(codes) <= {"UNAUTHENTICATED", "INVALID_NOTIFICATION_IDS"}
    stored = await everything(urls, ada.tenant)
    assert set(of_user(stored, "ada")) == LEFT
    assert of_user(stored, "grace") == before


async def test_removing_amid_arrivals(admin: Api.User, ada: Api.User, grace: Api.User, urls: Urls) -> None:
    """While notifications keep arriving, each removal is whole: what came later is a consistent new inbox."""
    await ada.receive("first")
    done = asyncio.Event()
    arriving = [asyncio.create_task(keep_receiving(*pair, done)) for pair in ((ada, grace), (grace, ada))]
    for _ in range(10):
        await asyncio.sleep(0.03)
        assert await admin.data(REMOVE, id="ada") == {"removeRecipient": "ada"}
    done.set()
    sent = sum(await asyncio.gather(*arriving))
    await ada.receive("last")
    stored = of_user(await everything(urls, ada.tenant), "ada")
    (inbox,) = stored["inbox"]
    rows = len(stored["notification"])
    assert inbox["epoch"] == 11
    assert (inbox["seq"], inbox["total"], inbox["unread"]) == (rows, rows, rows)
    assert (sum(row["total"] for row in stored["inbox_count"]), len(stored["event"])) == (rows, rows)
    assert len(stored["recipient"]) == 1
    hers = of_user(await everything(urls, ada.tenant), "grace")
    assert len(hers["notification"]) == hers["inbox"][0]["total"] == sent


async def test_a_removal_and_an_upsert_at_once(admin: Api.User, ada: Api.User) -> None:
    """Twenty of each, side by side, all succeed."""
    await ada.receive("one")
    people = [{"id": id, "name": id} for id in ("ada", "bea", "cy")]
    removals = [admin.data(REMOVE, id="ada") for _ in range(20)]
    upserts = [admin.data(UPSERT, r=people[:: 1 if turn % 2 else -1]) for turn in range(20)]
    pairs = [it for pair in zip(removals, upserts, strict=True) for it in pair]
    answers = await asyncio.gather(*pairs)
    assert [next(iter(answer)) for answer in answers] == ["removeRecipient", "upsertRecipients"] * 20
