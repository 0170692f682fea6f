"""Documents are parsed, validated and compiled once, and not too many are kept."""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import AsyncIterator
from types import FunctionType
from typing import Any

import pytest
import strawberry
from graphql import DocumentNode, parse
from graphql.language import Token

import schema.compiled.documents
from schema.compiled import CompiledExecutor, Documents, execute, prepared, valid
from schema.compiled.cache import Cache
from schema.compiled.documents import kept
from schema.compiled.plan import Plan
from tests.schema.compiled.compare import Counting


@strawberry.type
class Query:
    """Something to ask."""

    @strawberry.field
    def number(self, call: int = 1, pending: int = 1, source: int = 1) -> int:
        """Return the sum of arguments that are called as generated code might call its own."""
        return call + pending + source


@strawberry.type
class Subscription:
    """Some events."""

    @strawberry.subscription
    async def numbers(self) -> AsyncIterator[int]:
        """Yield some."""
        for number in range(3):
            yield number


def _schema(executor: Any = CompiledExecutor) -> strawberry.Schema:
    return strawberry.Schema(
        Query, subscription=Subscription, extensions=[Documents], execution_context_class=executor
    )


async def test_a_document_is_remembered_when_it_was_valid() -> None:
    """It is known after its first run, and then runs without being parsed."""
    site = _schema()
    assert valid(site, "{ number }") is None
    assert (await site.execute("{ number }")).data == {"number": 3}
    document = valid(site, "{ number }")
    assert document is not None
    assert (await execute(site, document, None, None, None)).data == {"number": 3}


async def test_a_known_document_is_neither_parsed_nor_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by Strawberry's own way either, which sockets go."""
    site = _schema()
    await site.execute("{ number }")
    for name in ("parse", "validate_document"):
        monkeypatch.setattr(f"strawberry.schema.schema.{name}", None)
    assert (await site.execute("{ number }")).data == {"number": 3}
    assert (await site.execute("{ other }")).errors


@pytest.mark.parametrize("text", ["{", "{ nothing }", "{ number(call: 1.5) }"])
async def test_what_is_not_valid_is_not_remembered(text: str) -> None:
    """It gives the same errors each time."""
    site = _schema()
    first, second = [str((await site.execute(text)).errors) for _ in range(2)]
    assert first == second
    assert valid(site, text) is None


async def test_an_operation_is_chosen_by_its_name() -> None:
    """Two operations of one document have a plan each; an unknown name is graphql-core's error."""
    text = "query A { number(call: 5) } query B { b: number }"
    site, document = _schema(), parse(text)
    for name, data in (("A", {"number": 7}), ("B", {"b": 3}), ("A", {"number": 7})):
        assert (await execute(site, document, None, None, name)).data == data
    assert "Unknown operation" in str((await execute(site, document, None, None, "C")).errors)
    assert len(kept(site._schema).plans) == 2


async def test_each_event_of_a_subscription_has_a_plan() -> None:
    """Three events are three runs of one plan."""
    planned = Counting.planned
    site = _schema(Counting)
    results = await site.subscribe("subscription { numbers }")
    assert [it.data async for it in results] == [{"numbers": 0}, {"numbers": 1}, {"numbers": 2}]
    assert Counting.planned == planned + 3
    assert valid(site, "subscription { numbers }") is not None


