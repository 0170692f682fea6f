"""The badge and its groups: asked for once, and followed."""

import asyncio
from typing import Any

import pytest

from live.hub import Hub
from resolvers import stats as module
from tests.resolvers.support import (
    DELETE,
    DISMISS,
    MARK_ALL_READ,
    READ,
    WATCH_STATS,
    change,
    stats,
    stream,
    until,
    waiters,
)
from tests.support import Api

COUNT = "subscription($filter: NotificationFilter) { stats(filter: $filter) { total unread } }"


async def test_an_empty_inbox(ada: Api.User) -> None:
    """A user whom nobody ever notified counts nothing."""
    counted = await stats(ada)
    assert counted == {
        "id": counted["id"],
        "total": 0,
        "unread": 0,
        "read": 0,
        "dismissed": 0,
        "byType": [],
        "byCategory": [],
    }


async def test_groups(ada: Api.User) -> None:
    """Groups are sorted by name, count what the filter shows, and leave out what has nothing to show."""
    a, *_ = await ada.receive("a", "b", type="y", category="two")
    (c,) = await ada.receive("c", type="x", category="two")
    (d,) = await ada.receive("d", type="z", category="one")
    await change(ada, READ, a, d)
    await change(ada, DISMISS, c)
    counted = await stats(ada)
    assert counted["byType"] == [{"key": "y", "total": 2, "unread": 1}, {"key": "z", "total": 1, "unread": 0}]
    assert counted["byCategory"] == [
        {"key": "one", "total": 1, "unread": 0},
        {"key": "two", "total": 2, "unread": 1},
    ]
    assert (await stats(ada, readState="UNREAD"))["byType"] == [{"key": "y", "total": 1, "unread": 1}]
    assert (await stats(ada, dismissed="ONLY"))["byType"] == [{"key": "x", "total": 1, "unread": 1}]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, (2, 1, 1, 2)),
        ({"dismissed": "INCLUDE"}, (4, 2, 2, 2)),
        ({"dismissed": "ONLY"}, (2, 1, 1, 2)),
        ({"readState": "UNREAD"}, (1, 1, 0, 1)),
        ({"readState": "READ"}, (1, 0, 1, 1)),
        ({"types": ["x"]}, (1, 1, 0, 1)),
        ({"targets": ["p"]}, (1, 0, 1, 1)),
        ({"targets": ["p"], "dismissed": "ONLY", "readState": "READ"}, (1, 0, 1, 1)),
    ],
)
async def test_dismissed_rows(ada: Api.User, filter: Any, expected: tuple[int, ...]) -> None:
    """Dismissed counts the dismissed rows that match the rest of the filter, listed or not."""
    _a, b = await ada.receive("a", "b", type="x")
    c, d = await ada.receive("c", "d", type="y", targets=["p"])
    await change(ada, READ, c, d)
    await change(ada, DISMISS, b, d)
    counted = await stats(ada, **filter)
    assert tuple(counted[name] for name in ("total", "unread", "read", "dismissed")) == expected


async def test_the_id_of_counts(ada: Api.User, grace: Api.User, stranger: Api.User) -> None:
    """An inbox and a filter have one id, whatever is counted; others have others."""
    badge = (await stats(ada))["id"]
    unread = (await stats(ada, readState="UNREAD"))["id"]
    await ada.receive("a")
    assert (await stats(ada))["id"] == badge
    assert (await stats(ada, readState="ALL", dismissed=None, types=None, teams=[]))["id"] == badge
    assert (await stats(ada, readState="UNREAD"))["id"] == unread
    others = [(await stats(user))["id"] for user in (grace, stranger)]
    assert len({badge, unread, *others}) == 4


async def test_each_change_is_followed(ada: Api.User) -> None:
    """The current counts come at once, and new ones after each kind of change."""
    (id,) = await ada.receive("a")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_STATS)
        assert (await feed.next())["stats"] == await stats(ada)
        for document, variables in (
            (READ, {"ids": [id]}),
            (READ, {"ids": [id], "read": False}),
            (DISMISS, {"ids": [id]}),
            (DISMISS, {"ids": [id], "dismissed": False}),
            (MARK_ALL_READ, {}),
            (DELETE, {"ids": [id]}),
        ):
            await change(ada, document, **variables)
            assert (await feed.next())["stats"] == await stats(ada)
        await ada.receive("b")
        assert (await feed.next())["stats"] == await stats(ada)
        assert await feed.silent(0.3)


async def test_a_filter_is_followed(ada: Api.User) -> None:
    """Counts of a filter move only when what it shows does."""
    await ada.receive("x", type="x")
    async with ada.socket() as socket:
        feed = await socket.subscribe(COUNT, filter={"types": ["x"], "readState": "UNREAD"})
        assert (await feed.next())["stats"] == {"total": 1, "unread": 1}
        await ada.receive("y", type="y")
        assert await feed.silent(0.4)
        await ada.receive("x", type="x")
        assert (await feed.next())["stats"] == {"total": 2, "unread": 2}


async def test_over_server_sent_events(ada: Api.User) -> None:
    """The current counts and the next come over server-sent events."""
    async with stream(ada, COUNT) as feed:
        assert (await feed.next())["data"]["stats"] == {"total": 0, "unread": 0}
        await ada.receive("a")
        assert (await feed.next())["data"]["stats"] == {"total": 1, "unread": 1}


async def test_a_burst_is_two_messages(ada: Api.User, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much happens within the interval, one message comes at its end, with the last counts."""
    assert module.MIN_INTERVAL_SECONDS == 1 / 4
    monkeypatch.setattr(module, "MIN_INTERVAL_SECONDS", 1.5)
    clock = asyncio.get_running_loop().time
    async with ada.socket() as socket:
        feed = await socket.subscribe(COUNT)
        assert (await feed.next())["stats"]["total"] == 0
        first = clock()
        for number in range(10):
            await ada.receive(str(number))
        assert clock() < first + 1.4, "the machine is too slow for this test"
        assert (await feed.next())["stats"] == {"total": 10, "unread": 10}
        assert clock() > first + 1.4
        assert await feed.silent(1.6)


async def test_a_filter_that_cannot_be(ada: Api.User, hub: Hub) -> None:
    """A filter with an over-long value ends the subscription with BAD_USER_INPUT that names the field."""
    async with ada.socket() as socket:
        message = await (await socket.subscribe(COUNT, filter={"teams": ["x" * 256]})).message()
    assert message["type"] == "error"
    assert [it["extensions"]["fields"][0]["field"] for it in message["payload"]] == ["teams"]
    await until(lambda: waiters(hub, ada) == 0)


async def test_after_the_end_nobody_waits(ada: Api.User, hub: Hub) -> None:
    """Complete and a closed socket leave no waiter in the hub."""
    async with ada.socket() as socket:
        feeds = [await socket.subscribe(COUNT) for _ in range(2)]
        for feed in feeds:
            await feed.next()
        assert waiters(hub, ada) == 2
        await feeds[0].stop()
        await until(lambda: waiters(hub, ada) == 1)
    await until(lambda: (ada.tenant, ada.id) not in hub._waiters)
