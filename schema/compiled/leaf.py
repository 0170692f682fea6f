"""What a field of a scalar or an enum looks like in a generated function."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.pyutils import inspect
from strawberry.schema.schema_converter import CustomGraphQLEnumType

# What GraphQL's own scalars show as it is; {v} is the variable.
_AS_IT_IS = {
    GraphQLString: "{v}.__class__ is str",
    GraphQLID: "{v}.__class__ is str",
    GraphQLBoolean: "{v}.__class__ is bool",
    GraphQLInt: "{v}.__class__ is int and -2147483648 <= {v} <= 2147483647",
    GraphQLFloat: "{v}.__class__ is float and -1e308 < {v} < 1e308",
}
SHOWN = frozenset({bool, int, float, str, list, dict})
"""Of these nothing has to be awaited, and none is an exception."""
PLAIN = SHOWN | {tuple, date, datetime, time, Decimal, UUID}


def leaf(type: GraphQLLeafType, v: str, names: dict[str, Any]) -> tuple[str, str | None]:
    """Return a condition on variable v, and the statement that shows its value where it holds.

    names: what they refer to goes in there. No statement: it is for the scalar to say.
    """
    if type in _AS_IT_IS:
        return _AS_IT_IS[type].format(v=v), "pass"
    if isinstance(type, CustomGraphQLEnumType):
        names[f"names_{v}"] = _names(type)
        names[f"class_{v}"] = type.wrapped_cls
        known = f"({v}.__class__ is class_{v} or {v}.__class__ is str) and {v} in names_{v}"
        return known, f"{v} = names_{v}[{v}]"
    if type.coerce_output_value is str:
        return _AS_IT_IS[GraphQLString].format(v=v), "pass"
    return f"{v}.__class__ in PLAIN", None


def checked(type: GraphQLLeafType, given: Any, shown: Any) -> Any:
    """Return what a scalar made of a value, or raise what graphql-core does where it made nothing of it."""
    if shown is None or shown is Undefined:
        raise TypeError(
            f"Expected `{inspect(type)}.coerce_output_value({inspect(given)})` to return non-nullable value, "
            f"returned: {inspect(shown)}"
        )
    return shown


def _names(type: CustomGraphQLEnumType) -> Mapping[Any, str]:
    """Return what is shown for each member and each value that is a string; nothing where the two quarrel."""
    names: dict[Any, str] = {}
    values = [it.value for it in type.values.values() if it.value.__class__ is str]
    for value in [*type.wrapped_cls, *values]:
        name = type.coerce_output_value(value)
        if names.setdefault(value, name) != name:
            return {}
    return names
