"""One field of a selection: what it is called, how its value is got, and what its errors say."""

from collections.abc import Callable
from enum import Enum
from functools import cached_property
from keyword import iskeyword
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLObjectType, VariableNode, Visitor, visit
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

Run = Any
"""The executor of one run, see executor.py: it holds the variables, the context and the errors."""

_IMMUTABLE = frozenset({type(None), bool, int, float, str})
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
        """Return the arguments as graphql-core coerces them; those that nobody can change only once a run."""
        if not (self.definition.args or self.nodes[0].arguments):
            return {}
        found: dict[str, Any] | None = run.arguments.get(self)
        if found is None:
            found = get_argument_values(
                self.definition, self.nodes[0], run.variable_values, None, run.hide_suggestions
            )
            if all(_is_immutable(it) for it in found.values()):
                run.arguments[self] = found
        return found

    def strawberry_info(self, run: Run, above: Path | None) -> Any:
        """Return what Strawberry's resolvers get as info."""
        info = self.info(run, self.path(above))
        return run.schema._strawberry_schema.config.info_class(_raw_info=info, _field=self.strawberry)  # noqa: SLF001

    def constants(self, run: Run) -> dict[str, Any] | None:
        """Return the converted arguments if they are the same in every run, and None if they may not be."""
        variables = _Variables()
        visit(self.nodes[0], variables)
        if variables.found:
            return None
        try:
            found = self.converted(run, None)
        except Exception:  # noqa: BLE001  it will be raised again where it belongs: in the run
            return None
        return found if all(_is_immutable(it) for it in found.values()) else None

    def converted(self, run: Run, above: Path | None) -> dict[str, Any]:
        """Return the arguments as Strawberry's resolvers take them."""
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
        if field is None or field.base_resolver is None or field.is_async or handlers:
            return None
        function: Any = field.base_resolver.wrapped_func
        return function if callable(function) else None

    def resolve(self, run: Run, source: Any, above: Path | None) -> Any:
        """Return the value as graphql-core would get it."""
        info = self.info(run, self.path(above))
        return (self.definition.resolve or run.field_resolver)(source, info, **self.arguments(run))


class _Variables(Visitor):
    """Whether there are variables in the arguments of a field."""

    found = False

    def enter_selection_set(self, *_: Any) -> Any:
        return self.SKIP

    def enter_directive(self, *_: Any) -> Any:
        return self.SKIP

    def enter_variable(self, _node: VariableNode, *_: Any) -> Any:
        self.found = True
        return self.BREAK


def _is_immutable(value: Any) -> bool:
    return value.__class__ in _IMMUTABLE or isinstance(value, Enum)
