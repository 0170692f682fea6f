"""Transactions that overlap: whoever resumes from a cursor gets what was committed after it, whatever began first.

The inbox's row is locked before anything of it is written, and its seq grows under that lock. So the order of seqs
is the order of commits, and an open transaction has no seq yet that a cursor could be past. A transaction begins
with the statement that sets its tenant, and locks the inbox only when it writes.
"""

import asyncio
from contextlib import suppress

from db.draft import create
from db.session import Scope
from tests.resolvers.support import MARK_ALL_READ, READ, WATCH_EVENTS, change, now, seq_of
from tests.support import Api, Feed, draft


async def _told(feed: Feed) -> tuple[str, int]:
    """Return the title and seq of the next event, which must be of a row."""
    event = (await feed.next())["inboxEvents"]
    return event["notification"]["title"], seq_of(event["cursor"])


async def test_what_began_first_and_commits_last(ada: Api.User) -> None:
    """A begins, B commits, a client resumes from B's cursor, A writes and commits: A's event arrives."""
    since = await now(ada)
    async with ada.socket() as socket:
        async with ada.api.database.transaction(Scope(ada.tenant, None)) as a:
            await ada.receive("B")
            first = await socket.subscribe(WATCH_EVENTS, since=since)
            event = (await first.next())["inboxEvents"]
            resumed = await socket.subscribe(WATCH_EVENTS, since=event["cursor"])
            assert await resumed.silent(0.2)
            await create(a, [draft(ada.id, title="A")])
            assert await resumed.silent(0.2)
        assert seq_of(event["cursor"]) == 1
        assert await _told(resumed) == await _told(first) == ("A", 2)


async def test_what_has_written_and_not_committed(ada: Api.User) -> None:
    """A has written when B begins: B waits for A, and both arrive in the order of their commits."""
    since = await now(ada)
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=since)
        async with ada.api.database.transaction(Scope(ada.tenant, None)) as a:
            await create(a, [draft(ada.id, title="A")])
            b = asyncio.create_task(ada.receive("B"))
            assert await feed.silent(0.3)
            assert not b.done()
            assert seq_of(await now(ada)) == 0
        await b
        assert [await _told(feed), await _told(feed)] == [("A", 1), ("B", 2)]


async def test_what_rolls_back_leaves_no_hole(ada: Api.User) -> None:
    """A writes and rolls back while B waits: B has the seq that A would have had, and a resume goes on over it."""
    since = await now(ada)
    with suppress(ConnectionAbortedError):
        async with ada.api.database.transaction(Scope(ada.tenant, None)) as a:
            await create(a, [draft(ada.id, title="A")])
            b = asyncio.create_task(ada.receive("B"))
            await asyncio.sleep(0.1)
            raise ConnectionAbortedError
    await b
    async with ada.socket() as socket:
        feed = await socket.subscribe(WATCH_EVENTS, since=since)
        assert await _told(feed) == ("B", 1)
        assert await feed.silent(0.2)


async def test_two_inboxes_in_one_transaction(ada: Api.User, grace: Api.User) -> None:
    """A is about to write to two inboxes while both change: each user gets all of their own, and nothing else."""
    users = (ada, grace)
    cursors = {}
    async with ada.api.database.transaction(Scope(ada.tenant, None)) as a:
        for user in users:
            await user.receive("B")
            cursors[user] = await now(user)
        await create(a, [draft(user.id, title=f"A for {user.id}") for user in users])
    for user in users:
        async with user.socket() as socket:
            feed = await socket.subscribe(WATCH_EVENTS, since=cursors[user])
            assert await _told(feed) == (f"A for {user.id}", 2)
            assert await feed.silent(0.2)


async def test_fifty_that_overlap(ada: Api.User) -> None:
    """A client that resumes from each event anew misses none of fifty overlapping transactions."""
    (id,) = await ada.receive("a")
    since = await now(ada)
    changes = [
        *(ada.receive(str(number)) for number in range(30)),
        *(change(ada, READ, id, read=bool(number % 2)) for number in range(10)),
        *(change(ada, MARK_ALL_READ) for _ in range(10)),
    ]
    writing = asyncio.gather(*changes)
    seqs = [1]
    async with ada.socket() as socket:
        while not writing.done() or seqs[-1] < seq_of(await now(ada)):
            feed = await socket.subscribe(WATCH_EVENTS, since=since)
            since = (await feed.next())["inboxEvents"]["cursor"]
            seqs.append(seq_of(since))
            await feed.stop()
    await writing
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) > 30
