"""A schema with one of everything, whose values fail now and then, the same way each time for the same seed."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from random import Random
from typing import Annotated, Any, NewType

import strawberry
from aiodataloader import DataLoader
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

FAILING = 2.0
"""How many values of a hundred fail; a quarter as many more, or for resolvers as many more, raise."""


class Loader(DataLoader[int, "Beast"]):
    """Beasts by their seeds; each batch is noted."""

    def __init__(self, context: "Context") -> None:
        super().__init__()
        self.context = context

    async def batch_load_fn(self, keys: list[int]) -> list["Beast"]:
        """Make the beasts."""
        self.context.calls.append(f"batch {keys}")
        await asyncio.sleep(0)
        return [Cat(key) if key % 2 else Dog(key) for key in keys]


@dataclass
class Context:
    """What resolvers see: the seed of all values, and what was called, in order."""

    seed: int
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loader = Loader(self)


Info = strawberry.Info[Context, None]


class Later:
    """A value that must be awaited, as often as one likes."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Later({self.value})"

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def mishap(random: Random, good: Any) -> Any:
    """Return a value that has something of its own about it."""
    return random.choice(
        [
            None,
            ValueError("returned"),
            GraphQLError("returned", extensions={"code": "TEST"}),
            Later(good),
            Later(None),
            Later(ValueError("awaited")),
            object,
            "a string",
            3_000_000_000,
            [good],
            {"a": 1},
            True,
            float("nan"),
        ]
    )


def attribute(make: Callable[[Random], Any]) -> Any:
    """Return a property that a seed decides."""
    name = ""

    class Attribute:
        def __set_name__(self, _owner: type, given: str) -> None:
            nonlocal name
            name = given

        def __get__(self, it: Any, _owner: type | None = None) -> Any:
            random = Random(f"{it.seed} {name}")
            good = make(random)
            if random.random() * 100 < FAILING:
                return mishap(random, good)
            if random.random() * 100 < FAILING / 4:
                raise LookupError(f"{name} of {it.seed}")
            return good

    return Attribute()


@strawberry.enum
class Mood(Enum):
    """An enum whose values are strings."""

    CALM = "calm"
    WILD = "wild"


@strawberry.enum
class Size(Enum):
    """An enum whose values are numbers."""

    SMALL = 1
    LARGE = 2


Stamp = NewType("Stamp", datetime)
Odd = NewType("Odd", object)


def show_stamp(value: datetime) -> str:
    """Show a moment."""
    return value.isoformat()


def show_odd(value: Any) -> Any:
    """Show what is no string; nothing of zero, and fail for seven."""
    if value == 7:
        raise ValueError("seven")
    return None if value == 0 else Later(value) if value == 5 else value


SCALARS: dict[object, ScalarDefinition] = {
    Stamp: strawberry.scalar(name="Stamp", serialize=show_stamp, parse_value=datetime.fromisoformat),
    Odd: strawberry.scalar(name="Odd", serialize=show_odd, parse_value=lambda value: value),
}


@strawberry.input
class Range:
    """An input with defaults and another input in it."""

    low: int = 0
    high: int | None = None
    mood: Mood | None = Mood.CALM
    inner: "Range | None" = None
    names: list[str] | None = None


