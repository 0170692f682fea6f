"""One operation over HTTP: the long way while it is new, and then the short one."""

from collections.abc import Collection
from typing import Any

from graphql import DocumentNode, ExecutionResult
from strawberry.http import GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType
from strawberry.utils.operation import get_operation_type

from schema import compiled
from schema.compiled import Prepared
from tocsin.connection import Connection, has_nul, mistake


async def execute(
    schema: BaseSchema, asked: GraphQLRequestData, connection: Connection, allowed: Collection[OperationType]
) -> Any:
    """Return the result of an operation, as Strawberry would with its extensions.

    A document is remembered when they had nothing against it; what depends on more is asked each time.
    """
    prepared = compiled.prepared(schema, asked.query or "", asked.operation_name)
    if prepared is None:
        return await _execute_new(schema, asked, connection, allowed)
    result = _execute(schema, prepared, asked, connection, allowed)
    return result if result.__class__ is ExecutionResult else await result


def _execute(
    schema: BaseSchema,
    prepared: Prepared,
    asked: GraphQLRequestData,
    connection: Connection,
    allowed: Collection[OperationType],
) -> Any:
    """Run what has run before: there is nothing wrong with its text."""
    if prepared.type not in allowed:
        raise InvalidOperationTypeError(prepared.type)
    connection.operation_type = prepared.type.value
    if asked.variables and (error := has_nul(asked.variables)):
        return ExecutionResult(None, [error])
    return prepared.execute(compiled.core(schema), asked.variables, connection.operation())


async def _execute_new(
    schema: BaseSchema, asked: GraphQLRequestData, connection: Connection, allowed: Collection[OperationType]
) -> Any:
    document = compiled.valid(schema, asked.query or "")
    if document is None:
        result = await schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=connection,
            operation_name=asked.operation_name,
            allowed_operation_types=allowed,
        )
        if document := compiled.valid(schema, asked.query or ""):
            connection.operation_type = get_operation_type(document, asked.operation_name).value
        return result
    connection.operation_type = _allowed(document, asked.operation_name, allowed).value
    if error := mistake(document, asked.query or "", asked.variables, asked.operation_name):
        return ExecutionResult(None, [error])
    context = connection.operation()
    return await compiled.execute(schema, document, asked.variables, context, asked.operation_name)


def _allowed(document: DocumentNode, name: str | None, allowed: Collection[OperationType]) -> OperationType:
    try:
        type = get_operation_type(document, name)
    except RuntimeError as error:
        raise CannotGetOperationTypeError(name) from error
    if type not in allowed:
        raise InvalidOperationTypeError(type)
    return type
