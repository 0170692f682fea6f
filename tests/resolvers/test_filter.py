"""What a filter shows: in a list, in its total, in the counts and in their groups it is the same rows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.draft import create
from db.session import Scope
from tests.resolvers.support import ABSENT, DISMISS, GET_STATS, LIST, READ, STATS, add_template, change, inbox
from tests.support import Api, draft

START = datetime(2025, 1, 1, tzinfo=UTC)


def instant(hour: int) -> str:
    """Return an hour of the first day as clients write it."""
    return (START + timedelta(hours=hour)).isoformat()


@pytest.fixture
async def rows(ada: Api.User) -> Api.User:
    """Ada, with rows a to d, of which c was read and d dismissed."""
    await ada.receive("a", type="x", category="one", team_id="blue", targets=["p"], created_at=START)
    for title, hour, fields in (
        ("b", 1, {"type": "x", "category": "two", "team_id": "red", "targets": ["p", "q"]}),
        ("c", 2, {"type": "y", "category": "one", "targets": ["q", "p", "r"]}),
        ("d", 3, {"type": "y", "category": "two", "team_id": "blue"}),
    ):
        (id,) = await ada.receive(title, created_at=START + timedelta(hours=hour), **fields)
        if title in "cd":
            await change(ada, READ if title == "c" else DISMISS, id)
    return ada


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (None, "cba"),
        ({}, "cba"),
        ({"readState": None, "dismissed": None, "types": None, "categories": None, "targets": None}, "cba"),
        ({"readState": "ALL"}, "cba"),
        ({"readState": "UNREAD"}, "ba"),
        ({"readState": "READ"}, "c"),
        ({"dismissed": "EXCLUDE"}, "cba"),
        ({"dismissed": "INCLUDE"}, "dcba"),
        ({"dismissed": "ONLY"}, "d"),
        ({"dismissed": "ONLY", "readState": "READ"}, ""),
        ({"dismissed": "INCLUDE", "readState": "UNREAD"}, "dba"),
        ({"types": ["x"]}, "ba"),
        ({"types": ["x", "y", "x"]}, "cba"),
        ({"types": []}, "cba"),
        ({"types": ["typo"]}, "cba"),
        ({"types": ["typo", "y"]}, "c"),
        ({"categories": ["one"]}, "ca"),
        ({"categories": ["one", "two"]}, "cba"),
        ({"categories": ["nowhere"]}, ""),
        ({"categories": []}, "cba"),
        ({"targets": ["p"]}, "cba"),
        ({"targets": ["p", "q"]}, "cb"),
        ({"targets": ["r", "q", "p"]}, "c"),
        ({"targets": ["p", "nothing"]}, ""),
        ({"targets": []}, "cba"),
        ({"teams": ["blue"]}, "a"),
        ({"teams": ["blue", "red"]}, "ba"),
        ({"teams": ["Blue"]}, ""),
        ({"teams": []}, "cba"),
        ({"templates": []}, "cba"),
        ({"templates": [ABSENT]}, ""),
        ({"templates": ["nonsense"]}, ""),
        ({"templates": ["", "x" * 10_000]}, ""),
        ({"createdAfter": instant(0)}, "cb"),
        ({"createdBefore": instant(2)}, "ba"),
        ({"createdAfter": instant(0), "createdBefore": instant(2)}, "b"),
        ({"createdAfter": instant(2), "createdBefore": instant(0)}, ""),
        ({"types": ["x"], "categories": ["two"]}, "b"),
        ({"types": ["y"], "categories": ["two"], "dismissed": "INCLUDE"}, "d"),
        ({"types": ["x"], "teams": ["blue"], "targets": ["p"], "readState": "UNREAD"}, "a"),
    ],
)
async def test_each_field_of_a_filter(rows: Api.User, filter: Any, expected: str) -> None:
    """A filter shows these rows, and counts as many."""
    found = await inbox(rows, filter=filter)
    assert "".join(node["title"] for node in found["nodes"]) == expected
    counted = (await rows.data(GET_STATS, filter=filter))["stats"]
    assert found["totalCount"] == counted["total"] == counted["unread"] + counted["read"] == len(expected)


async def test_the_rows_of_a_template(ada: Api.User) -> None:
    """Templates OR together; one that is malformed matches nothing and spoils nothing."""
    one, two = [await add_template(ada) for _ in range(2)]
    for template, title in ((one, "a"), (two, "b"), (None, "c")):
        await ada.receive(title, template_id=template)
    for templates, expected in (
        ([str(one)], ["a"]),
        ([str(two), str(one)], ["b", "a"]),
        ([str(two).upper(), "nonsense"], ["b"]),
    ):
        found = await inbox(ada, filter={"templates": templates})
        assert [node["title"] for node in found["nodes"]] == expected


@pytest.mark.parametrize(
    ("types", "ignored"),
    [
        (["x"], []),
        (["typo"], ["typo"]),
        (["typo", "x", "oops", "typo"], ["typo", "oops"]),
        (["X", "x "], ["X", "x "]),
        (["", "%"], ["", "%"]),
        ([], []),
        (None, []),
    ],
)
async def test_ignored_types(rows: Api.User, types: Any, ignored: list[str]) -> None:
    """Types that the tenant does not know come back once each, in the order they were given."""
    assert (await inbox(rows, filter={"types": types}))["ignoredTypes"] == ignored


async def test_a_type_is_known_to_the_whole_tenant_and_to_no_other(
    ada: Api.User, grace: Api.User, stranger: Api.User
) -> None:
    """A type of somebody else's row in the tenant is known and shows nothing; another tenant's is a typo."""
    await ada.receive("a", type="x")
    await grace.receive("g", type="y")
    await stranger.receive("s", type="z")
    found = await inbox(ada, filter={"types": ["y", "z"]})
    assert (found["nodes"], found["totalCount"], found["ignoredTypes"]) == ([], 0, ["z"])


@pytest.mark.parametrize("name", ["types", "categories", "targets", "teams"])
@pytest.mark.parametrize(
    ("values", "detail"),
    [
        (["x" * 256], "is longer than 255 characters."),
        (["fine", "x" * 10_000], "is longer than 255 characters."),
        (["fine"] * 101, "has more than 100 values."),
    ],
)
async def test_a_value_that_cannot_be(ada: Api.User, name: str, values: list[str], detail: str) -> None:
    """Too long a value, or too many, are BAD_USER_INPUT that names the field, in lists and in counts."""
    for document in (LIST, GET_STATS):
        error = await ada.refusal(document, filter={name: values})
        assert error["extensions"] == {
            "code": "BAD_USER_INPUT",
            "fields": [{"field": name, "detail": detail}],
        }


async def test_all_wrong_fields_are_named(ada: Api.User) -> None:
    """Several wrong fields come back in one answer."""
    error = await ada.refusal(LIST, filter={"types": ["x" * 256], "teams": ["y"] * 101, "targets": ["fine"]})
    assert [it["field"] for it in error["extensions"]["fields"]] == ["types", "teams"]


@pytest.mark.parametrize("name", ["types", "categories", "templates", "targets", "teams"])
async def test_as_much_as_a_list_holds(ada: Api.User, name: str) -> None:
    """A list of 100 values of 255 characters is fine, whatever the characters."""
    await ada.receive("a")
    values = [f"{number:03}" + "\U0001f514'\"\\%" * 50 + "zz" for number in range(100)]
    assert {len(value) for value in values} == {255}
    found = await inbox(ada, filter={name: values})
    assert found["totalCount"] == (1 if name == "types" else 0)


@pytest.mark.parametrize("name", ["types", "categories", "templates", "targets", "teams"])
async def test_nul_is_refused(ada: Api.User, name: str) -> None:
    """U+0000, which Postgres cannot hold, is BAD_USER_INPUT as a variable and as a literal."""
    for answer in (
        await ada.ask(LIST, filter={name: ["a\0b"]}),
        await ada.ask(f'{{ notifications(filter: {{{name}: ["a\\u0000b"]}}) {{ totalCount }} }}'),
        await ada.ask(f'{{ stats(filter: {{{name}: ["a\\u0000b"]}}) {{ total }} }}'),
    ):
        assert answer.codes == ["BAD_USER_INPUT"]


# -- against a model ---------------------------------------------------------------------------------------

TYPES, CATEGORIES, TEAMS, TARGETS = ("x", "y", "z"), ("one", "two"), (None, "blue", "red"), ("p", "q", "r")


@dataclass(frozen=True)
class Row:
    """A notification as the model knows it; `template` and `hour` are small numbers."""

    type: str
    category: str
    team: str | None
    targets: frozenset[str]
    template: int | None
    hour: int
    read: bool
    dismissed: bool
    deleted: bool
    id: str = field(default_factory=lambda: str(uuid4()))


ROWS = st.lists(
    st.builds(
        Row,
        type=st.sampled_from(TYPES),
        category=st.sampled_from(CATEGORIES),
        team=st.sampled_from(TEAMS),
        targets=st.frozensets(st.sampled_from(TARGETS)),
        template=st.sampled_from((None, 0, 1)),
        hour=st.integers(0, 4),
        read=st.booleans(),
        dismissed=st.booleans(),
        deleted=st.sampled_from((False, False, False, True)),
        id=st.uuids(version=4).map(str),
    ),
    max_size=12,
    unique_by=lambda row: row.id,
)


def some(*values: Any) -> st.SearchStrategy[list[Any]]:
    """Return short lists of these values."""
    return st.lists(st.sampled_from(values), max_size=3)


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "readState": st.sampled_from(("ALL", "UNREAD", "READ", None)),
        "dismissed": st.sampled_from(("EXCLUDE", "INCLUDE", "ONLY", None)),
        "types": st.none() | some(*TYPES, "typo", "oops"),
        "categories": st.none() | some(*CATEGORIES, "nowhere"),
        "templates": st.none() | some(0, 1, "nonsense"),
        "targets": st.none() | some(*TARGETS, "nothing"),
        "teams": st.none() | some("blue", "red", "green"),
        "createdAfter": st.none() | st.integers(-1, 5),
        "createdBefore": st.none() | st.integers(-1, 5),
    },
)


def model(filter: dict[str, Any]) -> Callable[[Row], bool]:
    """Return whether a row matches all of a filter but its `dismissed`."""
    types = [it for it in filter.get("types") or () if it in TYPES]
    given: dict[str, Any] = {name: value for name, value in filter.items() if value not in (None, [])}
    tests: dict[str, Callable[[Row], bool]] = {
        "readState": lambda row: given["readState"] == "ALL" or row.read == (given["readState"] == "READ"),
        "types": lambda row: not types or row.type in types,
        "categories": lambda row: row.category in given["categories"],
        "templates": lambda row: row.template in given["templates"],
        "targets": lambda row: row.targets >= set(given["targets"]),
        "teams": lambda row: row.team in given["teams"],
        "createdAfter": lambda row: row.hour > given["createdAfter"],
        "createdBefore": lambda row: row.hour < given["createdBefore"],
    }
    wanted = [test for name, test in tests.items() if name in given]
    return lambda row: not row.deleted and all(test(row) for test in wanted)


def expected_of(rows: list[Row], filter: dict[str, Any]) -> dict[str, Any]:
    """Return what a list and the counts must say."""
    matching = [row for row in rows if model(filter)(row)]
    dismissed = filter.get("dismissed") or "EXCLUDE"
    shown = [row for row in matching if dismissed == "INCLUDE" or row.dismissed == (dismissed == "ONLY")]
    shown.sort(key=lambda row: (row.hour, row.id), reverse=True)
    unread = [row for row in shown if not row.read]

    def groups(name: str) -> list[dict[str, Any]]:
        totals, unreads = (Counter(getattr(row, name) for row in them) for them in (shown, unread))
        return [{"key": key, "total": totals[key], "unread": unreads[key]} for key in sorted(totals)]

    counts = {"total": len(shown), "unread": len(unread), "read": len(shown) - len(unread)}
    ignored = [it for it in dict.fromkeys(filter.get("types") or ()) if it not in TYPES]
    return {
        "list": [row.id for row in shown],
        "totalCount": len(shown),
        "ignoredTypes": ignored,
        "unreadCount": sum(not (row.read or row.dismissed or row.deleted) for row in rows),
        "stats": counts | {"dismissed": sum(row.dismissed for row in matching)},
        "byType": groups("type"),
        "byCategory": groups("category"),
    }


async def store(user: Api.User, rows: list[Row], templates: list[str]) -> None:
    """Store the rows, and bring them into their states through the API."""
    drafts = [
        draft(
            user.id,
            id=row.id,
            type=row.type,
            category=row.category,
            team_id=row.team,
            targets=sorted(row.targets),
            template_id=None if row.template is None else templates[row.template],
            created_at=START + timedelta(hours=row.hour),
        )
        for row in rows
    ]
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await create(tx, drafts)
    states = {
        name: [row.id for row in rows if getattr(row, name)] for name in ("read", "dismissed", "deleted")
    }
    fields = {"read": "changed", "dismissed": "changed", "deleted": "ids"}
    roots = {"read": "read", "dismissed": "dismiss", "deleted": "delete"}
    given = {name: ids for name, ids in states.items() if ids}
    if given:
        declared = ", ".join(f"${name}: [ID!]!" for name in given)
        body = " ".join(f"{roots[name]}(ids: ${name}) {{ {fields[name]} }}" for name in given)
        await user.data(f"mutation({declared}) {{ {body} }}", **given)


BOTH = f"""query($a: NotificationFilter, $b: NotificationFilter, $c: NotificationFilter) {{
  la: notifications(first: 200, filter: $a) {{ ...L }} sa: stats(filter: $a) {STATS}
  lb: notifications(first: 200, filter: $b) {{ ...L }} sb: stats(filter: $b) {STATS}
  lc: notifications(first: 200, filter: $c) {{ ...L }} sc: stats(filter: $c) {{ total unread read dismissed }}
}} fragment L on NotificationConnection {{ nodes {{ id }} totalCount unreadCount ignoredTypes }}"""


@pytest.fixture
async def templates(api: Api, tenant: str) -> list[str]:
    """Two templates of the tenant, which knows all the model's types."""
    other = api.user(tenant, "other")
    for type in TYPES:
        await other.receive("known", type=type)
    return [str(await add_template(other)) for _ in range(2)]


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS, filters=st.tuples(FILTERS, FILTERS, FILTERS))
async def test_lists_and_counts_agree_with_a_model(
    api: Api, tenant: str, templates: list[str], rows: list[Row], filters: tuple[dict[str, Any], ...]
) -> None:
    """For any rows and filter, the list, its total, the counts and the groups are those of a small model."""
    user = api.user(tenant, uuid4().hex)
    rows = [Row(**{**row.__dict__, "id": str(uuid4())}) for row in rows]
    await store(user, rows, templates)
    wire = {}
    for name, filter in zip("abc", filters, strict=True):
        wire[name] = {
            **filter,
            **{
                key: instant(hour)
                for key in ("createdAfter", "createdBefore")
                if (hour := filter.get(key)) is not None
            },
        }
        if filter.get("templates"):
            wire[name]["templates"] = [
                templates[it] if isinstance(it, int) else it for it in filter["templates"]
            ]
    found = await user.data(BOTH, **wire)
    for name, filter in zip("abc", filters, strict=True):
        listed, counted = found[f"l{name}"], found[f"s{name}"]
        expected = expected_of(rows, filter)
        assert [node["id"] for node in listed["nodes"]] == expected["list"]
        for key in ("totalCount", "unreadCount", "ignoredTypes"):
            assert listed[key] == expected[key]
        assert {key: counted[key] for key in expected["stats"]} == expected["stats"]
        for key in ("byType", "byCategory"):
            assert counted.get(key, expected[key]) == expected[key]
