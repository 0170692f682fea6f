"""What an owner does to an inbox: read, dismiss, delete, markAllRead."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.resolvers.support import (
    DELETE,
    DISMISS,
    GET,
    MARK_ALL_READ,
    READ,
    Vault,
    add_template,
    change,
    forged,
    inbox,
    now,
    seq_of,
    stats,
    titles,
)
from tests.support import Api

OLD, NEW = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
BETWEEN = "2025-03-01T00:00:00.000Z"
BY_IDS = {"read": READ, "unread": READ, "dismiss": DISMISS, "restore": DISMISS, "delete": DELETE}
STATE: dict[str, dict[str, Any]] = {"unread": {"read": False}, "restore": {"dismissed": False}}


async def unread(user: Api.User) -> set[str]:
    """Return the titles of the rows that are unread, dismissed ones too."""
    return set(await titles(user, first=200, filter={"readState": "UNREAD", "dismissed": "INCLUDE"}))


async def row(user: Api.User, id: str) -> Any:
    """Return a row of the user's."""
    return (await user.data(GET, id=id))["notification"]


# -- by ids ------------------------------------------------------------------------------------------------


async def test_read_and_unread(ada: Api.User) -> None:
    """Reading sets readAt and takes one off the badge; marking unread undoes both and moves unreadSeq."""
    id, _other = await ada.receive("a", "b")
    done = await change(ada, READ, id)
    assert (done["changed"], done["stats"]["unread"], done["stats"]["read"]) == (1, 1, 1)
    (it,) = done["notifications"]
    assert (it["read"], it["readAt"], it["unreadSeq"]) == (True, it["updatedAt"], 1)
    undone = await change(ada, READ, id, read=False)
    assert (undone["changed"], undone["stats"]["unread"], undone["stats"]["read"]) == (1, 2, 0)
    (it,) = undone["notifications"]
    assert (it["read"], it["readAt"], it["unreadSeq"]) == (False, None, 4)
    assert it == await row(ada, id)


async def test_read_means_true_unless_false(ada: Api.User) -> None:
    """Read: null means the same as leaving it out."""
    (id,) = await ada.receive("a")
    assert (await change(ada, READ, id, read=None))["notifications"][0]["read"] is True
    assert (await change(ada, DISMISS, id, dismissed=None))["notifications"][0]["dismissed"] is True


async def test_dismiss_and_restore(ada: Api.User) -> None:
    """Dismissing hides a row from the list and every unread count; restoring brings it back as it was."""
    id, _other = await ada.receive("a", "b")
    done = await change(ada, DISMISS, id)
    (it,) = done["notifications"]
    assert (it["dismissed"], it["dismissedAt"], it["read"]) == (True, it["updatedAt"], False)
    assert {name: done["stats"][name] for name in ("total", "unread", "dismissed")} == {
        "total": 1,
        "unread": 1,
        "dismissed": 1,
    }
    assert await titles(ada) == ["b"]
    assert await titles(ada, filter={"dismissed": "ONLY"}) == ["a"]
    undone = await change(ada, DISMISS, id, dismissed=False)
    (it,) = undone["notifications"]
    assert (it["dismissed"], it["dismissedAt"], it["unreadSeq"]) == (False, None, 1)
    assert (undone["stats"]["total"], undone["stats"]["unread"], undone["stats"]["dismissed"]) == (2, 2, 0)


async def test_delete(ada: Api.User) -> None:
    """A deleted row is gone from lists and counts, whatever the filter."""
    id, _other = await ada.receive("a", "b")
    done = await change(ada, DELETE, id)
    assert (done["ids"], done["stats"]["total"], done["stats"]["unread"]) == ([id], 1, 1)
    assert await titles(ada, filter={"dismissed": "INCLUDE"}) == ["b"]
    assert (await stats(ada))["total"] == 1


