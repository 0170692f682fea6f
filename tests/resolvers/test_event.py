"""What happens in an inbox, told over a WebSocket and over server-sent events."""

from datetime import UTC, datetime
from typing import Any

import pytest

from live.hub import Hub
from tests.resolvers.support import (
    DELETE,
    DISMISS,
    MARK_ALL_READ,
    READ,
    WATCH_EVENTS,
    Statements,
    Vault,
    change,
    forged,
    now,
    seq_of,
    stream,
    until,
    waiters,
)
from tests.support import Api, Feed

CREATED, UPDATED, REMOVED = "NotificationCreated", "NotificationUpdated", "NotificationRemoved"


def told(event: Any) -> tuple[str, str, int]:
    """Return the type of an event, the title or id it is about, and its seq."""
    about = event.get("notification", {}).get("title") or event.get("id") or ""
    return event["__typename"], about, seq_of(event["cursor"])


def looks(statements: list[str]) -> int:
    """Return how many of these statements look at the event log."""
    return sum("FROM tocsin.event" in text for text in statements)


async def events(feed: Feed, count: int) -> list[Any]:
    """Return the next events, which must be all for now."""
    found = [(await feed.next())["inboxEvents"] for _ in range(count)]
    assert await feed.silent(0.2)
    return found


async def heard(user: Api.User, since: str, count: int, **filter: Any) -> list[tuple[str, str, int]]:
    """Return what is replayed since a cursor, which must be all."""
    async with user.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=since, filter=filter or None)
        return [told(event) for event in await events(feed, count)]


# -- each kind of change, live -----------------------------------------------------------------------------


async def test_each_change_by_another_session(ada: Api.User) -> None:
    """Creating, reading, dismissing, the undoing of both, and deleting come in order, with exact seqs."""
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
        (id,) = await ada.receive("a")
        made = (await feed.next())["inboxEvents"]
        assert told(made) == (CREATED, "a", 1)
        assert made["notification"] == {"id": id, "title": "a", "read": False, "dismissed": False}
        assert made["stats"] == {"total": 1, "unread": 1, "dismissed": 0}
        for seq, read, unread in ((2, True, 0), (3, False, 1)):
            await change(ada, READ, id, read=read)
            event = (await feed.next())["inboxEvents"]
            assert told(event) == (UPDATED, "a", seq)
            assert event["notification"]["read"] is read
            assert event["stats"] == {"total": 1, "unread": unread, "dismissed": 0}
        await change(ada, DISMISS, id)
        hidden = (await feed.next())["inboxEvents"]
        assert (told(hidden), tuple(hidden["stats"].values())) == ((REMOVED, id, 4), (0, 0, 1))
        await change(ada, DISMISS, id, dismissed=False)
        back = (await feed.next())["inboxEvents"]
        assert (told(back), tuple(back["stats"].values())) == ((UPDATED, "a", 5), (1, 1, 0))
        await change(ada, DELETE, id)
        gone = (await feed.next())["inboxEvents"]
        assert (told(gone), tuple(gone["stats"].values())) == ((REMOVED, id, 6), (0, 0, 0))
        assert await feed.silent(0.2)


async def test_several_rows_of_one_change(ada: Api.User) -> None:
    """Rows that change in one transaction are one event each, in the order of their seqs."""
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
        ids = await ada.receive(*"abc")
        assert [told(event)[1:] for event in await events(feed, 3)] == [("a", 1), ("b", 2), ("c", 3)]
        await change(ada, DELETE, *ids)
        gone = await events(feed, 3)
        assert [event["__typename"] for event in gone] == [REMOVED] * 3
        assert {event["id"] for event in gone} == set(ids)
        assert [seq_of(event["cursor"]) for event in gone] == [4, 5, 6]


async def test_all_read_without_a_filter(ada: Api.User) -> None:
    """Marking all read is one event: no ids, but the seq up to which all is read, and the readAt."""
    (hidden,) = await ada.receive("hidden")
    await ada.receive("a", "b")
    await change(ada, DISMISS, hidden)
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
        await change(ada, MARK_ALL_READ)
        (event,) = await events(feed, 1)
    rows = await ada.data("{ notifications(filter: {dismissed: INCLUDE}) { nodes { readAt unreadSeq } } }")
    nodes = rows["notifications"]["nodes"]
    assert {node["readAt"] for node in nodes} == {event["readAt"]}
    assert max(node["unreadSeq"] for node in nodes) <= event["upToSeq"] == 4
    assert (event["__typename"], event["ids"], seq_of(event["cursor"])) == ("InboxRead", None, 5)
    assert event["at"] == event["readAt"]
    assert event["stats"] == {"total": 2, "unread": 0, "dismissed": 1}


