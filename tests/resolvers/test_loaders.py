"""Nested fields: as many statements for 1 parent as for 50, and no column that nobody asked for."""

import re
from typing import Any
from uuid import uuid4

import pytest

from resolvers.principal import Role
from tests.resolvers.support import (
    GET_STATS,
    LIST,
    READ,
    Statements,
    add_attempts,
    add_channel,
    add_deliveries,
    add_preference,
    add_template,
    change,
    gather,
)
from tests.support import Api

PARENTS = 50


@pytest.fixture(scope="module")
async def boss(api: Api) -> Api.User:
    """Return an admin with 50 notifications, each with a template, a delivery, attempts and a channel."""
    boss = api.user(f"full-{uuid4().hex[:12]}", "boss", Role.ADMIN)
    templates = await gather([add_template(boss) for _ in range(PARENTS)])
    channels = await gather([add_channel(boss) for _ in range(PARENTS)])
    ids = await gather([boss.receive("n", body="text", template_id=it, data={"n": 1}) for it in templates])
    pairs = [(id, channel) for (id,), channel in zip(ids, channels, strict=True)]
    deliveries = await add_deliveries(boss, pairs)
    await add_attempts(boss, deliveries, 1, 2)
    return boss


NESTED = {
    "nothing": ("notifications", "id", 1),
    "template": ("notifications", "template { id name }", 2),
    "deliveries": ("notifications", "deliveries { id status }", 2),
    "deliveries.channel": ("notifications", "deliveries { channel { id } }", 3),
    "deliveries.attempts": ("notifications", "deliveries { attempts { number } }", 3),
    "deliveries.notification": ("notifications", "deliveries { notification { id title } }", 3),
    "deliveries.notification.template": (
        "notifications",
        "deliveries { notification { template { id } } }",
        4,
    ),
    "deliveries.channel.lastDelivery": ("notifications", "deliveries { channel { lastDelivery { id } } }", 4),
    "all of them": (
        "notifications",
        "template { id } deliveries { channel { id } attempts { number } notification { id } }",
        6,
    ),
    "channels": ("channels", "id config", 1),
    "lastDelivery": ("channels", "lastDelivery { id }", 2),
    "lastDelivery.notification": ("channels", "lastDelivery { notification { id } }", 3),
    "lastDelivery.channel": ("channels", "lastDelivery { channel { id } }", 3),
    "lastDelivery.attempts": ("channels", "lastDelivery { attempts { number } }", 3),
}


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("parents", [1, PARENTS])
async def test_statements_of_a_nested_field(
    boss: Api.User, statements: Statements, name: str, parents: int
) -> None:
    """A nested field costs one statement, whether 1 parent asks for it or 50."""
    root, selection, expected = NESTED[name]
    found = await boss.data(
        f"query($n: Int) {{ {root}(first: $n) {{ nodes {{ {selection} }} }} }}", n=parents
    )
    assert len(found[root]["nodes"]) == parents
    assert "null" not in str(found).lower()
    assert "None" not in str(found)
    assert len(statements.of(boss.tenant)) == expected


async def test_parents_in_two_lists_share_a_loader(boss: Api.User, statements: Statements) -> None:
    """Nodes and edges of one operation load each key once."""
    await boss.data("{ notifications { nodes { template { id } } edges { node { template { name } } } } }")
    assert len(statements.of(boss.tenant)) == 2


async def test_preferences_load_their_templates_at_once(ada: Api.User, statements: Statements) -> None:
    """Templates of many preferences are one statement."""
    for _ in range(5):
        await add_preference(ada, template_id=await add_template(ada))
    statements.of(ada.tenant)
    await ada.data("{ preferences { template { id } } }")
    assert len(statements.of(ada.tenant)) == 2


@pytest.mark.parametrize(
    ("document", "filter", "expected"),
    [
        (LIST, None, 1),
        (LIST, {"readState": "UNREAD", "categories": ["build"]}, 1),
        (LIST, {"types": ["build.done"]}, 2),
        (GET_STATS, None, 1),
        (GET_STATS, {"targets": ["x"]}, 1),
        (GET_STATS, {"types": ["build.done"]}, 2),
    ],
)
async def test_statements_of_a_list_and_of_the_counts(
    boss: Api.User, statements: Statements, document: str, filter: Any, expected: int
) -> None:
    """A page with its total and badge is one statement, and so are the counts; naming types is one more."""
    await boss.data(document, filter=filter)
    assert len(statements.of(boss.tenant)) == expected


COLUMNS = {
    "body": "body",
    "data": "data",
    "targets": "targets",
    "actions": "actions { label }",
    "title": "title",
}
WAYS = {
    "nodes": "{{ notifications {{ nodes {{ {0} }} }} }}",
    "edges": "{{ notifications {{ edges {{ node {{ {0} }} }} }} }}",
    "one": "query($id: ID!) {{ notification(id: $id) {{ {0} }} }}",
    "delivery": "query($id: ID!) {{ notification(id: $id) {{ deliveries {{ notification {{ {0} }} }} }} }}",
    "mutation": "mutation($id: ID!) {{ read(ids: [$id]) {{ notifications {{ {0} }} }} }}",
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_column_is_read_only_if_it_is_selected(
    ada: Api.User, statements: Statements, way: str
) -> None:
    """Of the columns that may be large, those selected are in the SQL, and no other."""
    (id,) = await ada.receive("a", data={"n": 1})
    await add_deliveries(ada, [(id, await add_channel(ada))])
    variables = {"id": id} if "$id" in WAYS[way] else {}
    for selection in ("id", *COLUMNS.values(), "body data"):
        statements.of(ada.tenant)
        await ada.data(WAYS[way].format(selection), **variables)
        sql = " ".join(statements.of(ada.tenant))
        read = {name for name in COLUMNS if re.search(rf"notification\.{name}\b", sql)}
        assert read == {name for name in COLUMNS if name in selection.split()}


async def test_what_was_loaded_is_forgotten_after_a_write(ada: Api.User) -> None:
    """In one operation, a mutation's nested fields are as of after it, not of before."""
    (id,) = await ada.receive("a")
    channel = await add_channel(ada)
    await add_deliveries(ada, [(id, channel)])
    found = await ada.data(
        """mutation($id: ID!) {
          one: read(ids: [$id]) { notifications { deliveries { notification { read dismissed } } } }
          two: dismiss(ids: [$id]) { notifications { deliveries { notification { read dismissed } } } }
        }""",
        id=id,
    )
    seen = [found[name]["notifications"][0]["deliveries"][0]["notification"] for name in ("one", "two")]
    assert seen == [{"read": True, "dismissed": False}, {"read": True, "dismissed": True}]


async def test_a_change_costs_the_same_for_1_row_and_for_50(ada: Api.User, statements: Statements) -> None:
    """Reading 50 rows runs as many statements as reading one."""
    one, *many = await ada.receive(*map(str, range(PARENTS + 1)))
    statements.of(ada.tenant)
    await change(ada, READ, one)
    single = len(statements.of(ada.tenant))
    await change(ada, READ, *many)
    assert len(statements.of(ada.tenant)) == single