@pytest.mark.parametrize("name", BY_IDS)
async def test_doing_it_twice_changes_nothing(ada: Api.User, vault: Vault, name: str) -> None:
    """A row that already is so keeps its instants, and no event tells of it; a deleted one is invalid."""
    (id,) = await ada.receive("a")
    if name in {"unread", "restore"}:
        await change(ada, BY_IDS[name], id)
    await change(ada, BY_IDS[name], id, **STATE.get(name, {}))
    before = await vault.of(ada.tenant)
    if name == "delete":
        error = await ada.refusal(DELETE, ids=[id])
        assert error["extensions"] == {"code": "INVALID_NOTIFICATION_IDS", "invalidIds": [id]}
    else:
        again = await change(ada, BY_IDS[name], id, **STATE.get(name, {}))
        assert (again["changed"], [it["id"] for it in again["notifications"]]) == (0, [id])
    assert await vault.of(ada.tenant) == before


@pytest.mark.parametrize("name", BY_IDS)
async def test_an_id_twice_counts_once(ada: Api.User, name: str) -> None:
    """Duplicates, in whatever case, are one row: once in the payload, once in the counts, once in the log."""
    id, other = await ada.receive("a", "b")
    if name in {"unread", "restore"}:
        await change(ada, BY_IDS[name], id, other)
    head = seq_of(await now(ada))
    done = await change(ada, BY_IDS[name], id, id, other, id.upper(), **STATE.get(name, {}))
    listed = done["ids"] if name == "delete" else [it["id"] for it in done["notifications"]]
    assert listed == [id, other]
    assert done.get("changed", 2) == 2
    assert seq_of(await now(ada)) == head + 2


@pytest.mark.parametrize("document", [READ, DISMISS])
async def test_the_payload_is_in_the_order_of_the_ids(ada: Api.User, document: str) -> None:
    """Rows come back in the order in which they were named."""
    ids = await ada.receive(*"abcdefgh")
    order = [ids[index] for index in (3, 0, 7, 1, 6, 2, 5, 4)]
    assert [it["id"] for it in (await change(ada, document, *order))["notifications"]] == order
    assert (await change(ada, DELETE, *order))["ids"] == order


@pytest.mark.parametrize("name", BY_IDS)
async def test_the_stats_of_a_payload_are_those_of_a_fresh_query(ada: Api.User, name: str) -> None:
    """A payload's stats, groups and id included, are what the stats query then says."""
    id, *_rest = await ada.receive("a", "b", type="x", category="one")
    await ada.receive("c", type="y", category="one")
    await ada.receive("d", type="y", category="two")
    done = await change(ada, BY_IDS[name], id, **STATE.get(name, {}))
    assert done["stats"] == await stats(ada)


@pytest.mark.parametrize("document", [READ, DISMISS, DELETE])
@pytest.mark.parametrize("count", [0, 501])
async def test_the_number_of_ids(ada: Api.User, vault: Vault, document: str, count: int) -> None:
    """No ids, or over 500, are LIMIT_OUT_OF_RANGE, and nothing changes."""
    (id,) = await ada.receive("a")
    before = await vault.of(ada.tenant)
    error = await ada.refusal(document, ids=[id] * count)
    assert error["extensions"] == {"code": "LIMIT_OUT_OF_RANGE", "argument": "ids", "min": 1, "max": 500}
    assert await vault.of(ada.tenant) == before


async def test_five_hundred_ids(ada: Api.User) -> None:
    """500 rows change at once."""
    ids = await ada.receive(*map(str, range(500)))
    assert (await change(ada, READ, *ids))["changed"] == 500
    assert (await change(ada, DISMISS, *ids))["changed"] == 500
    done = await change(ada, DELETE, *ids)
    assert (len(done["ids"]), done["stats"]["total"], done["stats"]["dismissed"]) == (500, 0, 0)


@pytest.mark.parametrize("document", [READ, DISMISS, DELETE])
async def test_one_invalid_id_refuses_all(
    ada: Api.User, grace: Api.User, stranger: Api.User, vault: Vault, document: str
) -> None:
    """Absent, deleted, malformed and foreign ids are listed as they were given, and nothing changes."""
    mine, gone = await ada.receive("mine", "gone")
    (theirs,) = await grace.receive("theirs")
    (far,) = await stranger.receive("far")
    await change(ada, DELETE, gone)
    before = [await vault.of(tenant) for tenant in (ada.tenant, stranger.tenant)]
    wrong = [str(uuid4()), gone, theirs.upper(), far, "nonsense", "", mine.replace("-", "")]
    error = await ada.refusal(document, ids=[wrong[0], mine, *wrong[1:], wrong[0]])
    assert error["extensions"] == {"code": "INVALID_NOTIFICATION_IDS", "invalidIds": wrong}
    assert [await vault.of(tenant) for tenant in (ada.tenant, stranger.tenant)] == before


