"""What the schema lets clients select and give, as far as isolation is concerned: read off the schema itself."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_composite_type,
    is_required_argument,
)

import schema
from tests.rights import Path, RootField, root_fields

FIELDS = root_fields()
SCHEMA = build_schema(schema.build().as_str())

CARRY_NOTHING = {
    "Boolean": "has two values",
    "DateTime": "an instant is nobody's",
    "Int": "counts",
    "JSON": "the caller's own payload: stored or rendered, never looked up",
    "LocalTime": "a time of day is nobody's",
    "SafeUrl": "stored as it is, never looked up",
    "TimeZone": "zones are the world's",
}
"""Scalars that cannot name what somebody else has, and why; enums cannot either."""

NAMES = ("ID", "String")
"""Scalars that can: each place that takes one is probed."""


def _implementations(type: Any) -> list[GraphQLObjectType]:
    if isinstance(type, GraphQLInterfaceType):
        return list(SCHEMA.get_implementations(type).objects)
    return [type]


@cache
def whole(type: Any, inside: tuple[str, ...] = ()) -> str:
    """Return a selection of all that a type has; of a type within itself only what tells it is there."""
    named = get_named_type(type)
    if named.name in inside:
        return "{ __typename id }" if "id" in named.fields else "{ __typename }"
    parts = [
        f"... on {it.name} {{ {' '.join(_selected(it, (*inside, named.name)))} }}"
        if it is not named
        else " ".join(_selected(it, (*inside, named.name)))
        for it in _implementations(named)
    ]
    return f"{{ __typename {' '.join(parts)} }}"


def _selected(type: GraphQLObjectType, inside: tuple[str, ...]) -> Iterator[str]:
    for name, field in type.fields.items():
        assert not any(map(is_required_argument, field.args.values())), f"{type}.{name} wants an argument"
        below = whole(field.type, inside) if is_composite_type(get_named_type(field.type)) else ""
        yield f"{name} {below}"


def reachable() -> set[str]:
    """Return each field of each object that can be selected below a root field, as Type.field."""
    found: set[str] = set()
    waiting = [get_named_type(root.field.type) for root in FIELDS if root.is_composite]
    while waiting:
        for type in _implementations(waiting.pop()):
            for name, field in type.fields.items():
                if f"{type}.{name}" not in found:
                    found.add(f"{type}.{name}")
                    waiting += [it for it in [get_named_type(field.type)] if is_composite_type(it)]
    return found


def answered(data: Any) -> set[str]:
    """Return each field that an answer has a value for, as Type.field; null and [] are none."""
    if isinstance(data, list):
        return {name for item in data for name in answered(item)}
    if not isinstance(data, dict):
        return set()
    type = data.get("__typename")
    own = {f"{type}.{name}" for name, value in data.items() if type and value not in (None, [])}
    return (own - {f"{type}.__typename"}) | {name for value in data.values() for name in answered(value)}


def names(field: RootField) -> Iterator[tuple[Path, str]]:
    """Yield where a field's arguments take an id, a name or a cursor, with the scalar's name."""
    for path, type in field.leaves():
        if not isinstance(type, GraphQLEnumType) and type.name not in CARRY_NOTHING:
            yield path, type.name