async def test_all_read_while_away(ada: Api.User, grace: Api.User) -> None:
    """What is replayed after it shows and matches as it is now: read, though no worker has settled it yet."""
    start = await now(ada)
    (changed,) = await ada.receive("changed")
    await change(ada, DISMISS, changed)
    await change(ada, DISMISS, changed, dismissed=False)
    await change(ada, MARK_ALL_READ)
    await grace.receive("hers")
    assert await heard(ada, start, 4) == [
        (CREATED, "changed", 1),
        (UPDATED, "changed", 2),
        (UPDATED, "changed", 3),
        ("InboxRead", "", 4),
    ]
    assert await heard(ada, start, 3, readState="UNREAD") == [
        (REMOVED, changed, 2),
        (REMOVED, changed, 3),
        ("InboxRead", "", 4),
    ]
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=start)
        assert (await events(feed, 4))[0]["notification"]["read"] is True


async def test_all_read_with_a_filter(ada: Api.User) -> None:
    """With a filter the event names the rows that became read, and no other."""
    ids = await ada.receive("a", "b", type="x")
    await ada.receive("c", type="y")
    await change(ada, READ, ids[0])
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
        await change(ada, MARK_ALL_READ, filter={"types": ["x"]})
        (event,) = await events(feed, 1)
    assert (event["__typename"], event["ids"], event["upToSeq"]) == ("InboxRead", [ids[1]], 4)


async def test_all_read_up_to_a_moment(ada: Api.User) -> None:
    """With a moment, upToSeq is the moment's."""
    await ada.receive("a")
    moment = await now(ada)
    await ada.receive("b")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
        await change(ada, MARK_ALL_READ, upTo=moment)
        (event,) = await events(feed, 1)
    assert (event["ids"], event["upToSeq"], event["stats"]["unread"]) == (None, 1, 1)


async def test_what_changes_nothing_is_no_event(ada: Api.User) -> None:
    """Reading what is read, refused changes and empty markings are silent."""
    (id,) = await ada.receive("a")
    await change(ada, READ, id)
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
        await change(ada, READ, id)
        await change(ada, MARK_ALL_READ)
        await ada.refusal(DELETE, ids=[id, "nonsense"])
        assert await feed.silent(0.3)


async def test_without_a_cursor_it_begins_now(ada: Api.User, hub: Hub, statements: Statements) -> None:
    """Without since, nothing of the past is told, and all that comes."""
    await ada.receive("past")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS)
        await until(lambda: waiters(hub, ada) == 1)
        # The head, then the first look at the log.
        await until(lambda: looks(statements.by_service(ada.tenant)) == 1)
        await ada.receive("future")
        assert [told(event) for event in await events(feed, 1)] == [(CREATED, "future", 2)]


async def test_other_inboxes_do_not_wake_it(
    ada: Api.User, grace: Api.User, stranger: Api.User, hub: Hub, statements: Statements
) -> None:
    """What happens to another user, or to a namesake elsewhere, runs no statement for this subscription."""
    await ada.receive("a")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=forged(ada.tenant, ada.id, 1, 0))
        await events(feed, 1)
        assert waiters(hub, ada) == 1
        statements.of(ada.tenant)
        async with grace.socket() as other:
            theirs = await other.subscribe(WATCH_EVENTS, since=await now(grace))
            await grace.receive("g")
            await events(theirs, 1)
        await stranger.receive("s")
        assert await feed.silent(0.3)
        # Both are hers: at the beginning, and when something came.
        assert looks(statements.by_service(ada.tenant)) == 2


# -- a filter ----------------------------------------------------------------------------------------------