async def test_a_refused_field_takes_no_sibling_along(ada: Api.User) -> None:
    """Of several mutations in one operation, those that succeed are committed and shown."""
    (id,) = await ada.receive("a")
    answer = await ada.ask(
        "mutation($id: ID!, $no: ID!) {"
        " one: read(ids: [$id]) { changed } two: dismiss(ids: [$no]) { changed }"
        " three: dismiss(ids: [$id]) { changed notifications { read dismissed } } }",
        id=id,
        no=str(uuid4()),
    )
    assert answer.codes == ["INVALID_NOTIFICATION_IDS"]
    assert answer.data == {
        "one": {"changed": 1},
        "two": None,
        "three": {"changed": 1, "notifications": [{"read": True, "dismissed": True}]},
    }


# -- markAllRead -------------------------------------------------------------------------------------------


@pytest.fixture
async def mixed(ada: Api.User) -> Api.User:
    """Ada, with rows that differ in all that a filter can see."""
    template = await add_template(ada)
    await ada.receive("old", type="x", category="one", created_at=OLD)
    await ada.receive("new", type="x", category="two", created_at=NEW, targets=["p", "q"], team_id="blue")
    await ada.receive("made", type="y", category="one", created_at=NEW, targets=["p"], template_id=template)
    read, hidden = await ada.receive("read", "hidden", type="y", category="two", created_at=NEW)
    await change(ada, READ, read)
    await change(ada, DISMISS, hidden)
    return ada


@pytest.mark.parametrize(
    ("filter", "left"),
    [
        (None, set()),
        ({}, {"hidden"}),
        ({"dismissed": "EXCLUDE"}, {"hidden"}),
        ({"dismissed": "INCLUDE"}, set()),
        ({"dismissed": "ONLY"}, {"old", "new", "made"}),
        ({"readState": "UNREAD"}, {"hidden"}),
        ({"readState": "READ"}, {"old", "new", "made", "hidden"}),
        ({"types": ["x"]}, {"made", "hidden"}),
        ({"types": ["x", "y"]}, {"hidden"}),
        ({"types": ["x", "typo"]}, {"made", "hidden"}),
        ({"types": ["typo"]}, {"old", "new", "made", "hidden"}),
        ({"types": []}, {"old", "new", "made", "hidden"}),
        ({"types": None}, {"hidden"}),
        ({"categories": ["one"]}, {"new", "hidden"}),
        ({"categories": []}, {"hidden"}),
        ({"categories": ["nowhere"]}, {"old", "new", "made", "hidden"}),
        ({"targets": ["p"]}, {"old", "hidden"}),
        ({"targets": ["p", "q"]}, {"old", "made", "hidden"}),
        ({"teams": ["blue"]}, {"old", "made", "hidden"}),
        ({"templates": ["nonsense"]}, {"old", "new", "made", "hidden"}),
        ({"createdAfter": BETWEEN}, {"old", "hidden"}),
        ({"createdBefore": BETWEEN}, {"new", "made", "hidden"}),
        ({"types": ["y"], "dismissed": "INCLUDE"}, {"old", "new"}),
    ],
)
async def test_mark_all_read(mixed: Api.User, filter: Any, left: set[str]) -> None:
    """What matches is read, the rest is not, and the counts are those of a fresh query."""
    before = await unread(mixed)
    read_at = {node["readAt"] for node in (await inbox(mixed, filter={"readState": "READ"}))["nodes"]}
    done = await change(mixed, MARK_ALL_READ, filter=filter)
    assert await unread(mixed) == left
    assert done["marked"] == len(before - left)
    assert done["ignoredTypes"] == [it for it in (filter or {}).get("types") or () if it == "typo"]
    assert done["stats"] == await stats(mixed)
    everything = await inbox(mixed, filter={"readState": "READ", "dismissed": "INCLUDE"})
    assert read_at <= {node["readAt"] for node in everything["nodes"]}


