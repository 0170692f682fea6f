"""Documents that were found valid, so that each is parsed and validated once, and what was compiled of them."""

from collections.abc import Iterator
from typing import Any, cast

from graphql import DocumentNode, ExecutionResult, GraphQLSchema
from strawberry.execution import optimized_is_awaitable
from strawberry.extensions import SchemaExtension
from strawberry.schema import BaseSchema

from schema.compiled.cache import Cache
from schema.compiled.prepared import Prepared

MOST_DOCUMENTS = 1_000
MOST_CHARACTERS = 250_000
"""A plan takes some 350 bytes for each character of its document: these are at most 90 MB."""

_KEY = "compiled-documents"  # where a schema keeps them


class Kept:
    """What is kept for a schema: valid documents, what their operations depend on, and the plans of these."""

    def __init__(self) -> None:
        self.valid: Cache[DocumentNode] = Cache(MOST_DOCUMENTS, MOST_CHARACTERS)
        self.prepared: Cache[Prepared] = Cache(MOST_DOCUMENTS, MOST_CHARACTERS)
        self.conditions: Cache[tuple[str, ...]] = Cache(MOST_DOCUMENTS, MOST_CHARACTERS)
        self.plans: Cache[Any] = Cache(MOST_DOCUMENTS, MOST_CHARACTERS)


def kept(schema: GraphQLSchema) -> Kept:
    """Return what is kept for a schema."""
    return cast(Kept, schema.extensions.get(_KEY) or schema.extensions.setdefault(_KEY, Kept()))


class Documents(SchemaExtension):
    """Parses and validates a document once.

    A document is valid when it came as far as execution. What other extensions do in `on_validate` they do each
    time: some of it depends on more than the document.
    """

    def on_parse(self) -> Iterator[None]:
        """Hand out the document if it is known."""
        context = self.execution_context
        if context.graphql_document is None and context.query:
            context.graphql_document = valid(context.schema, context.query)
            self._known = context.graphql_document is not None
        yield

    def on_validate(self) -> Iterator[None]:
        """Tell Strawberry that a known document has no errors."""
        if self._known and self.execution_context.pre_execution_errors is None:
            self.execution_context.pre_execution_errors = []
        yield

    def on_execute(self) -> Iterator[None]:
        """Remember the document: here it has passed all rules and limits."""
        context = self.execution_context
        if not self._known and context.query and context.graphql_document:
            documents = kept(core(context.schema)).valid
            if documents.get(context.query) is None:
                _unlink_tokens(context.graphql_document)
                documents.put(context.query, context.graphql_document, context.query)
        yield

    _known = False


def _unlink_tokens(document: DocumentNode) -> None:
    """Part the tokens, each of which keeps its neighbours: a document that is let go must not be a cycle."""
    token: Any = document.loc and document.loc.start_token
    while token:
        token.prev, token.next, token = None, None, token.next


def valid(schema: BaseSchema, text: str) -> DocumentNode | None:
    """Return the document of a text that is known to be valid."""
    return kept(core(schema)).valid.get(text)


def prepared(schema: BaseSchema, text: str, operation_name: str | None) -> Prepared | None:
    """Return an operation of a valid document that `execute` has run before."""
    return kept(core(schema)).prepared.get((text, operation_name))


def core(schema: BaseSchema) -> GraphQLSchema:
    """Return graphql-core's schema, to which Strawberry has no public way."""
    return cast(GraphQLSchema, schema._schema)  # type: ignore[attr-defined]  # noqa: SLF001


async def execute(
    schema: BaseSchema,
    document: DocumentNode,
    variables: dict[str, Any] | None,
    context: Any,
    operation_name: str | None,
) -> ExecutionResult:
    """Execute an operation of a valid document, without Strawberry's extensions."""
    theirs = core(schema)
    executor: Any = theirs._strawberry_schema.execution_context_class  # type: ignore[attr-defined]  # noqa: SLF001
    run = executor.build(
        theirs,
        document,
        context_value=context,
        raw_variable_values=variables,
        operation_name=operation_name,
        is_awaitable=optimized_is_awaitable,
        operation_extensions=None,
    )
    if isinstance(run, list):
        return ExecutionResult(None, run)
    if document.loc:
        text = document.loc.source.body
        kept(theirs).prepared.put((text, operation_name), Prepared(run), text)
    result: Any = run.execute_operation()
    return cast(ExecutionResult, await result if run.is_awaitable(result) else result)
