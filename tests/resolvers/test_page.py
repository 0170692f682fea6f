"""Pages: which arguments go together, what they give, and walks while the inbox grows."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from resolvers import cursor
from tests.resolvers.support import DELETE, change, forged, inbox, now, titles
from tests.support import Api

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
async def five(ada: Api.User) -> Api.User:
    """Ada, with notifications from 1, the oldest, to 5."""
    for number in range(1, 6):
        await ada.receive(str(number), created_at=START + timedelta(hours=number))
    return ada


async def cursors(user: Api.User) -> dict[str, str]:
    """Return the cursor of each title."""
    found = await inbox(user, first=200)
    names = {node["id"]: node["title"] for node in found["nodes"]}
    return {names[edge["node"]["id"]]: edge["cursor"] for edge in found["edges"]}


async def ids(user: Api.User) -> dict[str, str]:
    """Return the id of each title."""
    return {node["title"]: node["id"] for node in (await inbox(user, first=200))["nodes"]}


def shown(page: Any) -> tuple[str, bool, bool]:
    """Return the titles, and whether there is more before and after."""
    info = page["pageInfo"]
    return "".join(it["title"] for it in page["nodes"]), info["hasPreviousPage"], info["hasNextPage"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("54321", False, False)),
        ({"first": 2}, ("54", False, True)),
        ({"first": 5}, ("54321", False, False)),
        ({"first": 200}, ("54321", False, False)),
        ({"after": "4"}, ("321", True, False)),
        ({"first": 2, "after": "4"}, ("32", True, True)),
        ({"first": 3, "after": "4"}, ("321", True, False)),
        ({"first": 2, "after": "1"}, ("", True, False)),
        ({"last": 2}, ("21", True, False)),
        ({"last": 5}, ("54321", False, False)),
        ({"last": 2, "before": "2"}, ("43", True, True)),
        ({"last": 3, "before": "2"}, ("543", False, True)),
        ({"last": 2, "before": "5"}, ("", False, True)),
        ({"page": 1}, ("54321", False, False)),
        ({"first": 2, "page": 1}, ("54", False, True)),
        ({"first": 2, "page": 2}, ("32", True, True)),
        ({"first": 2, "page": 3}, ("1", True, False)),
        ({"first": 2, "page": 4}, ("", True, False)),
        ({"first": 200, "page": 1_000_000}, ("", True, False)),
        ({"startingBefore": "4"}, ("321", True, False)),
        ({"first": 2, "startingBefore": "4"}, ("32", True, True)),
        ({"startingBefore": "1"}, ("", True, False)),
        ({"first": None, "after": None, "last": None, "before": None, "page": None}, ("54321", False, False)),
        ({"last": 2, "first": None, "startingBefore": None}, ("21", True, False)),
    ],
)
async def test_the_arguments_of_a_page(
    five: Api.User, arguments: dict[str, Any], expected: tuple[str, bool, bool]
) -> None:
    """Each combination that makes sense gives these rows, newest first, and says what lies around them."""
    place = await cursors(five)
    variables = {k: place[v] if k in {"after", "before"} and v else v for k, v in arguments.items()}
    if start := arguments.get("startingBefore"):
        variables["startingBefore"] = (await ids(five))[start]
    found = await inbox(five, **variables)
    assert shown(found) == expected
    assert found["totalCount"] == 5
    assert [edge["node"]["id"] for edge in found["edges"]] == [node["id"] for node in found["nodes"]]
    around = (place.get(expected[0][:1]), place.get(expected[0][-1:]))
    assert (found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]) == around


async def test_twenty_unless_asked(ada: Api.User) -> None:
    """Without first or last a page has 20 rows."""
    await ada.receive(*map(str, range(25)))
    found = await inbox(ada)
    assert (len(found["nodes"]), found["totalCount"], found["pageInfo"]["hasNextPage"]) == (20, 25, True)


LAST = ("last", "goes with neither first, after nor page.")
BEFORE = ("before", "goes with last only.")
PAGE = ("page", "goes with first only.")
STARTING = ("startingBefore", "goes with first only.")


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"first": 1, "last": 1}, [LAST]),
        ({"last": 1, "after": "3"}, [LAST]),
        ({"last": 1, "page": 1}, [LAST]),
        ({"before": "3"}, [BEFORE]),
        ({"first": 1, "before": "3"}, [BEFORE]),
        ({"after": "3", "before": "3"}, [BEFORE]),
        ({"page": 1, "before": "3"}, [BEFORE]),
        ({"page": 1, "after": "3"}, [PAGE]),
        ({"first": 1, "page": 1, "after": "3"}, [PAGE]),
        ({"first": 1, "last": 1, "before": "3"}, [LAST, BEFORE]),
        ({"startingBefore": "3", "last": 1}, [STARTING]),
        ({"startingBefore": "3", "last": 1, "before": "3"}, [STARTING]),
        ({"startingBefore": "3", "after": "3"}, [STARTING]),
        ({"startingBefore": "3", "page": 1}, [STARTING]),
        ({"startingBefore": "3", "first": 2, "page": 2}, [STARTING]),
    ],
)
async def test_contradictions(
    five: Api.User, arguments: dict[str, Any], fields: list[tuple[str, str]]
) -> None:
    """Arguments that do not go together are BAD_USER_INPUT that names each of the wrong ones."""
    place, id = await cursors(five), (await ids(five))["3"]
    given = {k: place[v] if k in {"after", "before"} else v for k, v in arguments.items()}
    error = await five.refusal(
        "query($first: Int, $after: String, $last: Int, $before: String, $page: Int, $startingBefore: ID) {"
        " notifications(first: $first, after: $after, last: $last, before: $before, page: $page,"
        " startingBefore: $startingBefore) { totalCount } }",
        **given | ({"startingBefore": id} if "startingBefore" in given else {}),
    )
    assert error["extensions"] == {
        "code": "BAD_USER_INPUT",
        "fields": [{"field": field, "detail": detail} for field, detail in fields],
    }
    assert error["path"] == ["notifications"]


@pytest.mark.parametrize(
    ("argument", "value", "high"),
    [
        *(("first", value, 200) for value in (0, -1, 201, 2**31 - 1, -(2**31))),
        *(("last", value, 200) for value in (0, -1, 201)),
        *(("page", value, 1_000_000) for value in (0, -1, 1_000_001)),
    ],
)
async def test_sizes_out_of_range(five: Api.User, argument: str, value: int, high: int) -> None:
    """A size out of range is LIMIT_OUT_OF_RANGE that names the argument and its bounds."""
    error = await five.refusal(f"{{ notifications({argument}: {value}) {{ totalCount }} }}")
    assert error["extensions"] == {
        "code": "LIMIT_OUT_OF_RANGE",
        "argument": argument,
        "min": 1,
        "max": high,
    }


BAD_CURSORS = [
    "",
    "x",
    "%",
    "ü",
    "=" * 10,
    "a" * 5_000,
    forged(),
    forged(1),
    forged(1, 2),
    forged(1, None),
    forged(1, []),
    forged(1, "not an id"),
    forged("1", str(uuid4())),
    forged(None, str(uuid4())),
    forged([1], str(uuid4())),
    forged({}, str(uuid4())),
    forged(1, str(uuid4()), 3),
    forged(2**62, str(uuid4())),
    forged(-(2**62), str(uuid4())),
    forged(1e300, str(uuid4())),
    cursor._encode("t", "u", 1, 1),
]


@pytest.mark.parametrize("bad", BAD_CURSORS)
async def test_a_malformed_cursor(five: Api.User, bad: str) -> None:
    """Whatever is not a cursor of a list is INVALID_CURSOR."""
    for arguments in ({"after": bad}, {"before": bad, "last": 1}):
        error = await five.refusal(
            "query($after: String, $last: Int, $before: String) {"
            " notifications(after: $after, last: $last, before: $before) { totalCount } }",
            **arguments,
        )
        assert error["extensions"] == {"code": "INVALID_CURSOR"}


async def test_an_event_cursor_is_no_place_in_a_list(five: Api.User) -> None:
    """An eventCursor given for after is INVALID_CURSOR."""
    error = await five.refusal(
        "query($c: String) { notifications(after: $c) { totalCount } }", c=await now(five)
    )
    assert error["extensions"]["code"] == "INVALID_CURSOR"


async def test_a_cursor_names_a_place_and_not_a_row(five: Api.User) -> None:
    """The cursor of a row since deleted still continues from where that row was."""
    place, named = await cursors(five), await ids(five)
    await change(five, DELETE, named["3"])
    assert await titles(five, after=place["3"]) == ["2", "1"]
    assert await titles(five, last=5, before=place["3"]) == ["5", "4"]


@pytest.mark.parametrize("id", [str(uuid4()), "", "nonsense", "x" * 10_000])
async def test_starting_before_an_unknown_id(five: Api.User, id: str) -> None:
    """StartingBefore an id that no row has is NOT_FOUND."""
    error = await five.refusal("query($id: ID) { notifications(startingBefore: $id) { totalCount } }", id=id)
    assert error["extensions"] == {"code": "NOT_FOUND"}


async def test_starting_before_a_deleted_row(five: Api.User) -> None:
    """A deleted row is no place to start from."""
    id = (await ids(five))["3"]
    await change(five, DELETE, id)
    error = await five.refusal("query($id: ID) { notifications(startingBefore: $id) { totalCount } }", id=id)
    assert error["extensions"] == {"code": "NOT_FOUND"}


async def test_starting_before_a_row_that_the_filter_hides(five: Api.User) -> None:
    """The row to start from need not match the filter itself."""
    (id,) = await five.receive("other", type="other", created_at=START + timedelta(hours=3, minutes=30))
    assert await titles(five, startingBefore=id, filter={"types": ["build.done"]}) == ["3", "2", "1"]


@pytest.mark.parametrize("same_instant", [False, True], ids=["apart", "of one instant"])
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
async def test_a_walk_while_rows_arrive(ada: Api.User, *, backwards: bool, same_instant: bool) -> None:
    """Page by page, each row that was there at the start comes exactly once and in order."""
    for number in range(23):
        await ada.receive(
            f"old {number}", created_at=START + timedelta(seconds=0 if same_instant else number)
        )
    expected = list(await titles(ada, first=200))
    seen: list[str] = []
    arguments: dict[str, Any] = {"last": 4} if backwards else {"first": 4}
    for turn in range(100):
        found = await inbox(ada, **arguments)
        page = [node["title"] for node in found["nodes"]]
        seen = [*page, *seen] if backwards else [*seen, *page]
        info = found["pageInfo"]
        if not info["hasPreviousPage" if backwards else "hasNextPage"]:
            break
        place = {"before": info["startCursor"]} if backwards else {"after": info["endCursor"]}
        arguments = arguments | place
        await ada.receive(f"new {turn}")
        await ada.receive(f"amid {turn}", created_at=START)
    assert [title for title in seen if title.startswith("old")] == expected
    assert len(seen) == len(set(seen))


async def test_every_page_size_walks_the_whole_list(ada: Api.User) -> None:
    """Pages of 1 to 8 rows, by cursor or by number, add up to the same list."""
    for instant in range(3):
        await ada.receive("a", "b", created_at=START + timedelta(microseconds=instant))
    whole = [node["id"] for node in (await inbox(ada))["nodes"]]
    for size in range(1, 9):
        by_cursor: list[str] = []
        by_number: list[str] = []
        after, number = None, 1
        while len(by_cursor) < len(whole):
            found = await inbox(ada, first=size, after=after)
            by_cursor += [node["id"] for node in found["nodes"]]
            numbered = await inbox(ada, first=size, page=number)
            by_number += [node["id"] for node in numbered["nodes"]]
            assert found["pageInfo"] == numbered["pageInfo"]
            after, number = found["pageInfo"]["endCursor"], number + 1
        assert by_cursor == by_number == whole
