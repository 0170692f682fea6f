"""Plans answer as graphql-core does: each kind of field, each way to fail, each way to select."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, NewType

import pytest
import strawberry
from aiodataloader import DataLoader
from graphql import GraphQLError
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig

from tests.schema.compiled.compare import Counting, difference


@dataclass
class Context:
    """What resolvers see: what was called, in order."""

    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        async def load(keys: list[int]) -> list[str]:
            self.calls.append(f"batch {keys}")
            return [f"loaded {key}" for key in keys]

        self.loader: DataLoader[int, str] = DataLoader(load)


Info = strawberry.Info[Context, None]
Picky = NewType("Picky", int)


def _show_picky(value: int) -> int | None:
    if value == 13:
        raise ValueError("thirteen")
    return value or None


@strawberry.enum
class Color(Enum):
    """Some values."""

    RED = "r"
    BLUE = 2


class Denied(BasePermission):
    """Nobody may."""

    message = "denied"

    def has_permission(self, *_: Any, **__: Any) -> bool:
        """Refuse."""
        return False


class Twice(FieldExtension):
    """Doubles what a resolver returns."""

    def resolve(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        """Call it and double."""
        return next_(source, info, **kwargs) * 2


@strawberry.input
class Pair:
    """Two numbers."""

    a: int = 1
    b: int | None = None


def _fail() -> Any:
    raise ValueError("failed")


async def _fail_late() -> Any:
    await asyncio.sleep(0)
    raise GraphQLError("failed late", extensions={"code": "LATE"})


async def _late() -> str:
    await asyncio.sleep(0)
    return "late"


async def _items() -> AsyncIterator[int]:
    for number in range(3):
        yield number


def _some() -> Iterator[int]:
    yield from range(3)


def _returned() -> Any:
    return ValueError("returned")


def _load(info: Info, key: int = 1) -> Any:
    info.context.calls.append(f"load {key}")
    return info.context.loader.load(key)


@strawberry.interface
class Node:
    """Something with an id."""

    id: strawberry.ID


@strawberry.type
class Leaf(Node):
    """One kind of it, with each way to fail."""

    text: str = "text"
    none: str = None  # type: ignore[assignment]
    number: int = 3_000_000_000
    odd_id: strawberry.ID | None = 1.5  # type: ignore[assignment]
    flag: bool = "yes"  # type: ignore[assignment]
    ratio: float | None = float("inf")
    color: Color | None = Color.BLUE
    by_value: Color | None = "r"  # type: ignore[assignment]
    wrong_color: Color | None = "green"  # type: ignore[assignment]
    unhashable: Color | None = strawberry.field(default_factory=lambda: [1])
    picky: Picky | None = Picky(1)
    picky_none: Picky | None = Picky(0)
    picky_fails: Picky = Picky(13)
    fail: str | None = strawberry.field(resolver=_fail)
    fail_hard: str = strawberry.field(resolver=_fail)
    fail_late: str | None = strawberry.field(resolver=_fail_late)
    fail_late_hard: str = strawberry.field(resolver=_fail_late)
    late: str = strawberry.field(resolver=_late)
    returned: str | None = strawberry.field(resolver=_returned)
    loaded: str = strawberry.field(resolver=_load, graphql_type=str)
    denied: str | None = strawberry.field(
        resolver=lambda: "no", permission_classes=[Denied], graphql_type=str
    )
    twice: str = strawberry.field(resolver=lambda: "tw", extensions=[Twice()], graphql_type=str)


@strawberry.type
class Branch(Node):
    """The other kind."""

    leaf: Leaf | None = strawberry.field(default_factory=lambda: Leaf(id=strawberry.ID("in")))
    sure: Leaf = strawberry.field(default_factory=lambda: Leaf(id=strawberry.ID("sure")))
    missing: Leaf = None  # type: ignore[assignment]


Either = Annotated[Leaf | Branch, strawberry.union("Either")]


def _leaf() -> Leaf:
    return Leaf(id=strawberry.ID("1"))


def _giving(make: Callable[[], Any]) -> Callable[[], Any]:
    def resolver() -> Any:
        return make()

    return resolver


@strawberry.type
class Query:
    """Ways in."""

    leaf: Leaf | None = strawberry.field(resolver=_leaf)
    sure: Leaf = strawberry.field(resolver=_leaf)
    branch: Branch | None = strawberry.field(resolver=_giving(lambda: Branch(id=strawberry.ID("2"))))
    leaves: list[Leaf] = strawberry.field(resolver=_giving(lambda: [_leaf(), _leaf()]))
    node: Node | None = strawberry.field(resolver=_giving(_leaf))
    either: list[Either | None] = strawberry.field(
        resolver=_giving(lambda: [_leaf(), None, Branch(id=strawberry.ID("3")), 5])
    )
    grid: list[list[int | None]] = strawberry.field(resolver=_giving(lambda: [[1, None], (2,)]))
    bad_grid: list[list[int] | None] = strawberry.field(
        resolver=_giving(lambda: [[1, None], None, [2], "no", 7])
    )
    some: list[int] = strawberry.field(resolver=_giving(_some))
    items: list[int] = strawberry.field(resolver=_giving(_items))
    awaitables: list[str | None] | None = strawberry.field(
        resolver=_giving(lambda: [_late(), "now", _fail_late()])
    )
    hard: list[str] | None = strawberry.field(
        resolver=_giving(lambda: [_late(), _fail_late(), ValueError("item"), _late()])
    )
    load: str | None = strawberry.field(resolver=_load, graphql_type=str | None)

    @strawberry.field
    def echo(
        self, info: Info, text: str = "x", pair: Pair | None = None, colors: list[Color] | None = None
    ) -> str:
        """Return what was given, and under which path."""
        return f"{text} {pair} {colors} {info.path.as_list()} {info.field_name} {len(info.selected_fields)}"


@strawberry.type
class Mutation:
    """Changes, noted when they begin and when they end."""

    @strawberry.field
    async def slow(self, info: Info, name: str) -> str:
        """Take a while."""
        info.context.calls.append(f"begin {name}")
        await asyncio.sleep(0)
        info.context.calls.append(f"end {name}")
        return name

    @strawberry.field
    def quick(self, info: Info, name: str) -> Leaf:
        """Take no time."""
        info.context.calls.append(name)
        return _leaf()

    fail: str | None = strawberry.field(resolver=_fail)
    fail_hard: str = strawberry.field(resolver=_fail_late)


PICKY = strawberry.scalar(name="Picky", serialize=_show_picky, parse_value=int)
SCHEMA = strawberry.Schema(
    Query, Mutation, types=[Leaf, Branch], config=StrawberryConfig(scalar_map={Picky: PICKY})
)


@pytest.mark.parametrize(
    "document",
    [
        "{ leaf { id text __typename } }",
        "{ a: leaf { t: text } b: leaf { t: text } }",
        "{ leaf { text } leaf { id } ...F } fragment F on Query { leaf { late } }",
        "{ leaf { fail text } }",
        "{ leaf { text failHard } sure { id } }",
        "{ leaf { text failLate } }",
        "{ leaf { failLateHard late } leaves { failLateHard late } }",
        "{ sure { failHard } leaf { id } }",
        "{ sure { failLateHard late } leaf { late } }",
        "{ leaf { none } }",
        "{ leaf { number } }",
        "{ leaf { oddId ratio } }",
        "{ leaf { flag } }",
        "{ leaf { color byValue wrongColor unhashable } }",
        "{ leaf { picky pickyNone } }",
        "{ leaf { pickyFails } }",
        "{ leaf { returned denied twice } }",
        "{ branch { leaf { id failHard } sure { text } } }",
        "{ branch { leaf { id } missing { id } } }",
        "{ branch { sure { failLateHard } leaf { late } } }",
        "{ leaves { id ... on Node { id } ... on Leaf { text } ... on Branch { id } } }",
        "{ node { __typename id ... on Leaf { text color } } }",
        "{ either { __typename ... on Leaf { text } ... on Branch { leaf { late } } } }",
        "{ either { ... on Branch { missing { id } } } }",
        "{ grid badGrid some items }",
        "{ awaitables hard }",
        "{ leaves { loaded } load(key: 7) leaf { loaded } other: load(key: 8) }",
        '{ echo(text: "y", pair: {a: 2, b: 3}, colors: [RED, BLUE]) two: echo(colors: RED) }',
        '{ __schema { queryType { name } } __type(name: "Leaf") { kind fields { name } } }',
        "{ __typename }",
        'mutation { a: slow(name: "a") quick(name: "b") { late } b: slow(name: "c") }',
        'mutation { quick(name: "a") { id } fail slow(name: "b") }',
        'mutation { a: slow(name: "a") failHard b: slow(name: "b") }',
        "mutation { __typename }",
    ],
)
async def test_an_operation(document: str) -> None:
    """A plan gives the data, the errors and the calls of graphql-core, each in the same order."""
    assert await _difference(document) is None


CONDITIONS = """
query($a: Boolean!, $b: Boolean = true) {
  leaf @skip(if: $a) { text @include(if: $b) id @skip(if: $a) @include(if: $b) ...F @include(if: $b) }
  leaf { ... @skip(if: $b) { late } color @include(if: true) by: byValue @skip(if: true) }
}
fragment F on Leaf { text late @skip(if: $a) }
"""


@pytest.mark.parametrize("a", [True, False])
@pytest.mark.parametrize("b", [True, False, None, "absent"])
async def test_conditions(a: bool, b: bool | str | None) -> None:
    """Each choice of what is skipped and included; null where a choice must be is graphql-core's to refuse."""
    variables = {"a": a} if b == "absent" else {"a": a, "b": b}
    assert await _difference(CONDITIONS, variables) is None


