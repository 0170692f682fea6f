"""Who is connected, and the fresh context that each of its operations gets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from starlette.requests import HTTPConnection
from strawberry.extensions import SchemaExtension
from strawberry.fastapi import BaseContext

from resolvers.errors import ErrorCode, TocsinError, bad_input, forbidden, unauthenticated
from resolvers.principal import Principal
from tocsin import limits
from tocsin.errors import payload, public

Authenticate = Callable[[str, str | None], Awaitable[Principal]]
Remembered = Callable[[str, str | None], Principal | None]
NewOperation = Callable[[Principal | None], Any]
Lost = Callable[[Principal], Awaitable[None]]


async def never(_principal: Principal) -> None:
    """Wait for ever: access lasts as long as the token."""
    await asyncio.get_running_loop().create_future()


def seconds_left(principal: Principal) -> float:
    """Return how long the principal's token is still good."""
    return max(0.0, (principal.expires_at - datetime.now(UTC)).total_seconds())


class Connection(BaseContext):
    """Lives as long as a request or a socket; what resolvers see is made anew for each operation."""

    def __init__(
        self,
        new_operation: NewOperation,
        lost: Lost = never,
        idle_seconds: float = 60,
        *,
        suggest: bool = True,
    ) -> None:
        super().__init__()
        self.principal: Principal | None = None
        self.idle_seconds = idle_seconds
        self.operation_type, self.code = "none", "OK"
        """Of a request: what it asked for, as far as that is known, and what came of it."""
        self.seat = ExitStack()
        """What a socket gives back when it ends."""
        self._new_operation = new_operation
        self._lost = lost
        self._suggest = suggest

    @property
    def request_id(self) -> str:
        """The id in X-Request-Id, in INTERNAL errors and in the log."""
        return limits.request_id(self.request.scope) if self.request else "none"

    def operation(self) -> Any:
        """Return a fresh context: what one operation has loaded must not be seen by the next."""
        return self._new_operation(self.principal)

    def payload(self, data: Any, errors: Sequence[GraphQLError] | None) -> dict[str, Any]:
        """Return a GraphQL response."""
        return payload(data, self.public(errors), self.request_id) if errors else {"data": data}

    def public(self, errors: Sequence[GraphQLError]) -> list[GraphQLError]:
        """Return errors as clients may see them."""
        return [public(error, self.request_id, suggest=self._suggest) for error in errors]

    async def ended(self, principal: Principal) -> TocsinError:
        """Return, when there is none any more, why: UNAUTHENTICATED at expiry, FORBIDDEN if taken away."""
        try:
            async with asyncio.timeout(seconds_left(principal)):
                await self._lost(principal)
        except TimeoutError:
            return unauthenticated()
        return forbidden("Your access was taken away.")


class OperationScope(SchemaExtension):
    """Gives each operation its own context, and lets only public errors out of a stream.

    Other contexts than a `Connection` are left as they are.
    """

    connection: Connection | None = None

    def on_operation(self) -> Iterator[None]:
        """Replace the connection by what `new_operation` returns."""
        context = self.execution_context
        if isinstance(context.context, Connection):
            self.connection = context.context
            context.context = self.connection.operation()
        yield

    def on_validate(self) -> Iterator[None]:
        """Refuse what Strawberry would let pass, and tell validation errors from all others by a code."""
        context = self.execution_context
        name = context._provided_operation_name  # noqa: SLF001
        if not context.pre_execution_errors and (
            error := mistake(context.graphql_document, context.query or "", context.variables, name)
        ):
            context.pre_execution_errors = [error]
        yield
        for error in context.pre_execution_errors or ():
            error.extensions = {"code": ErrorCode.GRAPHQL_VALIDATION_FAILED.value, **(error.extensions or {})}

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Mask the errors of a `next` or `error` message."""
        if self.connection and result.errors:
            result.errors = self.connection.public(result.errors)
        yield


def mistake(
    document: DocumentNode | None, text: str, variables: dict[str, Any] | None, name: str | None
) -> GraphQLError | None:
    """Return what is wrong with a valid document's operation; what Strawberry would let pass."""
    if document is None:
        return None
    operations = sum(isinstance(it, OperationDefinitionNode) for it in document.definitions)
    # Strawberry runs the first of several where the specification wants a name.
    if operations > 1 and name is None:
        return _bad_input("Must provide operationName: the document has several operations.")
    return has_nul([*limits.literals(text, document), variables])


def has_nul(values: Any) -> GraphQLError | None:
    """Return what is wrong with values of JSON that hold U+0000, which no Postgres text can."""
    return _bad_input("Strings must not contain U+0000.") if limits.holds_nul(values) else None


def _bad_input(said: str) -> GraphQLError:
    return GraphQLError(said, extensions={"code": ErrorCode.BAD_USER_INPUT.value})


class Credentials(NamedTuple):
    """A token, the wanted tenant, and whether a browser added the token by itself."""

    token: str | None
    tenant: str | None
    ambient: bool


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated()
    return token.strip()


def from_headers(connection: HTTPConnection, cookie: str | None) -> Credentials:
    """Read a bearer token, or else the cookie of this name; a malformed header is UNAUTHENTICATED."""
    tenant = connection.headers.get("x-tenant-id")
    if header := connection.headers.get("authorization"):
        return Credentials(_bearer(header), tenant, ambient=False)
    token = connection.cookies.get(cookie) if cookie else None
    return Credentials(token or None, tenant, ambient=bool(token))


def from_init(said: dict[str, Any], socket: HTTPConnection, cookie: str | None) -> Credentials:
    """Read the payload of connection_init; what it lacks counts from the upgrade request."""
    # Some clients send their HTTP headers as the payload, under their own names.
    fields = {name.lower(): value for name, value in said.items()}
    token, tenant = fields.get("authorization"), fields.get("tenantid", fields.get("x-tenant-id"))
    if not isinstance(token, str | None) or not isinstance(tenant, str | None):
        raise bad_input(("payload", "authorization and tenantId must be strings"))
    tenant = tenant or socket.headers.get("x-tenant-id")
    if token is not None:
        return Credentials(_bearer(token), tenant, ambient=False)
    return from_headers(socket, cookie)._replace(tenant=tenant)
