"""Generated operations by graphql-core and by plans, counted."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any

import strawberry
from graphql import OperationType

from schema import build
from tests.schema.compiled import zoo
from tests.schema.compiled.compare import Counting, difference
from tests.schema.compiled.generate import Generated, valid


@dataclass
class Tally:
    """How many operations ran, how many gave data, how many plans declined, and what differed."""

    ran: int = 0
    with_data: int = 0
    declined: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        """Whether nothing differs, at most 1 % was declined and at least 80 % gave data."""
        few = self.declined <= self.ran * 0.01
        return not self.differences and few and self.with_data >= self.ran * 0.8


def operations(
    schema: strawberry.Schema,
    seeds: Iterable[int],
    *kinds: OperationType,
    likely: Mapping[str, Sequence[Any]] = MappingProxyType({}),
) -> Iterator[Generated]:
    """Yield valid operations, the same for the same seeds."""
    for seed in seeds:
        found = Generated(schema._schema, seed, kinds[seed % len(kinds)], likely)
        if valid(found):
            yield found


async def tally(
    schema: strawberry.Schema, operations: Iterable[Generated], most: int, context: Callable[[int], Any]
) -> Tally:
    """Compare a number of operations; context: what resolvers see in one that was made from a seed."""
    found = Tally()
    declined = Counting.declined
    for operation in operations:
        seed = operation.seed
        wanted, difference_ = await difference(
            schema, operation.parsed, operation.variables, partial(context, seed)
        )
        found.ran += 1
        found.with_data += wanted.has_data
        found.differences += [f"seed {seed}: {difference_}"] if difference_ else []
        if found.ran == most:
            break
    found.declined = (Counting.declined - declined) // 2  # each ran twice
    return found


async def tally_zoo(most: int, start: int = 0) -> Tally:
    """Compare operations over a schema with one of everything."""
    schema = zoo.build()
    kinds = (OperationType.QUERY, OperationType.QUERY, OperationType.MUTATION)
    with quiet():
        return await tally(schema, operations(schema, count(start), *kinds), most, zoo.Context)


async def tally_tocsin(
    most: int, context: Callable[[int], Any], likely: Mapping[str, Sequence[Any]], start: int = 0
) -> Tally:
    """Compare queries over the schema of this application; mutations would change what the next one sees."""
    schema = build()
    with quiet():
        return await tally(
            schema, operations(schema, count(start), OperationType.QUERY, likely=likely), most, context
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing: what fails is meant to."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