async def test_a_row_that_stops_matching_is_removed(ada: Api.User) -> None:
    """For a list of unread rows, reading one removes it and marking it unread brings it back."""
    (id,) = await ada.receive("a")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada), filter={"readState": "UNREAD"})
        await change(ada, READ, id)
        assert [told(event) for event in await events(feed, 1)] == [(REMOVED, id, 2)]
        await change(ada, READ, id, read=False)
        assert [told(event) for event in await events(feed, 1)] == [(UPDATED, "a", 3)]


async def test_all_read_for_a_list_of_what_was_read(ada: Api.User) -> None:
    """A list of read rows lacks those that are read at once: it must be read again, and then it goes on."""
    ids = await ada.receive("a", "b")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada), filter={"readState": "READ"})
        await change(ada, MARK_ALL_READ)
        (resync,) = await events(feed, 1)
        assert (resync["__typename"], resync["cursor"]) == ("ResyncRequired", await now(ada))
        await change(ada, READ, ids[0], read=False)
        assert [told(event) for event in await events(feed, 1)] == [(REMOVED, ids[0], 4)]


async def test_a_row_that_never_matched_is_not_told_of(ada: Api.User) -> None:
    """A new row that the filter hides is silent; the stats still count it."""
    await ada.receive("known", type="y")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada), filter={"types": ["y"]})
        await ada.receive("x", type="x")
        assert await feed.silent(0.2)
        await ada.receive("y", type="y")
        (event,) = await events(feed, 1)
    assert told(event) == (CREATED, "y", 3)
    assert event["stats"] == {"total": 3, "unread": 3, "dismissed": 0}


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"categories": ["one"]}, ["a"]),
        ({"teams": ["blue"]}, ["b"]),
        ({"targets": ["p"]}, ["a", "c"]),
        ({"createdBefore": "2025-01-02T00:00:00Z"}, ["c"]),
        ({"types": ["typo"]}, ["a", "b", "c"]),
        ({"types": []}, ["a", "b", "c"]),
        ({"dismissed": "ONLY"}, []),
        ({"readState": "READ"}, []),
        ({"templates": ["nonsense"]}, []),
    ],
)
async def test_each_filter_of_new_rows(ada: Api.User, filter: Any, expected: list[str]) -> None:
    """New rows are told of as the same filter would list them."""
    start = await now(ada)
    await ada.receive("a", category="one", targets=["p", "q"])
    await ada.receive("b", team_id="blue")
    await ada.receive("c", targets=["p"], created_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert [title for _, title, _ in await heard(ada, start, len(expected), **filter)] == expected


async def test_a_type_that_becomes_known_meanwhile(ada: Api.User) -> None:
    """A filter may name types that come later: once they are known, their rows are told of, and no others."""
    await ada.receive("x", type="x")
    async with ada.socket() as socket:
        some = await socket.subscribe(WATCH_EVENTS, since=await now(ada), filter={"types": ["x", "later"]})
        only = await socket.subscribe(WATCH_EVENTS, since=await now(ada), filter={"types": ["later"]})
        await ada.receive("l", type="later")
        await ada.receive("y", type="y")
        await ada.receive("x", type="x")
        assert [told(event)[1:] for event in await events(some, 2)] == [("l", 2), ("x", 4)]
        assert [told(event)[1:] for event in await events(only, 1)] == [("l", 2)]


async def test_a_filter_that_cannot_be(ada: Api.User, hub: Hub) -> None:
    """A filter with an over-long value ends the subscription with BAD_USER_INPUT that names the field."""
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, filter={"teams": ["x" * 256]})
        message = await feed.message()
    assert message["type"] == "error"
    (error,) = message["payload"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [it["field"] for it in error["extensions"]["fields"]] == ["teams"]
    await until(lambda: waiters(hub, ada) == 0)


# -- since -------------------------------------------------------------------------------------------------


async def test_replay_then_live(ada: Api.User) -> None:
    """What came after the cursor is replayed in order, and then it goes on live, without gap or double."""
    await ada.receive("before")
    since = await now(ada)
    await ada.receive(*"abc")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=since)
        await ada.receive("live")
        assert [told(event) for event in await events(feed, 4)] == [
            (CREATED, "a", 2),
            (CREATED, "b", 3),
            (CREATED, "c", 4),
            (CREATED, "live", 5),
        ]


