"""The one GraphQL endpoint: POST, GET, server-sent events and WebSocket.

Sources: GraphQL over HTTP (graphql.github.io/graphql-over-http), PROTOCOL.md of enisdenjo/graphql-ws
(graphql-transport-ws) and of enisdenjo/graphql-sse (distinct connections).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from graphql import GraphQLError, OperationDefinitionNode
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry import Schema
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.extensions import SchemaExtension
from strawberry.fastapi import BaseContext, GraphQLRouter
from strawberry.http import GraphQLRequestData
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat
from strawberry.http.websocket_origin import is_same_origin, normalize_origin
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET

from resolvers.errors import ErrorCode, TocsinError, bad_input, forbidden, unauthenticated
from resolvers.principal import Principal
from tocsin import limits
from tocsin.errors import (
    Accept,
    PublicError,
    StatusError,
    encode,
    expected,
    payload,
    public,
    quieten_strawberry,
    refuse,
    respond,
)
from tocsin.settings import Settings

Authenticate = Callable[[str, str | None], Awaitable[Principal]]
NewOperation = Callable[[Principal | None], Any]

_CLOSE_CODES = {
    ErrorCode.UNAUTHENTICATED: 4401,
    ErrorCode.FORBIDDEN: 4403,
    ErrorCode.TENANT_REQUIRED: 4403,
    ErrorCode.INTERNAL: 4500,
}
_MAX_SUBSCRIPTIONS = 100
_EVENTS = SSETransport()


class Connection(BaseContext):
    """Lives as long as a request or a socket; what resolvers see is made anew for each operation."""

    def __init__(self, new_operation: NewOperation) -> None:
        super().__init__()
        self.principal: Principal | None = None
        self._new_operation = new_operation

    @property
    def request_id(self) -> str:
        """The id in X-Request-Id, in INTERNAL errors and in the log."""
        return limits.request_id(self.request.scope) if self.request else "none"

    def operation(self) -> Any:
        """Return a fresh context: what one operation has loaded must not be seen by the next."""
        return self._new_operation(self.principal)


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
        mistake = None if context.pre_execution_errors else self._mistake()
        if mistake:
            extensions = {"code": ErrorCode.BAD_USER_INPUT.value}
            context.pre_execution_errors = [GraphQLError(mistake, extensions=extensions)]
        yield
        for error in context.pre_execution_errors or ():
            error.extensions = {"code": ErrorCode.GRAPHQL_VALIDATION_FAILED.value, **(error.extensions or {})}

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Mask the errors of a `next` or `error` message."""
        if self.connection and result.errors:
            result.errors = [public(error, self.connection.request_id) for error in result.errors]
        yield

    def _mistake(self) -> str | None:
        context = self.execution_context
        document = context.graphql_document
        if document is None:
            return None
        operations = [it for it in document.definitions if isinstance(it, OperationDefinitionNode)]
        # Strawberry runs the first of several where the specification wants a name.
        if len(operations) > 1 and context._provided_operation_name is None:  # noqa: SLF001
            return "Must provide operationName: the document has several operations."
        if limits.holds_nul(context.query or "", document, context.variables):
            return "Strings must not contain U+0000."
        return None


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


def _from_headers(connection: HTTPConnection, cookie: str | None) -> Credentials:
    tenant = connection.headers.get("x-tenant-id")
    if header := connection.headers.get("authorization"):
        return Credentials(_bearer(header), tenant, ambient=False)
    token = connection.cookies.get(cookie) if cookie else None
    return Credentials(token or None, tenant, ambient=bool(token))


def _from_init(said: dict[str, Any], socket: HTTPConnection, cookie: str | None) -> Credentials:
    # GraphiQL sends its headers as the payload, under the names that the user has typed.
    fields = {name.lower(): value for name, value in said.items()}
    token, tenant = fields.get("authorization"), fields.get("tenantid", fields.get("x-tenant-id"))
    if not isinstance(token, str | None) or not isinstance(tenant, str | None):
        raise bad_input(("payload", "authorization and tenantId must be strings"))
    tenant = tenant or socket.headers.get("x-tenant-id")
    if token is not None:
        return Credentials(_bearer(token), tenant, ambient=False)
    return _from_headers(socket, cookie)._replace(tenant=tenant)


def _seconds_left(principal: Principal) -> float:
    return max(0.0, (principal.expires_at - datetime.now(UTC)).total_seconds())


