"""What an operation costs its caller: points, of which a caller has so many a minute.

A point is about a badge's work. A document that the server has not seen costs by its length, for parsing and
validating it is most of the work and its rows are fewer than its characters.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)
from strawberry.schema import BaseSchema

from schema.compiled import valid
from schema.compiled.cache import Cache

QUERY = 1.0
MUTATION = 5.0
ROWS_A_POINT = 20
CHARACTERS_A_POINT = 5
_MOST_ROWS = 200
_SIZES = {"first", "last"}


class Price(NamedTuple):
    """What an operation costs whatever its variables are, and the variables that say how many rows it wants."""

    points: float
    sizes: Mapping[str, int]

    def of(self, variables: Mapping[str, Any] | None) -> float:
        """Return the points with these variables: a row asked for and an item given count the same."""
        if not variables and not self.sizes:
            return self.points
        given = variables or {}
        rows = sum(_size(given.get(name, default)) for name, default in self.sizes.items())
        return self.points + (rows + items(given)) / ROWS_A_POINT


class Prices:
    """The prices of a schema's operations; each is worked out once."""

    def __init__(self, schema: BaseSchema) -> None:
        self._schema = schema
        self._known: Cache[Price] = Cache(1_000, 250_000)

    def of(self, text: str, variables: Mapping[str, Any] | None, name: str | None) -> float:
        """Return what an operation costs."""
        key = (text, name)
        price = self._known.get(key)
        if price is None:
            document = valid(self._schema, text)
            if document is None:
                return MUTATION + len(text) / CHARACTERS_A_POINT + items(variables or {}) / ROWS_A_POINT
            price = self._known.put(key, price_of(document, name), text)
        return price.of(variables)


def price_of(document: DocumentNode, name: str | None) -> Price:
    """Return the price of an operation of a valid document; one that is not there costs as an empty one."""
    operation = _operation(document, name)
    if operation is None:
        return Price(QUERY, {})
    fragments = {it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)}
    each = MUTATION if operation.operation is OperationType.MUTATION else QUERY
    points, rows, sizes = 0.0, 0, set()
    for field, is_root in _fields(operation.selection_set, fragments):
        points += each * is_root
        for argument in field.arguments or ():
            if argument.name.value not in _SIZES:
                rows += _listed(argument.value)
            elif isinstance(argument.value, VariableNode):
                sizes.add(argument.value.name.value)
            elif isinstance(argument.value, IntValueNode):
                rows += _size(int(argument.value.value))
    return Price(points + rows / ROWS_A_POINT, _defaults(operation, sizes))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    operations = (it for it in document.definitions if isinstance(it, OperationDefinitionNode))
    return next((it for it in operations if name is None or (it.name and it.name.value == name)), None)


def _fields(
    selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[tuple[FieldNode, bool]]:
    """Yield the fields of an operation, fragments expanded, and whether each is a root field."""
    stack = [(selected, True)]
    while stack:
        selection_set, is_root = stack.pop()
        for node in selection_set.selections:
            inside: Any = fragments.get(node.name.value) if isinstance(node, FragmentSpreadNode) else node
            if isinstance(node, FieldNode):
                yield node, is_root
            if nested := inside and inside.selection_set:
                stack.append((nested, is_root and not isinstance(node, FieldNode)))


def _defaults(operation: OperationDefinitionNode, names: set[str]) -> Mapping[str, int]:
    found = dict.fromkeys(names, 0)
    for it in operation.variable_definitions or ():
        if it.variable.name.value in names and isinstance(it.default_value, IntValueNode):
            found[it.variable.name.value] = int(it.default_value.value)
    return found


def _size(value: object) -> int:
    """Return a wanted number of rows; what is out of range is refused later and costs no more than the most."""
    return min(max(value, 0), _MOST_ROWS) if type(value) is int else 0


def _listed(value: ValueNode) -> int:
    """Count the items of the lists in a literal."""
    count, stack = 0, [value]
    while stack:
        node = stack.pop()
        if isinstance(node, ListValueNode):
            count += len(node.values)
            stack += node.values
        else:
            stack += [it.value for it in getattr(node, "fields", ())]
    return count


def items(value: object) -> int:
    """Count the items of the lists in what JSON was parsed to."""
    count, stack = 0, [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            stack += [it for it in found.values() if isinstance(it, dict | list)]
        elif isinstance(found, list):
            count += len(found)
            stack += [it for it in found if isinstance(it, dict | list)]
    return count
