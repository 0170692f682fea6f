"""The event log loses its old end: who is behind it must resync, who is not never notices."""

from typing import Any

from db.session import Database
from delivery import cleanup
from tests.delivery.support import Eye
from tests.support import Api

CURSOR = "{ notifications { eventCursor } }"
EVENTS = """
subscription($since: String) {
  inboxEvents(since: $since) { __typename cursor ... on NotificationCreated { notification { title } } }
}
"""


async def _cursor(user: Api.User) -> str:
    return str((await user.data(CURSOR))["notifications"]["eventCursor"])


async def _age(eye: Eye, tenant: str, *seqs: int) -> None:
    await eye.sql.execute(
        "update tocsin.event set at = now() - interval '8 days' where tenant_id = $1 and seq = any($2)",
        tenant,
        list(seqs),
    )


async def _seqs(eye: Eye, tenant: str) -> list[int]:
    return [seq for (seq,) in await eye.rows("seq", "event", tenant, "seq")]


async def _first_event(user: Api.User, since: str) -> Any:
    async with user.socket() as socket:
        feed = await socket.subscribe(EVENTS, since=since)
        return (await feed.next())["inboxEvents"]


async def test_old_events_go_and_their_readers_resync(
    worker: Database, eye: Eye, ada: Api.User, tenant: str
) -> None:
    """Of five events three are old: a cursor behind the cut must resync, one at the cut goes on."""
    cursors = []
    for title in ("one", "two", "three", "four", "five"):
        await ada.receive(title)
        cursors.append(await _cursor(ada))
    await _age(eye, tenant, 1, 2, 3)
    assert await cleanup.drop_events(worker, tenant, 7) == 3
    assert await _seqs(eye, tenant) == [4, 5]
    assert (await _first_event(ada, cursors[1]))["__typename"] == "ResyncRequired"
    event = await _first_event(ada, cursors[2])
    assert (event["__typename"], event["notification"]["title"]) == ("NotificationCreated", "four")


async def test_a_log_may_lose_its_newest_event(
    worker: Database, eye: Eye, ada: Api.User, tenant: str
) -> None:
    """With an empty log, a client at the head goes on with the next event; one behind must resync, once."""
    await ada.receive("one")
    behind = await _cursor(ada)
    await ada.receive("two")
    head = await _cursor(ada)
    await _age(eye, tenant, 1, 2)
    assert await cleanup.drop_events(worker, tenant, 7) == 2
    assert await _seqs(eye, tenant) == []
    resync = await _first_event(ada, behind)
    assert (resync["__typename"], resync["cursor"]) == ("ResyncRequired", head)
    async with ada.socket() as socket:
        feed = await socket.subscribe(EVENTS, since=head)
        assert await feed.silent(0.3)
        await ada.receive("three")
        assert (await feed.next())["inboxEvents"]["notification"]["title"] == "three"
        assert await feed.silent(0.3)


async def test_a_log_never_gets_a_hole(worker: Database, eye: Eye, ada: Api.User, tenant: str) -> None:
    """An event whose transaction began early but committed late stays until all before it are old."""
    await ada.receive("one", "two", "three", "four")
    await _age(eye, tenant, 1, 3)
    assert await cleanup.drop_events(worker, tenant, 7) == 1
    assert await _seqs(eye, tenant) == [2, 3, 4]
    await _age(eye, tenant, 2)
    assert await cleanup.drop_events(worker, tenant, 7) == 2
    assert await _seqs(eye, tenant) == [4]


async def test_events_of_others_stay(
    worker: Database, eye: Eye, ada: Api.User, grace: Api.User, stranger: Api.User, tenant: str
) -> None:
    """Each inbox is cut by its own events' age; another tenant's is not looked at."""
    for somebody in (ada, grace, stranger):
        await somebody.receive("one", "two")
    await eye.sql.execute(
        "update tocsin.event set at = now() - interval '8 days' "
        "where (tenant_id, user_id) in (($1, 'ada'), ($2, 'ada'))",
        tenant,
        stranger.tenant,
    )
    assert await cleanup.drop_events(worker, tenant, 7) == 2
    assert await eye.rows("user_id, seq", "event", tenant, "seq") == [("grace", 1), ("grace", 2)]
    assert await _seqs(eye, stranger.tenant) == [1, 2]


async def test_more_than_a_batch(worker: Database, eye: Eye, ada: Api.User, tenant: str) -> None:
    """2,100 old events before one new go in three transactions."""
    await ada.receive(*(f"row {number}" for number in range(2_101)))
    await _age(eye, tenant, *range(1, 2_101))
    assert await cleanup.drop_events(worker, tenant, 7) == 2_100
    assert await _seqs(eye, tenant) == [2_101]
