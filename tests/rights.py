"""The schema's root fields, read off the schema itself: who may call each, and calls that are valid.

`python -m tests.rights` prints docs/rights.md.
"""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)

import schema
from resolvers.principal import Role

Path = tuple[str | int, ...]
"""Where in the arguments a value stands: names, and 0 for the one element of a list."""

_WORDS = {"users": Role.USER, "admins": Role.ADMIN, "agents": Role.AGENT}
_WHO = re.compile(r"(?:^|[.:;] )([A-Z][a-z]+(?:, [a-z]+)*(?: and [a-z]+)?)\.$")
_SCALARS: dict[str, Any] = {
    "Boolean": True,
    "DateTime": "2026-01-15T10:00:00.000Z",
    "Float": 1.5,
    "ID": "00000000-0000-4000-8000-000000000001",
    "Int": 1,
    "JSON": {},
    "LocalTime": "09:00",
    "SafeUrl": "/x",
    "String": "x",
    "TimeZone": "Europe/Paris",
}


# What inputs want that their types do not say: one of each group, and no more than one.
_ONE_OF = {
    "NotifyInput": (("recipients", "everyone"), ("title", "template")),
    "PreferenceInput": (("category", "template"),),
}


def roles_in(description: str | None) -> frozenset[Role]:
    """Return who may call a field: the last sentence of its description. ValueError if it does not say."""
    found = _WHO.search(description or "")
    words = re.findall(r"[a-z]+", found[1].lower().replace(" and ", " ")) if found else []
    if not words or not set(words) <= _WORDS.keys():
        raise ValueError(f"does not end with who may call it: {description!r}")
    return frozenset(_WORDS[word] for word in words)


def minimal(type: Any) -> Any:
    """Return a value of an input type, with as little in it as the type allows."""
    if isinstance(type, GraphQLNonNull):
        return minimal(type.of_type)
    if isinstance(type, GraphQLList):
        return [minimal(type.of_type)]
    if isinstance(type, GraphQLEnumType):
        return next(iter(type.values))
    if isinstance(type, GraphQLScalarType):
        return copy.deepcopy(_SCALARS[type.name])
    fields: dict[str, GraphQLInputField] = type.fields
    first = [group[0] for group in _ONE_OF.get(type.name, ())]
    return {
        name: minimal(field.type)
        for name, field in fields.items()
        if name in first or is_required_input_field(field)
    }


@dataclass(frozen=True)
class Call:
    """A document and its variables."""

    document: str
    variables: dict[str, Any]


@dataclass(frozen=True)
class RootField:
    """A field of Query, Mutation or Subscription."""

    type: str
    name: str
    field: GraphQLField

    def __str__(self) -> str:
        return f"{self.type}.{self.name}"

    @property
    def roles(self) -> frozenset[Role]:
        """Who may call it, as it says itself."""
        try:
            return roles_in(self.field.description)
        except ValueError as error:
            raise ValueError(f"{self} {error}") from None

    @property
    def required(self) -> dict[str, Any]:
        """The least arguments that it can be called with."""
        return {
            name: minimal(argument.type)
            for name, argument in self.field.args.items()
            if is_required_argument(argument)
        }

    @property
    def is_composite(self) -> bool:
        """Whether something must be selected of what it returns."""
        return is_composite_type(get_named_type(self.field.type))

    def call(self, arguments: dict[str, Any], selection: str = "{ __typename }") -> Call:
        """Return a call of it that selects this, if there is something to select."""
        used: dict[str, GraphQLArgument] = {name: self.field.args[name] for name in arguments}
        declared = ", ".join(f"${name}: {argument.type}" for name, argument in used.items())
        given = ", ".join(f"{name}: ${name}" for name in used)
        return Call(
            f"{self.type.lower()}{f'({declared})' if declared else ''} "
            f"{{ {self.name}{f'({given})' if given else ''} {selection if self.is_composite else ''} }}",
            arguments,
        )

    def placed(self, path: Path, value: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with a value at a path; what is missing on the way is minimal."""
        name = str(path[0])
        type = self.field.args[name].type
        return arguments | {name: _placed(type, arguments.get(name), path[1:], value)}

    def leaves(self) -> Iterator[tuple[Path, Any]]:
        """Yield where its arguments take values, each with the type of what stands there."""
        for name, argument in self.field.args.items():
            yield from _leaves(argument.type, (name,), ())


def _placed(type: Any, value: Any, path: Path, leaf: Any) -> Any:
    if isinstance(type, GraphQLNonNull):
        return _placed(type.of_type, value, path, leaf)
    if not path:
        return leaf
    value = minimal(type) if value is None else value
    if isinstance(type, GraphQLList):
        return [_placed(type.of_type, value[0], path[1:], leaf)]
    name = str(path[0])
    others = {other for group in _ONE_OF.get(type.name, ()) if name in group for other in group} - {name}
    value = {other: it for other, it in value.items() if other not in others}
    return value | {name: _placed(type.fields[name].type, value.get(name), path[1:], leaf)}


def _leaves(type: Any, path: Path, inside: tuple[str, ...]) -> Iterator[tuple[Path, Any]]:
    if isinstance(type, GraphQLNonNull):
        yield from _leaves(type.of_type, path, inside)
    elif isinstance(type, GraphQLList):
        yield from _leaves(type.of_type, (*path, 0), inside)
    elif not isinstance(type, GraphQLInputObjectType):
        yield path, type
    elif type.name not in inside:
        for name, field in type.fields.items():
            yield from _leaves(field.type, (*path, name), (*inside, type.name))


def root_fields() -> list[RootField]:
    """Return every root field, in order of its name."""
    built = build_schema(schema.build().as_str())
    types: list[GraphQLObjectType | None] = [built.query_type, built.mutation_type, built.subscription_type]
    return [
        RootField(type.name, name, field)
        for type in types
        if type
        for name, field in sorted(type.fields.items())
    ]


_HEAD = """# Who may call what

Printed from the schema by `make docs/rights.md`. [tests/test_rights.py](../tests/test_rights.py) calls each
field as each caller: without a valid token it is UNAUTHENTICATED, with another role FORBIDDEN. An admin is a
user too.

| field | users | admins | agents |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return docs/rights.md."""
    lines = [
        f"| `{field}` | {' | '.join('yes' if role in field.roles else 'no' for role in _WORDS.values())} |\n"
        for field in root_fields()
    ]
    return _HEAD + "".join(lines)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  that is what it is run for