class Beast:
    """What both kinds are made of: a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    name = attribute(lambda random: random.choice(["Ada", "Grace", "é\u2028\"'"]))
    nick = attribute(lambda random: random.choice([None, "Bit"]))
    age = attribute(lambda random: random.randrange(-5, 3_000))
    weight = attribute(lambda random: random.random() * 100)
    tame = attribute(lambda random: random.random() < 0.5)
    id = attribute(lambda random: random.choice(["x1", 17]))
    mood = attribute(lambda random: random.choice([Mood.CALM, Mood.WILD, "calm"]))
    size = attribute(lambda random: random.choice([Size.SMALL, Size.LARGE, 1]))
    born = attribute(lambda random: datetime(2026, 1, 1 + random.randrange(27), tzinfo=UTC))
    odd = attribute(lambda random: random.choice([1, 2.5, {"a": [1]}, [None], "x"] * 20 + [0, 5, 7]))
    tags = attribute(lambda random: ["a", "b", "c"][: random.randrange(4)])
    grid = attribute(lambda _random: [[1, 2], (), [3]])
    kin = attribute(
        lambda random: [random.choice([Cat, Dog])(random.randrange(99)) for _ in range(random.randrange(3))]
    )
    friend = attribute(
        lambda random: random.choice([None, Cat(random.randrange(99)), Dog(random.randrange(99))])
    )
    twin = attribute(lambda random: Cat(random.randrange(99)))


class Cat(Beast):
    """One kind."""

    lives = attribute(lambda _random: 9)


class Dog(Beast):
    """The other kind."""

    lives = attribute(lambda _random: 1)


def chance(info: Info, good: Any) -> Any:
    """Return a value, or fail as the seed and the path say."""
    path = ".".join(map(str, info.path.as_list()))
    info.context.calls.append(path)
    random = Random(f"{info.context.seed} {path}")
    if random.random() * 100 < FAILING:
        return mishap(random, good)
    if random.random() * 100 < FAILING:
        raise random.choice(
            [ValueError("raised"), GraphQLError("raised", extensions={"code": "TEST"}), KeyError(1)]
        )
    return good


def _shout(root: strawberry.Parent[Any], times: int = 2, mark: str | None = "!") -> str:
    return f"{root.seed}" + (mark or "") * min(times, 5)


def _told(info: Info, range: Range | None = None, sizes: list[Size] = [Size.SMALL]) -> str:  # noqa: B006
    return str(chance(info, f"{range} {sizes}"))


async def _loaded(root: strawberry.Parent[Any], info: Info) -> Any:
    return chance(info, await info.context.loader.load(root.seed % 7))


async def _slow(info: Info, rounds: int = 1) -> str:
    for _ in range(min(rounds, 4)):
        await asyncio.sleep(0)
    return str(chance(info, "slow")) if rounds else chance(info, "slow")


@strawberry.interface(name="Beast")
class BeastType:
    """See Beast."""

    name: str
    nick: str | None
    age: int
    weight: float | None
    tame: bool
    id: strawberry.ID
    mood: Mood
    size: Size | None
    born: Stamp
    odd: Odd | None
    tags: list[str]
    grid: list[list[int | None]] | None
    lives: int
    kin: list["BeastType"]
    friend: "BeastType | None"
    shout: str = strawberry.field(resolver=_shout)
    told: str | None = strawberry.field(resolver=_told)
    slow: str | None = strawberry.field(resolver=_slow)
    sure: str = strawberry.field(resolver=_slow)
    loaded: "BeastType | None" = strawberry.field(resolver=_loaded)
    pet: "Pet | None" = strawberry.field(resolver=_loaded)

    @strawberry.field
    def itself(self, info: Info) -> "BeastType":
        """Return the object itself."""
        return chance(info, self)  # type: ignore[no-any-return]


@strawberry.type(name="Cat")
class CatType(BeastType):
    """See Cat."""

    twin: "CatType | None"
    purr: str = strawberry.field(resolver=_shout)

    @classmethod
    def is_type_of(cls, it: object, _info: object) -> bool:
        """Tell cats."""
        return isinstance(it, Cat)


@strawberry.type(name="Dog")
class DogType(BeastType):
    """See Dog."""

    twin: "CatType"
    bark: int | None = strawberry.field(resolver=_shout)  # type: ignore[assignment]

    @classmethod
    def is_type_of(cls, it: object, _info: object) -> bool:
        """Tell dogs, later."""
        return Later(isinstance(it, Dog)) if getattr(it, "seed", 0) % 5 == 0 else isinstance(it, Dog)  # type: ignore[return-value]


def _kind(it: Any, _info: Any, _type: Any) -> str | Awaitable[str]:
    name = type(it).__name__
    return Later(name) if getattr(it, "seed", 1) % 3 == 0 else name


Pet = Annotated[CatType | DogType, strawberry.union("Pet")]


@strawberry.type
class Query:
    """Ways in."""

    @strawberry.field(graphql_type=BeastType | None)
    async def beast(self, info: Info, seed: int = 1) -> Any:
        """Return one, later."""
        await asyncio.sleep(0)
        return chance(info, Cat(seed) if seed % 2 else Dog(seed))

    @strawberry.field(graphql_type=list[BeastType] | None)
    def beasts(self, info: Info, count: int | None = 3, range: Range | None = None) -> Any:
        """Return some at once."""
        low = range.low if range else 0
        return chance(info, [Cat(low + it) if it % 2 else Dog(low + it) for it in _range(count)])

    @strawberry.field(graphql_type=list[Pet | None])
    def pets(self, info: Info, count: int = 2) -> Any:
        """Return some as the members of a union, and nothing between them."""
        return chance(info, [(it % 3 and Cat(it)) or None for it in _range(count)])

    @strawberry.field(graphql_type=list[CatType | None] | None)
    def cats(self, info: Info, count: int = 2) -> Any:
        """Yield some, a few of them dogs."""
        found = (Dog(it) if it == 40 else Cat(it) for it in _range(count))
        return found if count == 3 else chance(info, list(found))

    @strawberry.field(graphql_type=str | None)
    def echo(self, info: Info, text: str = "x", flag: bool = True, range: Range | None = None) -> Any:
        """Return what was given."""
        return chance(info, f"{text} {flag} {range}")


def _range(count: int | None) -> Sequence[int]:
    return range(max(0, min(count or 0, 6)))


@strawberry.type
class Mutation:
    """Changes that are noted."""

    @strawberry.field(graphql_type=BeastType | None)
    async def tame(self, info: Info, seed: int = 1) -> Any:
        """Tame one, later."""
        await asyncio.sleep(0)
        return chance(info, Cat(seed))

    @strawberry.field(graphql_type=CatType)
    def rename(self, info: Info, seed: int = 2, name: str | None = None) -> Any:
        """Rename one at once."""
        return chance(info, Cat(seed + len(name or "")))


def build(executor: Any = None) -> strawberry.Schema:
    """Return the schema, run by graphql-core's executor unless another is given."""
    config = StrawberryConfig(scalar_map=SCALARS)
    schema = strawberry.Schema(
        Query, Mutation, types=[CatType, DogType], config=config, execution_context_class=executor
    )
    schema._schema.type_map["Pet"].resolve_type = _kind  # type: ignore[attr-defined]
    return schema