class SocketAdapter(ASGIWebSocketAdapter):
    """A WebSocket that speaks text, closes once, and says so when it is closed."""

    @property
    def closed(self) -> bool:
        """Whether either side has closed."""
        return WebSocketState.DISCONNECTED in {self.ws.application_state, self.ws.client_state}

    async def send_json(self, message: Any) -> None:
        """Send a message, or raise WebSocketDisconnected."""
        if self.closed:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(encode(message).decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close unless closed; RFC 6455 allows 123 bytes of reason, and some quote the client."""
        if not self.closed:
            with suppress(WebSocketDisconnect):
                await self.ws.close(code, reason.encode()[:123].decode(errors="ignore"))


class Socket(BaseGraphQLTransportWSHandler[Connection, None]):
    """One graphql-transport-ws connection; it ends when its principal's token does."""

    websocket: SocketAdapter
    expiry: asyncio.Task[None] | None = None

    async def handle_message(self, message: Any) -> None:
        """Run a message that keeps to the protocol; what arrives after the close is dropped."""
        if self.websocket.closed:
            return
        if reason := _misuse(message):
            await self.handle_invalid_message(reason)
        elif message["type"] == "subscribe" and self._is_full(message["id"]):
            error = TocsinError(ErrorCode.RATE_LIMITED, f"At most {_MAX_SUBSCRIPTIONS} operations at a time.")
            shown = {"message": str(error), "extensions": dict(error.extensions)}
            await self.send_message(cast(Any, {"id": message["id"], "type": "error", "payload": [shown]}))
        else:
            await super().handle_message(message)

    def _is_full(self, id: str) -> bool:
        return len(self.operations) >= _MAX_SUBSCRIPTIONS and id not in self.operations

    async def handle_connection_init(self, message: Any) -> None:
        """Acknowledge; or close with 4401, 4403, 4400 or 4500 and the error's code as the reason."""
        try:
            await super().handle_connection_init(message)
        except WebSocketDisconnected:
            raise
        except Exception as error:  # noqa: BLE001 - nobody above could close with a code
            refusal = expected(error, self.context.request_id)
            await self.websocket.close(_CLOSE_CODES.get(refusal.code, 4400), refusal.code.value)
        if self.connection_acknowledged and self.context.principal and not self.expiry:
            self.expiry = asyncio.create_task(self._expire(_seconds_left(self.context.principal)))

    async def _expire(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for operation in list(self.operations):
            await self.cleanup_operation(operation)
        await self.websocket.close(4401, ErrorCode.UNAUTHENTICATED.value)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what broke an operation's task, unless it was the client going away."""
        if not isinstance(error, WebSocketDisconnected):
            expected(error, self.context.request_id)

    async def shutdown(self) -> None:
        """Stop the timer and the operations."""
        if self.expiry:
            self.expiry.cancel()
        await super().shutdown()


def _misuse(message: Any) -> str | None:
    """Return what is wrong with the shape of a message (PROTOCOL.md, Message types)."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A message must be an object with a type"
    if message["type"] not in {"subscribe", "complete"}:
        return None
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "An operation must have an id"
    if message["type"] == "subscribe":
        try:
            limits.as_operation(message.get("payload"))
        except TocsinError as error:
            return str(error)
    return None


class GraphQLEndpoint(GraphQLRouter[Connection, None]):
    """/graphql.

    `authenticate` takes a token and the wanted tenant, and returns a Principal or raises a TocsinError: HTTP
    401, 403 or 400, on a socket 4401 or 4403. It is awaited once per request or connection_init, and not at
    all without a token: fields that need a principal refuse themselves. `new_operation` makes what resolvers
    find in `info.context`. `ide` is an HTML file for browsers, and `ide_policy` its Content-Security-Policy.
    """

    graphql_transport_ws_handler_class = Socket
    websocket_adapter_class = SocketAdapter

    def __init__(
        self,
        schema: Schema,
        settings: Settings,
        *,
        authenticate: Authenticate,
        new_operation: NewOperation,
        ide: Path | None = None,
        ide_policy: str = "default-src 'self'",
    ) -> None:
        if OperationScope not in schema.extensions:
            raise ValueError("The schema needs the OperationScope extension.")
        quieten_strawberry()

        async def connect() -> Connection:
            return Connection(new_operation)

        super().__init__(
            schema,
            "/graphql",
            graphql_ide=None,
            context_getter=connect,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=settings.init_timeout_seconds),
            max_subscriptions_per_connection=_MAX_SUBSCRIPTIONS,
            allowed_origins=settings.allowed_origins,
            include_in_schema=False,
        )
        self._authenticate = authenticate
        self._cookie = settings.auth_cookie
        self._ide = ide.read_bytes() if ide else None
        self._ide_policy = ide_policy

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = None) -> Any:
        """Answer a request, or serve a socket until it closes."""
        if self.is_websocket_request(request):
            return await super().run(request, context, root_value)
        accept = Accept.of(request.headers.get("accept"))
        try:
            return await self._answer(request, context, accept)
        except Exception as error:  # noqa: BLE001 - the last chance to answer in GraphQL's shape
            return refuse(expected(error, context.request_id), accept)

    async def _answer(self, request: Request, connection: Connection, accept: Accept) -> Response:
        if request.method == "GET" and accept.page and (self._ide or "query" not in request.query_params):
            return self._page()
        if not accept.json and not accept.events:
            raise StatusError(406, "The answer is JSON or an event stream.")
        connection.principal = await self._principal_of(request)
        asked = await limits.read_request(request)
        allowed = (
            {OperationType.QUERY}
            if request.method == "GET"
            else {OperationType.QUERY, OperationType.MUTATION}
        )
        if accept.events_first:
            return await self._stream(asked, connection, allowed | {OperationType.SUBSCRIPTION})
        try:
            return await self._execute(asked, connection, allowed, accept)
        except CannotGetOperationTypeError as error:
            raise bad_input(("operationName", error.as_http_error_reason())) from None
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.MUTATION:
                raise StatusError(405, "Mutations need POST.", {"Allow": "POST"}) from None
        if not accept.events:
            raise StatusError(406, "A subscription needs Accept: text/event-stream, or a WebSocket.")
        return await self._stream(asked, connection, {OperationType.SUBSCRIPTION})

    def _page(self) -> Response:
        if self._ide is None:
            raise StatusError(404, "There is no page here.")
        headers = {"Vary": "Accept", "X-Content-Type-Options": "nosniff"}
        headers["Content-Security-Policy"] = self._ide_policy
        return Response(self._ide, headers=headers, media_type="text/html")

    async def _execute(
        self,
        asked: GraphQLRequestData,
        connection: Connection,
        allowed: Collection[OperationType],
        accept: Accept,
    ) -> Response:
        result = await self.schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=connection,
            operation_name=asked.operation_name,
            allowed_operation_types=allowed,
        )
        return respond(payload(result.data, result.errors, connection.request_id), accept)

    async def _stream(
        self, asked: GraphQLRequestData, connection: Connection, allowed: Collection[OperationType]
    ) -> Response:
        results = await self.schema.stream(
            asked.query,
            variable_values=asked.variables,
            context_value=connection,
            operation_name=asked.operation_name,
            allowed_operation_types=allowed,
        )

        async def events() -> AsyncGenerator[str, None]:
            async with aclosing(_until_expiry(results, connection.principal)) as lasting:
                async for data, errors in lasting:
                    body = payload(data, errors, connection.request_id)
                    yield _EVENTS.encode_next(cast(Any, body), lambda it: encode(it).decode())
            yield _EVENTS.encode_complete()

        stream = merge_stream_with_heartbeat(
            events,
            lambda: _EVENTS.heartbeat_message(str),
            _EVENTS.heartbeat_interval,
            send_initial_heartbeat=False,
        )
        return StreamingResponse(stream(), headers=_EVENTS.headers)

    async def _principal_of(self, request: Request) -> Principal | None:
        found = _from_headers(request, self._cookie)
        safe = request.method == "POST" and limits.is_json(request.headers.get("content-type"))
        if found.ambient and not safe:
            raise forbidden("A cookie is accepted only with a JSON POST.")
        return await self._admit(found)

    async def on_ws_connect(self, context: Connection) -> Any:
        """Authenticate a socket; its cookie counts only from this origin or an allowed one."""
        socket = cast(WebSocket, context.request)
        found = _from_init(context.connection_params or {}, socket, self._cookie)
        if found.ambient and not self._is_trusted(socket):
            raise forbidden("A cookie is accepted only from a page of this origin.")
        context.principal = await self._admit(found)
        return UNSET

    def _is_trusted(self, socket: WebSocket) -> bool:
        origin = socket.headers.get("origin", "")
        return (
            is_same_origin(origin, socket.headers.get("host"))
            or normalize_origin(origin) in self.allowed_origins
        )

    async def _admit(self, found: Credentials) -> Principal | None:
        return None if found.token is None else await self._authenticate(found.token, found.tenant)

    def decode_json(self, data: str | bytes) -> object:
        """Parse a message of a socket."""
        return orjson.loads(data)


async def _until_expiry(
    results: Any, principal: Principal | None
) -> AsyncGenerator[tuple[Any, list[GraphQLError] | None], None]:
    """Pass results on until the token expires; then say so, once, and end."""
    deadline = None if principal is None else asyncio.get_running_loop().time() + _seconds_left(principal)
    async with aclosing(results):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    result = await anext(results)
            except StopAsyncIteration:
                return
            except TimeoutError:
                error = unauthenticated()
                yield None, [PublicError(str(error), extensions=dict(error.extensions))]
                return
            yield result.data, result.errors
