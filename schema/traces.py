"""A span for each root field, by its name alone: arguments are the client's."""

from inspect import isawaitable
from typing import Any

from graphql import GraphQLFieldResolver, default_field_resolver
from opentelemetry.trace import StatusCode, Tracer
from strawberry import Schema

from resolvers.errors import TocsinError
from schema.compiled.documents import core


def trace_root_fields(schema: Schema, tracer: Tracer) -> None:
    """Have the root fields of queries and mutations traced, by whichever path they are answered.

    A plan calls a resolver that is not Strawberry's own as graphql-core does, so there is nothing to tell it.
    """
    types = core(schema)
    for type in (types.query_type, types.mutation_type):
        for name, field in type.fields.items() if type else ():
            field.resolve = _traced(tracer, f"{type}.{name}", field.resolve or default_field_resolver)


def _traced(tracer: Tracer, name: str, resolve: GraphQLFieldResolver) -> GraphQLFieldResolver:
    async def traced(source: Any, info: Any, **arguments: Any) -> Any:
        # What an exception says may quote a value.
        with tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                value = resolve(source, info, **arguments)
                return await value if isawaitable(value) else value
            except Exception as error:
                span.set_status(StatusCode.ERROR)
                span.set_attribute(
                    "error.type",
                    error.code.value if isinstance(error, TocsinError) else type(error).__name__,
                )
                raise

    return traced