async def test_a_replay_of_hundreds_while_more_arrive(ada: Api.User) -> None:
    """A long log is told in batches, each seq once, and changes during the replay come after it."""
    since = await now(ada)
    await ada.receive(*map(str, range(250)))
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=since)
        await feed.next()
        await ada.receive("late", "later")
        found = await events(feed, 251)
    assert [seq_of(event["cursor"]) for event in found] == list(range(2, 253))


async def test_each_cursor_resumes_after_its_event(ada: Api.User) -> None:
    """Wherever a reader stopped, the cursor of its last event brings exactly the rest."""
    start = await now(ada)
    (id, *_rest) = await ada.receive("a", "b")
    await change(ada, READ, id)
    await change(ada, MARK_ALL_READ)
    async with ada.socket() as socket:
        whole = await events(await socket.subscribe(WATCH_EVENTS, since=start), 4)
    for index, event in enumerate(whole):
        rest = await heard(ada, event["cursor"], len(whole) - index - 1)
        assert rest == [told(it) for it in whole[index + 1 :]]


async def test_events_carry_the_row_as_it_is_now(ada: Api.User) -> None:
    """A replay tells of each change, with the row and the counts as they are at last."""
    start = await now(ada)
    (id,) = await ada.receive("a")
    await change(ada, READ, id)
    async with ada.socket() as socket:
        made, updated = await events(await socket.subscribe(WATCH_EVENTS, since=start), 2)
    assert (made["__typename"], updated["__typename"]) == (CREATED, UPDATED)
    assert made["notification"] == updated["notification"]
    assert made["notification"]["read"] is True
    assert made["stats"] == updated["stats"] == {"total": 1, "unread": 0, "dismissed": 0}


async def test_of_a_deleted_row_only_its_removal_is_told(ada: Api.User) -> None:
    """Earlier events of a row since deleted are left out."""
    start = await now(ada)
    gone, _kept = await ada.receive("gone", "kept")
    await change(ada, READ, gone)
    await change(ada, DELETE, gone)
    assert await heard(ada, start, 2) == [(CREATED, "kept", 2), (REMOVED, gone, 4)]


async def test_a_row_dismissed_since(ada: Api.User) -> None:
    """A row that was made and dismissed meanwhile arrives as one removal."""
    start = await now(ada)
    (id,) = await ada.receive("a")
    await change(ada, DISMISS, id)
    assert await heard(ada, start, 1) == [(REMOVED, id, 2)]


async def test_a_page_and_then_its_events(ada: Api.User) -> None:
    """The eventCursor of a page brings what the page does not show, and nothing that it does."""
    await ada.receive("shown")
    page = await ada.data("{ notifications { eventCursor nodes { title } } }")
    await ada.receive("after")
    assert [node["title"] for node in page["notifications"]["nodes"]] == ["shown"]
    since = page["notifications"]["eventCursor"]
    assert await heard(ada, since, 1) == [(CREATED, "after", 2)]


BAD_CURSORS = ("", "x", "=", "a" * 5_000, forged(), forged(1, 2), forged("t", "u", 1, 1))


async def test_a_cursor_that_is_none_of_this_inbox(ada: Api.User) -> None:
    """Garbage, a place in a list, or numbers that no inbox reaches are INVALID_CURSOR at once."""
    await ada.receive("a")
    edge = (await ada.data("{ notifications { edges { cursor } } }"))["notifications"]["edges"][0]["cursor"]
    mine = (ada.tenant, ada.id)
    numbers = ((1, -1), (-1, 1), (1, 2**63), ("1", 1), (1, None), (1, 1.5), (True, 1), (1, 1, 1), (1,))
    async with ada.socket() as socket:
        for since in (*BAD_CURSORS, edge, *(forged(*mine, *it) for it in numbers)):
            message = await (await socket.subscribe(WATCH_EVENTS, since=since)).message()
            assert message["type"] == "error", since
            assert [it["extensions"] for it in message["payload"]] == [{"code": "INVALID_CURSOR"}]