VARIABLES = """
query($text: String = "default", $pair: Pair, $colors: [Color!], $a: Int, $none: String! = "n") {
  echo(text: $none, pair: $pair, colors: $colors)
  second: echo(text: $none, pair: {a: 1, b: $a})
}
"""


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"pair": {"a": 5}, "colors": ["RED"]},
        {"pair": None, "colors": None, "a": None},
        {"colors": "BLUE", "a": 7},
        {"none": None},
        {"colors": ["GREEN"]},
        {"pair": {"b": "x", "c": 1}},
    ],
)
async def test_variables(variables: dict[str, Any]) -> None:
    """Defaults, nulls, what is left out and what cannot be coerced."""
    document = VARIABLES.replace('$text: String = "default", ', "")
    assert await _difference(document, variables) is None


async def test_variables_change_between_runs() -> None:
    """What a plan keeps of arguments is of no other variables."""
    document = "query($key: Int!) { load(key: $key) leaf { loaded(key: $key) fixed: loaded(key: 5) } }"
    for key in (1, 2, 1):
        assert await _difference(document, {"key": key}) is None


async def test_loaders_fill_one_batch() -> None:
    """What siblings and rows load in the same tick is one batch."""
    contexts = []

    def context() -> Context:
        contexts.append(Context())
        return contexts[-1]

    document = "{ leaves { loaded(key: 1) } one: load(key: 2) two: load(key: 3) }"
    _, found = await difference(SCHEMA, document, {}, context)
    assert found is None
    assert [it for it in contexts[-1].calls if it.startswith("batch")] == ["batch [1, 2, 3]"]


async def test_every_operation_here_has_a_plan() -> None:
    """Nothing of the kind is left to graphql-core as a whole."""
    declined = Counting.declined
    await _difference("{ leaf { text } __schema { queryType { name } } }")
    assert Counting.declined == declined


async def _difference(document: str, variables: dict[str, Any] | None = None) -> str | None:
    return (await difference(SCHEMA, document, variables or {}, Context))[1]
