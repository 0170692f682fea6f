"""One field of a selection: what it is called, how its value is got, and what its errors say."""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import cached_property
from keyword import iskeyword
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLObjectType, Undefined, VariableNode, Visitor, visit
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

Run = Any
"""The executor of one run, see executor.py: it holds the variables, the context and the errors."""

_IMMUTABLE = frozenset({type(None), type(Undefined), bool, int, float, str})
_MOST_GIVEN = 32
_RESOLVERS = "GraphQLCoreConverter.from_resolver.<locals>."


class FieldNodes(list[FieldNode]):
    """The nodes of a field; `memo` is for whoever derives something from them that stays true."""

    def __init__(self, nodes: list[FieldNode]) -> None:
        super().__init__(nodes)
        self.memo: dict[Any, Any] = {}


class Field:
    """A field of an object type under its response name, with all the nodes that were merged."""

    def __init__(
        self, key: str, parent: GraphQLObjectType, definition: GraphQLField, details: list[FieldDetails]
    ) -> None:
        self.key = key
        self.parent = parent
        self.definition = definition
        self.type = definition.type
        self.details = details
        self.nodes = FieldNodes([it.node for it in details])
        self.name = details[0].node.name.value
        self._given: dict[Any, dict[str, Any]] = {}

    def path(self, above: Path | None) -> Path:
        """Return the field's path below that of its object."""
        return Path(above, self.key, self.parent.name)

    def info(self, run: Run, path: Path) -> Any:
        """Return what resolvers get as info; path: the field's own, or that of an item in its list."""
        while isinstance(path.key, int) and path.prev:
            path = path.prev
        return run.build_resolve_info(self.definition, self.nodes, self.parent, path)

    def fail(self, run: Run, error: Exception, above: Path | None) -> None:
        """Note an error, or raise it if the field cannot be null."""
        run.handle_field_error(error, self.type, self.details, self.path(above))

    # -- arguments -------------------------------------------------------------------------------------------

    def arguments(self, run: Run) -> dict[str, Any]:
        """Return the arguments as graphql-core coerces them."""
        if not (self.definition.args or self.nodes[0].arguments):
            return {}
        return get_argument_values(
            self.definition, self.nodes[0], run.variable_values, None, run.hide_suggestions
        )

    def strawberry_info(self, run: Run, above: Path | None) -> Any:
        """Return what Strawberry's resolvers get as info."""
        info = self.info(run, self.path(above))
        return run.schema._strawberry_schema.config.info_class(_raw_info=info, _field=self.strawberry)  # noqa: SLF001

    def constants(self, run: Run) -> dict[str, Any] | None:
        """Return the converted arguments if they are the same in every run, and None if they may not be."""
        if not self._variables:
            with suppress(Exception):  # it will be raised again where it belongs: in the run
                self.given(run, None)
        return self._given.get(())

    def given(self, run: Run, above: Path | None) -> dict[str, Any]:
        """Return the arguments as Strawberry's resolvers take them; those of the latest variables are kept."""
        values = [run.variable_values.coerced.get(name, Undefined) for name in self._variables]
        if not all(_is_immutable(it) for it in values):
            return self._converted(run, above)
        key = tuple([(it.__class__, it) for it in values])  # 1, True and 1.0 are equal
        found = self._given.get(key)
        if found is None:
            found = self._converted(run, above)
            if all(_is_immutable(it) for it in found.values()):
                if len(self._given) == _MOST_GIVEN:
                    self._given.clear()
                self._given[key] = found
        return found

    @cached_property
    def _variables(self) -> tuple[str, ...]:
        visitor = _Variables()
        visit(self.nodes[0], visitor)
        return tuple(visitor.names)

    def _converted(self, run: Run, above: Path | None) -> dict[str, Any]:
        if not self.definition.args:
            return {}
        schema = run.schema._strawberry_schema  # noqa: SLF001  Strawberry's own link
        return convert_arguments(
            self.arguments(run),
            self.strawberry.arguments if self.strawberry else [],
            scalar_registry=schema.schema_converter.scalar_registry,
            config=schema.config,
            info=self.strawberry_info(run, above),
        )

    # -- values ----------------------------------------------------------------------------------------------

    @cached_property
    def strawberry(self) -> StrawberryField | None:
        """Strawberry's definition, if the resolver is the one that Strawberry made of it and nothing more."""
        found = self.definition.extensions.get("strawberry-definition")
        made = getattr(self.definition.resolve, "__qualname__", "").startswith(_RESOLVERS)
        return found if made and isinstance(found, StrawberryField) and not found.extensions else None

    def attribute(self) -> str | None:
        """Return the name of the attribute that is the field's value, if it is one."""
        field = self.strawberry
        if field is None or not field.is_basic_field or field.default_resolver is not getattr:
            return None
        name = field.python_name
        return name if name.isascii() and name.isidentifier() and not iskeyword(name) else None

    def function(self, run: Run) -> Callable[..., Any] | None:
        """Return the resolver itself, if it is a plain function and nothing stands between."""
        field = self.strawberry
        handlers = run.schema._strawberry_schema.exception_handlers if field else ()  # noqa: SLF001
        if field is None or field.base_resolver is None or handlers:
            return None
        function: Any = field.base_resolver.wrapped_func
        return function if callable(function) else None

    def resolve(self, run: Run, source: Any, above: Path | None) -> Any:
        """Return the value as graphql-core would get it."""
        info = self.info(run, self.path(above))
        return (self.definition.resolve or run.field_resolver)(source, info, **self.arguments(run))


class _Variables(Visitor):
    """The variables in the arguments of a field."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_selection_set(self, *_: Any) -> Any:
        return self.SKIP

    def enter_directive(self, *_: Any) -> Any:
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> Any:
        self.names.add(node.name.value)


def _is_immutable(value: Any) -> bool:
    return value.__class__ in _IMMUTABLE or isinstance(value, Enum)
