"""What an expression of a template is worth, and what it costs to find out."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from jinja2 import nodes

from resolvers.template_filters import (
    FILTERS,
    TESTS,
    Absent,
    Filter,
    TooMuchError,
    bounded,
    items,
    number,
    text,
)

_BUDGET = 50_000
"""Units, of half a microsecond or less."""
STEP = 4
"""Units that each step takes."""
_CHARACTERS = 32
"""How many characters of a text cost one unit."""
_PRINTED = 4
"""Units for each number of a list that is printed."""

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda value, many: value in many,
    "notin": lambda value, many: value not in many,
}
_ARITHMETIC: Mapping[type[nodes.Node], Callable[[Any, Any], Any]] = {
    nodes.Add: operator.add,
    nodes.Sub: operator.sub,
    nodes.Mul: operator.mul,
    nodes.Div: operator.truediv,
    nodes.FloorDiv: operator.floordiv,
    nodes.Mod: operator.mod,
}


class MissingError(Exception):
    """What was not given is needed."""

    def __init__(self, absent: Absent) -> None:
        super().__init__()
        self.absent = absent


class Evaluator:
    """Evaluates the expressions of one template, as long as there is something left to spend.

    locals: the names that the template gave to values. line: where the evaluation is.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.locals: dict[str, Any] = {}
        self.line = 1
        self._variables = variables
        self._left = _BUDGET

    def spend(self, units: int) -> None:
        """Pay, or raise TooMuchError."""
        self._left -= units
        if self._left < 0:
            raise TooMuchError("it does too much.")

    def weigh(self, *values: Any, weight: int = 1) -> None:
        """Pay for looking at each piece of some values."""
        rest = list(values)
        while rest:
            value = rest.pop()
            if isinstance(value, str):
                self.spend(len(value) * weight // _CHARACTERS)
            elif isinstance(value, int):
                self.spend(value.bit_length() * weight // _CHARACTERS)
            elif isinstance(value, dict | list | tuple):
                self.spend(len(value) * weight)
                rest.extend(value)
                rest.extend(value.values() if isinstance(value, dict) else ())

    def value(self, node: nodes.Node) -> Any:
        """Return an expression's value, or raise MissingError."""
        value = self.value_if_any(node)
        if isinstance(value, Absent):
            raise MissingError(value)
        return value

    def value_if_any(self, node: nodes.Node) -> Any:
        """Return an expression's value, or Absent."""
        self.spend(STEP)
        self.line = node.lineno
        return self._EXPRESSIONS[type(node)](self, node)

    def text(self, value: Any) -> str:
        """Return what a value is printed as."""
        self.weigh(value, weight=1 if isinstance(value, str) else _PRINTED)
        return text(value)

    def items(self, value: Any) -> Sequence[Any]:
        """Return what a loop over a value gives."""
        found = items(value)
        self.spend(len(found))
        return found

    def _data(self, node: nodes.TemplateData) -> str:
        return node.data

    def _const(self, node: nodes.Const) -> Any:
        return node.value

    def _name(self, node: nodes.Name) -> Any:
        if node.name in self.locals:
            return self.locals[node.name]
        return self._variables.get(node.name, Absent(node.name, node.lineno, is_variable=True))

    def _attribute(self, node: nodes.Getattr) -> Any:
        return self._member(node, self.value(node.node), node.attr)

    def _item(self, node: nodes.Getitem) -> Any:
        owner = self.value(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(owner, node.arg)
        return self._member(node, owner, self.value(node.arg))

    def _member(self, node: nodes.Expr, owner: Any, key: Any) -> Any:
        """Look up a key of an object, or a place in a list or a text."""
        if isinstance(owner, dict) and key in owner:
            return owner[key]
        if isinstance(owner, list | tuple | str) and isinstance(key, int) and -len(owner) <= key < len(owner):
            return owner[key]
        path, root = _path(node)
        return Absent(path, node.lineno, is_variable=root in self._variables and root not in self.locals)

    def _slice(self, owner: Any, node: nodes.Slice) -> Any:
        if not isinstance(owner, list | tuple | str):
            raise TypeError
        bounds = (None if it is None else self.value(it) for it in (node.start, node.stop, node.step))
        self.spend(len(owner) // _CHARACTERS if isinstance(owner, str) else len(owner))
        return owner[slice(*bounds)]

    def _list(self, node: nodes.List | nodes.Tuple) -> list[Any]:
        return [self.value(it) for it in node.items]

    def _dict(self, node: nodes.Dict) -> dict[Any, Any]:
        return {self.value(it.key): self.value(it.value) for it in node.items}

    def _filter(self, node: nodes.Filter) -> Any:
        return self._apply(FILTERS[node.name], node)

    def _test(self, node: nodes.Test) -> Any:
        return self._apply(TESTS[node.name], node)

    def _apply(self, chosen: Filter, node: nodes.Filter | nodes.Test) -> Any:
        assert node.node is not None  # noqa: S101  it is None in a filter block only
        value = self.value_if_any(node.node) if chosen.takes_absent else self.value(node.node)
        given = [self.value(it) for it in node.args]
        named = {str(it.key): self.value(it.value) for it in node.kwargs}
        if chosen.weight:
            self.weigh(value, *given, *named.values(), weight=chosen.weight)
        made = chosen.call(value, *given, **named)
        bounded(len(made) if isinstance(made, str) else 0)
        return made

    def _and(self, node: nodes.And) -> Any:
        return self.value(node.left) and self.value(node.right)

    def _or(self, node: nodes.Or) -> Any:
        return self.value(node.left) or self.value(node.right)

    def _not(self, node: nodes.Not) -> bool:
        return not self.value(node.node)

    def _condition(self, node: nodes.CondExpr) -> Any:
        if self.value(node.test):
            return self.value(node.expr1)
        return None if node.expr2 is None else self.value(node.expr2)

    def _compare(self, node: nodes.Compare) -> Any:
        left, made = self.value(node.expr), True
        for operand in node.ops:
            right = self.value(operand.expr)
            self.weigh(left, right)
            made, left = _COMPARE[operand.op](left, right), right
            if not made:
                break
        return made

    def _concat(self, node: nodes.Concat) -> str:
        parts = [self.text(self.value(it)) for it in node.nodes]
        bounded(sum(map(len, parts)))
        return "".join(parts)

    def _arithmetic(self, node: nodes.BinExpr) -> Any:
        """Reckon with numbers; + also joins two texts."""
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node, nodes.Add) and isinstance(left, str) and isinstance(right, str):
            bounded(len(left) + len(right))
            self.weigh(left, right)
            return left + right
        return _ARITHMETIC[type(node)](number(left), number(right))

    def _negative(self, node: nodes.Neg) -> Any:
        return -number(self.value(node.node))

    def _positive(self, node: nodes.Pos) -> Any:
        return +number(self.value(node.node))

    _EXPRESSIONS: ClassVar[Mapping[type[nodes.Node], Callable[..., Any]]] = {
        nodes.TemplateData: _data,
        nodes.Const: _const,
        nodes.Name: _name,
        nodes.Getattr: _attribute,
        nodes.Getitem: _item,
        nodes.List: _list,
        nodes.Tuple: _list,
        nodes.Dict: _dict,
        nodes.Filter: _filter,
        nodes.Test: _test,
        nodes.And: _and,
        nodes.Or: _or,
        nodes.Not: _not,
        nodes.CondExpr: _condition,
        nodes.Compare: _compare,
        nodes.Concat: _concat,
        nodes.Neg: _negative,
        nodes.Pos: _positive,
        **dict.fromkeys(_ARITHMETIC, _arithmetic),
    }


def _path(node: nodes.Node) -> tuple[str | None, str | None]:
    """Return how a template names a part of a value, such as `user.name`, and its first name, `user`."""
    keys: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        key = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
        if not isinstance(key, str | int):
            return None, None
        keys.append(str(key))
        node = node.node
    if not isinstance(node, nodes.Name):
        return None, None
    return ".".join([node.name, *reversed(keys)]), node.name
