"""Operations made at random over a schema: valid ones, with all that may stand in a document."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from graphql import (
    GraphQLSchema,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
)

MOST_FIELDS = 14


class Generated:
    """A document, and values for its variables.

    likely: values for arguments of these names, so that not all are refused.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        seed: int,
        kind: OperationType = OperationType.QUERY,
        likely: Mapping[str, Sequence[Any]] = MappingProxyType({}),
    ) -> None:
        self.schema = schema
        self.seed = seed
        self.likely = likely
        self.random = Random(seed)
        self.variables: dict[str, Any] = {}
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self._left = MOST_FIELDS
        self._names = 0
        root: Any = schema.get_root_type(kind)
        selection = self._selection(root, self.random.randrange(2, 5))
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        self.document = f"{kind.value} Op{declared} {selection}\n" + "\n".join(self._fragments)
        self.parsed = parse(self.document)

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _selection(self, type: Any, depth: int) -> str:
        parts = [self._part(type, depth) for _ in range(self.random.randrange(1, 6))]
        parts += self.random.sample(parts, 1) if self.random.random() < 0.2 else []
        return "{ " + " ".join(parts) + " }"

    def _part(self, type: Any, depth: int) -> str:
        roll = self.random.random()
        if roll < 0.12 and depth > 1:
            return self._fragment(type, depth)
        if roll < 0.2 or not hasattr(type, "fields"):
            return "__typename" if roll < 0.16 or not is_abstract_type(type) else self._fragment(type, depth)
        return self._field(type, depth)

    def _fragment(self, type: Any, depth: int) -> str:
        on = type
        if is_abstract_type(type) and self.random.random() < 0.8:
            on = self.random.choice(list(self.schema.get_possible_types(type)))
        elif getattr(type, "interfaces", ()) and self.random.random() < 0.4:
            on = self.random.choice(type.interfaces)
        selection = self._selection(on, depth)
        if self.random.random() < 0.5:
            condition = f"on {on} " if on is not type or self.random.random() < 0.5 else ""
            return f"... {condition}{self._directives()}{selection}"
        name = self._name("F")
        self._fragments.append(f"fragment {name} on {on} {selection}")
        return f"...{name} {self._directives()}"

    def _field(self, type: Any, depth: int) -> str:
        self._left -= 1
        fields = {
            name: it
            for name, it in type.fields.items()
            if (depth > 1 and self._left > 0) or is_leaf_type(get_named_type(it.type))
        }
        if not fields:
            return "__typename"
        name, field = self.random.choice(list(fields.items()))
        arguments = [
            f"{key}: {self._value(key, it)}"
            for key, it in field.args.items()
            if self.random.random() < 0.4 or (is_non_null_type(it.type) and it.default is None)
        ]
        alias = f"{self._name('a')}: " if arguments or field.args or self.random.random() < 0.2 else ""
        inner = get_named_type(field.type)
        below = "" if is_leaf_type(inner) else self._selection(inner, depth - 1)
        given = f"({', '.join(arguments)})" if arguments else ""
        return f"{alias}{name}{given} {self._directives()}{below}"

    def _directives(self) -> str:
        if self.random.random() > 0.1:
            return ""
        name, value = self.random.choice(["skip", "include"]), str(self.random.random() < 0.5).lower()
        if self.random.random() < 0.6:
            variable = self._name("v")
            default = self.random.choice(["", f" = {value}"])
            self._declared.append(f"${variable}: Boolean{default or '!'}")
            if not default or self.random.random() < 0.5:
                self.variables[variable] = self.random.random() < 0.5
            value = f"${variable}"
        return f"@{name}(if: {value}) "

    def _value(self, name: str, argument: Any) -> str:
        if self.random.random() < 0.4:
            variable = self._name("v")
            self._declared.append(f"${variable}: {argument.type}")
            if is_non_null_type(argument.type) or self.random.random() < 0.8:
                self.variables[variable] = self._given(name, argument.type)
            return f"${variable}"
        return _literal(self._given(name, argument.type), argument.type)

    def _given(self, name: str, type: Any) -> Any:
        if name in self.likely and self.random.random() < 0.9:
            return self.random.choice(self.likely[name])
        return self._json(type)

    def _json(self, type: Any, depth: int = 0) -> Any:
        if is_non_null_type(type):
            return self._some(type.of_type, depth)
        return None if self.random.random() < 0.1 else self._some(type, depth)

    def _some(self, type: Any, depth: int) -> Any:
        if is_list_type(type):
            return [self._json(type.of_type, depth + 1) for _ in range(self.random.randrange(3))]
        if is_input_object_type(type):
            return {
                name: self._json(it.type, depth + 1)
                for name, it in type.fields.items()
                if (is_non_null_type(it.type) and it.default is None)
                or (self.random.random() < 0.5 and depth < 3)
            }
        if is_enum_type(type):
            return self.random.choice(list(type.values))
        return self._scalar(type.name)

    def _scalar(self, name: str) -> Any:
        random = self.random
        values: dict[str, Any] = {
            "Int": random.choice([0, 1, 2, 3, 20]),
            "Float": random.random(),
            "Boolean": random.random() < 0.5,
            "DateTime": "2026-01-15T10:00:00.000Z",
            "JSON": {"a": 1},
        }
        return values.get(name, random.choice(["", "x", "y z"]))


def _literal(value: Any, type: Any) -> str:
    """Write a value as it stands in a document."""
    type = type.of_type if is_non_null_type(type) else type
    if isinstance(value, list):
        return "[" + ", ".join(_literal(it, type.of_type) for it in value) + "]"
    if isinstance(value, dict):
        fields = getattr(type, "fields", {})
        return (
            "{"
            + ", ".join(
                f"{key}: {_literal(it, getattr(fields.get(key), 'type', type))}" for key, it in value.items()
            )
            + "}"
        )
    return str(value) if is_enum_type(type) and value else json.dumps(value)


def valid(generated: Generated) -> bool:
    """Tell whether a generated document may be run."""
    return not validate(generated.schema, generated.parsed)
