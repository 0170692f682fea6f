"""The same operation by graphql-core and by a plan, byte for byte."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import orjson
import strawberry
from graphql import DocumentNode, ExecutionResult, parse, print_ast
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.compiled import CompiledExecutor, Prepared
from schema.compiled.plan import Plan

TICKS = 50
"""What is abandoned by an error goes on in the background, and is to be compared, too."""


@runtime_checkable
class Noted(Protocol):
    """A context that notes what was called, in order."""

    calls: list[str]


class Counting(CompiledExecutor):
    """Counts the runs by plan and those that were left to graphql-core as a whole."""

    planned = 0
    declined = 0

    def plan(self) -> Plan | None:
        """Return the plan of the operation, and count."""
        plan = super().plan()
        Counting.planned += plan is not None
        Counting.declined += plan is None
        return plan


@dataclass
class Answer:
    """What a client would see, what was called meanwhile, and whether there was any data."""

    body: bytes
    calls: list[str]
    has_data: bool


async def answer(
    executor: type[Any],
    schema: strawberry.Schema,
    document: DocumentNode,
    variables: Any,
    context: Any,
    *,
    again: bool = False,
) -> Answer:
    """Run an operation of a valid document; again: as one that has run before over HTTP."""
    run = executor.build(
        schema._schema,
        document,
        context_value=context,
        raw_variable_values=variables,
        is_awaitable=optimized_is_awaitable,
    )
    result: Any
    if isinstance(run, list):
        result = ExecutionResult(None, run)
    elif again:
        result = Prepared(run).execute(schema._schema, variables, context)
    else:
        result = run.execute_operation()
    if not isinstance(result, ExecutionResult):
        result = await result
    for _ in range(TICKS):
        await asyncio.sleep(0)
    errors = [error.formatted for error in result.errors or ()]
    # What waits for the database fails in whatever order that answers.
    errors = errors if isinstance(context, Noted) else sorted(errors, key=str)
    body = orjson.dumps([result.data, errors])
    has_data = any(it is not None for it in (result.data or {}).values())
    return Answer(body, list(context.calls) if isinstance(context, Noted) else [], has_data)


async def difference(
    schema: strawberry.Schema, document: str | DocumentNode, variables: Any, context: Callable[[], Any]
) -> tuple[Answer, str | None]:
    """Return graphql-core's answer, and how that of a plan differs: in its first run, or in the next."""
    parsed = parse(document) if isinstance(document, str) else document
    wanted = await answer(StrawberryGraphQLCoreExecutionContext, schema, parsed, variables, context())
    for run in ("first", "second"):
        found = await answer(Counting, schema, parsed, variables, context(), again=run == "second")
        if found != wanted:
            return wanted, f"{run} run\n{print_ast(parsed)}\n{variables}\n{wanted}\n{found}"
    return wanted, None
