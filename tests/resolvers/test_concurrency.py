"""Two users of two tenants change everything at once; afterwards every number is right."""

import random
from collections.abc import Coroutine
from typing import Any

from tests.resolvers.support import (
    DELETE,
    DISMISS,
    MARK_ALL_READ,
    READ,
    WATCH_EVENTS,
    Vault,
    change,
    gather,
    now,
    seq_of,
    stats,
)
from tests.support import ROWS, Api

COUNTERS = f"""
select tenant_id, user_id{{group}},
  count(*) filter (where dismissed_at is null) as total,
  count(*) filter (where dismissed_at is null and unread) as unread,
  count(*) filter (where dismissed_at is not null) as dismissed,
  count(*) filter (where dismissed_at is not null and unread) as dismissed_unread
from ({ROWS}) rows group by tenant_id, user_id{{group}}
"""
NAMES = ("user_id", "total", "unread", "dismissed", "dismissed_unread")


def changes(user: Api.User, ids: list[str], chance: random.Random) -> list[Coroutine[Any, Any, Any]]:
    """Return 100 changes, 25 of each kind."""
    some: list[Coroutine[Any, Any, Any]] = []
    for number in range(25):
        few = chance.sample(ids, 3)
        state = chance.random() < 0.7
        some += [
            change(user, READ, *few, read=state),
            change(user, DISMISS, *few, dismissed=state),
            change(user, MARK_ALL_READ, filter=None if number % 2 else {"types": [f"type {number % 4}"]}),
            user.receive(str(number), type=f"type {number % 4}", category=f"category {number % 3}"),
        ]
    return some


async def check(vault: Vault, tenant: str) -> int:
    """Compare the counters and the log of a tenant with its rows; return how many events there are."""
    for table, group in (("inbox", ""), ("inbox_count", ", type, category")):
        columns = ", ".join(NAMES) + group
        stored = await vault.fetch(f"select tenant_id, {columns} from tocsin.{table}", tenant)
        counted = await vault.fetch(COUNTERS.format(group=group), tenant)
        order = [*NAMES, *group.split(", ")[1:]]
        assert sorted(
            tuple(row[name] for name in order) for row in stored if row["total"] or row["dismissed"]
        ) == (sorted(tuple(row[name] for name in order) for row in counted))
    heads = {row["user_id"]: row["seq"] for row in await vault.fetch("select * from tocsin.inbox", tenant)}
    events = await vault.fetch("select * from tocsin.event", tenant)
    for user_id, head in heads.items():
        assert sorted(row["seq"] for row in events if row["user_id"] == user_id) == list(range(1, head + 1))
    return len(events)


async def test_a_hundred_changes_of_two_inboxes_at_once(
    ada: Api.User, stranger: Api.User, vault: Vault
) -> None:
    """After 200 changes at once in two tenants, counters equal counts, and the log has each seq once."""
    users, chance = (ada, stranger), random.Random(7)
    ids = {user: await user.receive(*map(str, range(20)), type="type 0") for user in users}
    since = {user: await now(user) for user in users}
    them = [it for user in users for it in changes(user, ids[user], chance)]
    chance.shuffle(them)
    await gather(them)
    for user in users:
        events = await check(vault, user.tenant)
        assert seq_of(await now(user)) == events
        counted = await stats(user, dismissed="INCLUDE")
        assert counted["total"] == 45
        async with user.socket() as socket:
            feed = await socket.subscribe(WATCH_EVENTS, since=since[user], filter={"dismissed": "INCLUDE"})
            told = [seq_of((await feed.next())["inboxEvents"]["cursor"]) for _ in range(events - 20)]
            assert await feed.silent(0.2)
        assert told == list(range(21, events + 1))


async def test_the_same_row_deleted_a_hundred_times_at_once(ada: Api.User, vault: Vault) -> None:
    """Of 100 deletions at once one wins, and the others are refused."""
    (id,) = await ada.receive("a")
    answers = await gather([ada.ask(DELETE, ids=[id]) for _ in range(100)])
    assert sorted(tuple(answer.codes) for answer in answers) == [(), *[("INVALID_NOTIFICATION_IDS",)] * 99]
    assert await check(vault, ada.tenant) == 2


async def test_the_same_row_read_a_hundred_times_at_once(ada: Api.User, vault: Vault) -> None:
    """Of 100 readings at once one changes the row, and all show the same readAt."""
    (id,) = await ada.receive("a")
    done = await gather([change(ada, READ, id) for _ in range(100)])
    assert sorted(it["changed"] for it in done) == [0] * 99 + [1]
    assert len({it["notifications"][0]["readAt"] for it in done}) == 1
    assert await check(vault, ada.tenant) == 2


async def test_the_first_rows_of_an_inbox_at_once(ada: Api.User, grace: Api.User, vault: Vault) -> None:
    """100 producers that make two new inboxes at once neither wait in a circle nor lose a row."""
    await gather([user.receive(str(n), type=f"type {n % 5}") for n in range(50) for user in (ada, grace)])
    assert await check(vault, ada.tenant) == 100
    assert [(await stats(user))["total"] for user in (ada, grace)] == [50, 50]
