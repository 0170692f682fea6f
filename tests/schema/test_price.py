"""What operations cost: root fields, rows that are asked for, and items that are given."""

from typing import Any

import pytest
from graphql import parse

from schema import build
from schema.price import Prices, price_of

NOTIFY = "mutation($input: NotifyInput!) { notify(input: $input) { request { id } } }"
PAGE = "query($n: Int = 40) { notifications(first: $n) { totalCount } }"


@pytest.mark.parametrize(
    ("document", "variables", "points"),
    [
        ("{ stats { unread } }", None, 1),
        ("{ __typename }", {}, 1),
        ("{ stats { unread } again: stats { total byType { key total } } }", None, 2),
        ("subscription { stats { unread } }", None, 1),
        ("{ ...F } fragment F on Query { stats { unread } ... { channels { totalCount } } }", None, 2),
        ("{ ...F ...F } fragment F on Query { stats { unread } }", None, 2),
        ("{ notifications(first: 100) { totalCount } }", None, 6),
        ("{ notifications(last: 200) { totalCount } }", None, 11),
        ("{ notifications(first: 1000000000) { totalCount } }", None, 11),
        ("{ notifications(first: -5) { totalCount } }", None, 1),
        (PAGE, None, 3),
        (PAGE, {"n": 60}, 4),
        (PAGE, {"n": 10**9}, 11),
        (PAGE, {"n": "many"}, 1),
        ('mutation { read(ids: ["a", "b"]) { unread } }', None, 5.1),
        ("mutation($ids: [ID!]!) { read(ids: $ids) { unread } }", {"ids": ["id"] * 100}, 10),
        (NOTIFY, {"input": {"recipients": [{"user": "ada"}] * 1_000, "type": "t"}}, 55),
        ("mutation { a: markAllRead { unread } b: markAllRead { unread } }", None, 10),
    ],
)
def test_the_price_of_an_operation(document: str, variables: dict[str, Any] | None, points: float) -> None:
    """A root field costs 1, of a mutation 5; and 20 rows or items cost 1."""
    assert price_of(parse(document), None).of(variables) == pytest.approx(points)


def test_the_operation_that_is_named_is_paid_for() -> None:
    """Of several in a document; one that is not there costs 1."""
    document = parse("query A { stats { unread } } mutation B { markAllRead { unread } }")
    assert [price_of(document, name).points for name in ("A", "B", "C", None)] == [1, 5, 1, 1]


async def test_a_document_is_dear_until_it_is_known() -> None:
    """A fifth of its characters and 5, and what its variables hold; once it was valid, its price."""
    schema = build()
    prices = Prices(schema)
    document = "query Known { __typename }"
    assert prices.of(document, {"x": [1] * 40}, None) == 5 + len(document) / 5 + 2
    await schema.execute(document)
    assert prices.of(document, {}, None) == 1
    assert prices.of("{ wrong }", {}, None) == 5 + 9 / 5
    await schema.execute("{ wrong }")
    assert prices.of("{ wrong }", {}, None) == 5 + 9 / 5
