"""Subscriptions hold no more after many events than after few."""

import gc
from collections.abc import AsyncIterator
from typing import Any

import strawberry
from graphql.execution.collect_fields import FieldDetails

from schema.compiled import CompiledExecutor


@strawberry.type
class Event:
    """Something with a field of its own."""

    number: int


@strawberry.type
class Query:
    """What a schema must have."""

    number: int = 1


@strawberry.type
class Subscription:
    """Some events."""

    @strawberry.subscription
    async def events(self) -> AsyncIterator[Event]:
        """Yield five hundred."""
        for number in range(500):
            yield Event(number=number)


def remembered() -> int:
    """Return how many collected fields are alive."""
    gc.collect()
    return sum(isinstance(it, FieldDetails) for it in gc.get_objects())


async def test_what_was_collected_for_an_event_is_forgotten() -> None:
    """After 500 events no more is remembered than after 10."""
    schema = strawberry.Schema(Query, subscription=Subscription, execution_context_class=CompiledExecutor)
    results = await schema.subscribe("subscription { events { number } }")
    sizes = [remembered() async for result in results if _number(result.data) in {10, 499}]
    assert len(sizes) == 2
    assert sizes[0] == sizes[1]


def _number(data: Any) -> int:
    return int(data["events"]["number"])
