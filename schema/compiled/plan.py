"""A plan: the functions that answer one operation, for one choice of what is skipped and included."""

from types import CoroutineType
from typing import Any

from graphql import DirectiveNode, GraphQLObjectType, OperationType, VariableNode, Visitor, visit
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields

from schema.compiled.complete import Selector
from schema.compiled.fields import Field, Run
from schema.compiled.source import selector

Shape = tuple[bool, ...]
"""What the variables of @skip and @include say."""


def conditions(run: Run) -> tuple[str, ...]:
    """Return the variables that decide what an operation selects."""
    visitor = _Conditions()
    for node in (run.operation, *run.fragment_definitions.values()):
        visit(node, visitor)
    return tuple(sorted(visitor.variables))


def shape(run: Run, names: tuple[str, ...]) -> Shape | None:
    """Return the values of these variables; None where one is not as it must be."""
    values = [run.variable_values.coerced.get(name) for name in names]
    return tuple(values) if all(isinstance(value, bool) for value in values) else None


class _Conditions(Visitor):
    """The variables that @skip and @include depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.variables.add(argument.value.name.value)


class Plan:
    """What an operation of one shape runs."""

    def __init__(self, run: Run) -> None:
        type = run.schema.get_root_type(run.operation.operation)
        collected = collect_fields(
            run.schema, run.fragments, run.variable_values, type, run.operation, run.hide_suggestions
        )
        groups = collected.grouped_field_set
        in_series = run.operation.operation is OperationType.MUTATION
        parts = [{key: details} for key, details in groups.items()] if in_series else [groups]
        self._parts = [_compiled(run, type, part) for part in parts]

    def execute(self, run: Run, source: Any) -> Any:
        """Return the data, or an awaitable of it; the fields of a mutation one after the other."""
        if len(self._parts) == 1:
            return self._parts[0](run, None, source)
        data: dict[str, Any] = {}
        for number, part in enumerate(self._parts):
            shown = part(run, None, source)
            if shown.__class__ is CoroutineType:
                return self._go_on(run, source, data, shown, number + 1)
            data |= shown
        return data

    async def _go_on(
        self, run: Run, source: Any, data: dict[str, Any], awaitable: Any, number: int
    ) -> dict[str, Any]:
        data |= await awaitable
        for part in self._parts[number:]:
            shown = part(run, None, source)
            data |= await shown if shown.__class__ is CoroutineType else shown
        return data


def _compiled(run: Run, type: GraphQLObjectType, groups: dict[str, list[FieldDetails]]) -> Selector:
    found = ((key, run.schema.get_field(type, it[0].node.name.value), it) for key, it in groups.items())
    fields = [Field(key, type, definition, details) for key, definition, details in found if definition]
    return selector(run, fields, _below)


def _below(run: Run, type: GraphQLObjectType, field: Field) -> Selector:
    fragments, values, details = run.fragments, run.variable_values, field.details
    collected = collect_subfields(
        run.schema, fragments, values, run.operation, type, details, run.hide_suggestions
    )
    return _compiled(run, type, collected.grouped_field_set)