@pytest.mark.parametrize(
    ("epoch", "seq", "reason"),
    [
        (1, 9, "The cursor is ahead of the inbox."),
        (2, 3, "The inbox was restored since."),
        (0, 1, "The inbox was restored since."),
        (2, 0, "The events since were already dropped from the log."),
        (1, 0, "The events since were already dropped from the log."),
        (1, 1, "The events since were already dropped from the log."),
    ],
)
async def test_a_copy_that_cannot_be_patched(
    ada: Api.User, vault: Vault, epoch: int, seq: int, reason: str
) -> None:
    """A cursor ahead, of another epoch or older than the log: one ResyncRequired, and then it goes on."""
    await ada.receive(*"abc")
    await vault.connection.execute("delete from tocsin.event where tenant_id = $1 and seq <= 2", ada.tenant)
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=forged(ada.tenant, ada.id, epoch, seq))
        (resync,) = await events(feed, 1)
        assert (resync["__typename"], resync["reason"], resync["cursor"]) == (
            "ResyncRequired",
            reason,
            await now(ada),
        )
        assert resync["stats"] == {"total": 3, "unread": 3, "dismissed": 0}
        await ada.receive("d")
        assert [told(event) for event in await events(feed, 1)] == [(CREATED, "d", 4)]


async def test_the_oldest_event_still_in_the_log(ada: Api.User, vault: Vault) -> None:
    """A cursor just before the first event that is left still replays."""
    await ada.receive(*"abc")
    await vault.connection.execute("delete from tocsin.event where tenant_id = $1 and seq <= 2", ada.tenant)
    assert await heard(ada, forged(ada.tenant, ada.id, 1, 2), 1) == [(CREATED, "c", 3)]


async def test_an_empty_log(ada: Api.User, vault: Vault) -> None:
    """When the whole log is gone, the head's cursor goes on and any older one needs a resync."""
    await ada.receive(*"abc")
    await vault.connection.execute("delete from tocsin.event where tenant_id = $1", ada.tenant)
    assert await heard(ada, forged(ada.tenant, ada.id, 1, 3), 0) == []
    assert [it[0] for it in await heard(ada, forged(ada.tenant, ada.id, 1, 2), 1)] == ["ResyncRequired"]


async def test_a_new_epoch_while_it_is_open(ada: Api.User, vault: Vault) -> None:
    """A restore under an open subscription is told as one ResyncRequired, with a cursor of the new epoch."""
    await ada.receive("a")
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=forged(ada.tenant, ada.id, 1, 0))
        await events(feed, 1)
        await vault.connection.execute("update tocsin.inbox set epoch = 2 where tenant_id = $1", ada.tenant)
        await ada.receive("b")
        (resync,) = await events(feed, 1)
        assert (resync["__typename"], resync["cursor"]) == ("ResyncRequired", await now(ada))
        await ada.receive("c")
        assert [told(event) for event in await events(feed, 1)] == [(CREATED, "c", 3)]


# -- over server-sent events, and the end --------------------------------------------------------------------


async def test_over_server_sent_events(ada: Api.User) -> None:
    """The same events come over server-sent events: replayed, then live."""
    since = await now(ada)
    await ada.receive("past")
    async with stream(ada, WATCH_EVENTS, since=since) as feed:
        assert told((await feed.next())["data"]["inboxEvents"]) == (CREATED, "past", 1)
        await ada.receive("live")
        assert told((await feed.next())["data"]["inboxEvents"]) == (CREATED, "live", 2)


async def test_a_bad_cursor_over_server_sent_events(ada: Api.User) -> None:
    """INVALID_CURSOR comes over server-sent events too."""
    async with stream(ada, WATCH_EVENTS, since="garbage") as feed:
        body = await feed.next()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INVALID_CURSOR"]


async def test_after_the_end_nobody_waits(ada: Api.User, hub: Hub) -> None:
    """Complete, a closed socket and a closed stream leave no waiter in the hub."""
    since = await now(ada)
    async with ada.socket() as socket:
        feeds = [await socket.subscribe(WATCH_EVENTS, since=since) for _ in range(3)]
        await until(lambda: waiters(hub, ada) == 3)
        await feeds[0].stop()
        await until(lambda: waiters(hub, ada) == 2)
        await ada.receive("a")
        assert [told(event) for event in await events(feeds[1], 1)] == [(CREATED, "a", 1)]
        assert await feeds[0].silent(0.1)
    await until(lambda: waiters(hub, ada) == 0)
    async with stream(ada, WATCH_EVENTS, since=since) as feed:
        await feed.next()
        assert waiters(hub, ada) == 1
    await until(lambda: waiters(hub, ada) == 0)
    assert (ada.tenant, ada.id) not in hub._waiters