async def test_each_choice_of_conditions_has_a_plan() -> None:
    """It is made once, and counts as a document where these are bounded."""
    site = _schema()
    text = "query($a: Boolean!, $b: Boolean!) { a: number @skip(if: $a) b: number @include(if: $b) }"
    document = parse(text)
    for number in (0, 1, 2, 3, 2, 1, 0):
        a, b = bool(number & 1), bool(number & 2)
        found = await execute(site, document, {"a": a, "b": b}, None, None)
        assert found.data == {**({} if a else {"a": 3}), **({"b": 3} if b else {})}
    assert len(kept(site._schema).plans) == 4


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    """It is bounded by the number of values, and by the characters of their documents; long ones are not kept."""
    cache: Cache[str] = Cache(3, 24)
    for text in ("a", "b", "c"):
        assert cache.put(text, text.upper(), text) == text.upper()
    cache.get("a")
    cache.put("d", "D", "d")
    assert [cache.get(text) for text in "abcd"] == ["A", None, "C", "D"]
    for text in ("eee", "fff", "ggg"):
        cache.put((text, True), "long", text)
    assert [cache.get(text) for text in "acd"] == [None, None, None]
    assert cache.put("x" * 4, "X", "x" * 4) == "X"
    assert cache.get("x" * 4) is None


def test_the_characters_are_bounded() -> None:
    """Ten times three are more than 24."""
    cache: Cache[int] = Cache(100, 24)
    for number in range(10):
        cache.put(number, number, "xyz")
    assert [number for number in range(10) if cache.get(number) is not None] == list(range(2, 10))


def _of_documents() -> Counter[str]:
    watched = {Plan, DocumentNode, Token}
    found = Counter(type(it).__name__ for it in gc.get_objects() if type(it) in watched)
    found["select"] = sum(type(it) is FunctionType and it.__name__ == "select" for it in gc.get_objects())
    return found


@pytest.mark.usefixtures("uncollected")
async def test_what_is_let_go_is_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents and plans live long, and a server does not look for cycles among what has."""
    monkeypatch.setattr(schema.compiled.documents, "MOST_DOCUMENTS", 1)
    site = _schema()
    await site.execute("{ number }")
    before = _of_documents()
    for number in range(20):
        await site.execute(f"{{ a{number}: number }}")
    gc.collect(0)  # the visitors of a validation are cycles, and young ones
    await site.execute("{ number }")
    assert _of_documents() == before


@pytest.mark.usefixtures("uncollected")
async def test_many_documents_do_not_grow_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten times as many documents as are kept, no more memory is held than after three times.

    Counted in blocks of Python's own allocator: in bytes, the interpreter's table of names would count, which
    doubles when it happens to be full.
    """
    monkeypatch.setattr(schema.compiled.documents, "MOST_DOCUMENTS", 50)
    site = _schema()
    before = sys.getallocatedblocks()
    blocks = []
    for number in range(500):
        await site.execute(f"{{ a{number}: number }}")
        if number in {150, 499}:
            await asyncio.sleep(0)
            gc.collect()
            blocks.append(sys.getallocatedblocks() - before)
    assert len(kept(site._schema).plans) == len(kept(site._schema).valid) == 50
    assert blocks[1] < blocks[0] * 1.1


async def test_what_has_run_is_prepared() -> None:
    """Its next run needs no document; wrong variables are told, and each run has its own errors and context."""
    site = _schema()
    text = "query Sum($call: Int!) { number(call: $call) }"
    document = parse(text)
    assert prepared(site, text, None) is None
    assert (await execute(site, document, {"call": 5}, None, None)).data == {"number": 7}
    found = prepared(site, text, None)
    assert found is not None
    assert prepared(site, text, "Sum") is None
    wrong: Any = found.execute(site._schema, {}, None)
    assert (wrong.data, [it.message for it in wrong.errors]) == (
        None,
        ["Variable '$call' has invalid value: Expected a value of non-null type 'Int!' to be provided."],
    )
    assert found._blank.variable_values.coerced == {}, "what callers send is not kept"
    again: Any = found.execute(site._schema, {"call": 6}, None)
    assert (again.data, again.errors) == ({"number": 8}, None)


async def test_what_cannot_run_is_not_prepared() -> None:
    """An operation that is not there, and one whose variables are wrong."""
    site, text = _schema(), "query Sum($call: Int!) { number(call: $call) }"
    for name, variables in (("Product", {"call": 1}), (None, {})):
        assert (await execute(site, parse(text), variables, None, name)).errors
        assert prepared(site, text, name) is None