async def test_mark_all_read_by_template(mixed: Api.User) -> None:
    """Only rows of the template are read."""
    (template,) = {
        it["template"]["id"]
        for it in (await mixed.data("{ notifications { nodes { template { id } } } }"))["notifications"][
            "nodes"
        ]
        if it["template"]
    }
    assert (await change(mixed, MARK_ALL_READ, filter={"templates": [template]}))["marked"] == 1
    assert await unread(mixed) == {"old", "new", "hidden"}


async def test_nothing_to_mark_is_no_event(mixed: Api.User, vault: Vault) -> None:
    """Marking all read twice changes nothing the second time."""
    await change(mixed, MARK_ALL_READ)
    before = await vault.of(mixed.tenant)
    again = await change(mixed, MARK_ALL_READ)
    assert (again["marked"], again["stats"]) == (0, await stats(mixed))
    assert await vault.of(mixed.tenant) == before


async def test_mark_all_read_in_an_empty_inbox(ada: Api.User, vault: Vault) -> None:
    """Somebody whom nobody ever notified may mark all read, and no event tells of it."""
    start = await now(ada)
    assert (await change(ada, MARK_ALL_READ, upTo=start))["marked"] == 0
    assert (await vault.of(ada.tenant))["event"] == []
    assert await now(ada) == start


async def test_up_to_a_moment(ada: Api.User) -> None:
    """What became unread after the cursor, newly or again, stays unread."""
    again, _before = await ada.receive("again", "before")
    moment = await now(ada)
    await ada.receive("after")
    await change(ada, READ, again)
    await change(ada, READ, again, read=False)
    assert (await change(ada, MARK_ALL_READ, upTo=moment))["marked"] == 1
    assert await unread(ada) == {"again", "after"}
    assert (await change(ada, MARK_ALL_READ, upTo=moment, filter={"types": ["build.done"]}))["marked"] == 0


async def test_up_to_a_moment_and_a_filter(ada: Api.User) -> None:
    """A filter and a moment AND together."""
    await ada.receive("x", type="x")
    await ada.receive("y", type="y")
    moment = await now(ada)
    await ada.receive("x later", type="x")
    assert (await change(ada, MARK_ALL_READ, upTo=moment, filter={"types": ["x"]}))["marked"] == 1
    assert await unread(ada) == {"y", "x later"}


async def test_up_to_the_start_marks_nothing(ada: Api.User) -> None:
    """The cursor of the empty inbox covers no row that came since."""
    start = await now(ada)
    await ada.receive("a")
    assert (await change(ada, MARK_ALL_READ, upTo=start))["marked"] == 0


async def test_up_to_what_is_no_cursor_of_this_inbox(
    ada: Api.User, grace: Api.User, stranger: Api.User, vault: Vault
) -> None:
    """Another inbox's cursor, another epoch's, a place in a list and garbage are INVALID_CURSOR."""
    for user in (ada, grace, stranger):
        await user.receive("a")
    before = await vault.of(ada.tenant)
    edge = (await inbox(ada))["edges"][0]["cursor"]
    other_epoch = forged(ada.tenant, ada.id, 2, 1)
    negative = forged(ada.tenant, ada.id, 1, -1)
    boolean = forged(ada.tenant, ada.id, 1, True)
    huge = forged(ada.tenant, ada.id, 1, 2**63)
    wrong = [await now(grace), await now(stranger), edge, other_epoch, negative, boolean, huge, "", "x"]
    for up_to in wrong:
        error = await ada.refusal(MARK_ALL_READ, upTo=up_to)
        assert error["extensions"] == {"code": "INVALID_CURSOR"}, up_to
    assert await vault.of(ada.tenant) == before


async def test_mark_all_read_refuses_a_filter_that_cannot_be(ada: Api.User, vault: Vault) -> None:
    """A filter with an over-long value is BAD_USER_INPUT, and nothing changes."""
    await ada.receive("a")
    before = await vault.of(ada.tenant)
    error = await ada.refusal(MARK_ALL_READ, filter={"teams": ["x" * 256]})
    assert error["extensions"]["fields"] == [{"field": "teams", "detail": "is longer than 255 characters."}]
    assert await vault.of(ada.tenant) == before
