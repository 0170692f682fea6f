"""An operation that has run before: to run again it needs nothing but its variables and its context."""

from collections.abc import Awaitable
from typing import Any, cast

from graphql import ExecutionResult, GraphQLSchema
from graphql.execution.values import get_variable_values
from strawberry.types.graphql import OperationType

from schema.compiled.fields import Run

Result = ExecutionResult | Awaitable[ExecutionResult]


class Prepared:
    """An operation of a valid document, known by the document's text and the name that clients give."""

    def __init__(self, run: Run) -> None:
        """Keep of a run what all runs of the operation have in common."""
        self.type = OperationType(run.operation.operation.value)
        self._definitions = run.operation.variable_definitions
        self._blank = run.blank()
        self._plan = run.unconditional_plan()

    def execute(self, schema: GraphQLSchema, variables: dict[str, Any] | None, context: Any) -> Result:
        """Return the result, or an awaitable of it."""
        values: Any = self._blank.variable_values
        if self._definitions:
            values = get_variable_values(schema, self._definitions, variables or {}, max_errors=50)
            if isinstance(values, list):
                return ExecutionResult(None, values)
        run = self._blank.fork(context, values)
        return cast(Result, run.follow(self._plan) if self._plan else run.execute_operation())
