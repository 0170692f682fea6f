"""The one GraphQL endpoint: POST, GET, server-sent events and WebSocket.

Sources: GraphQL over HTTP (graphql.github.io/graphql-over-http), PROTOCOL.md of enisdenjo/graphql-ws
(graphql-transport-ws) and of enisdenjo/graphql-sse (distinct connections).
"""

from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLRequestData
from strawberry.http.websocket_origin import is_same_origin, normalize_origin
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET

from resolvers.errors import bad_input, forbidden
from resolvers.principal import Principal
from schema.price import Prices
from tocsin import limits, logs
from tocsin.connection import (
    Authenticate,
    Connection,
    Credentials,
    Lost,
    NewOperation,
    OperationScope,
    Remembered,
    from_headers,
    from_init,
    never,
)
from tocsin.errors import (
    Accept,
    StatusError,
    expected,
    quieten_strawberry,
    refuse,
    respond,
)
from tocsin.operation import execute
from tocsin.rates import Rates
from tocsin.seats import Seats
from tocsin.settings import Settings
from tocsin.socket import Socket, SocketAdapter
from tocsin.stream import EventStream

Observe = Callable[[str, str, float], None]
"""Told of a request that was answered: its operation's type, its outcome, and how many seconds it took."""


class GraphQLEndpoint(GraphQLRouter[Connection, None]):
    """/graphql.

    `authenticate` takes a token and the wanted tenant, and returns a Principal or raises a TocsinError: HTTP
    401, 403 or 400, on a socket 4401 or 4403. It is awaited once per request or connection_init, and not at
    all without a token: fields that need a principal refuse themselves. `remembered` returns the same Principal
    where there is nothing to wait for, else None. `lost` returns when a principal's access is taken away; then
    sockets close with 4403 and streams end. `rates` says who may ask for how much. `settle` finds the documents
    of which a client gives the id. `new_operation` makes what resolvers find in `info.context`. `ide` is an HTML
    file for browsers, and `ide_policy` its Content-Security-Policy.
    """

    graphql_transport_ws_handler_class = Socket
    websocket_adapter_class = SocketAdapter

    def __init__(
        self,
        schema: Schema,
        settings: Settings,
        *,
        authenticate: Authenticate,
        remembered: Remembered = lambda _token, _tenant: None,
        new_operation: NewOperation,
        lost: Lost = never,
        rates: Rates | None = None,
        settle: limits.Settle = lambda parameters: parameters,
        ide: Path | None = None,
        ide_policy: str = "default-src 'self'",
        observe: Observe | None = None,
    ) -> None:
        if OperationScope not in schema.extensions:
            raise ValueError("The schema needs the OperationScope extension.")
        quieten_strawberry()

        super().__init__(
            schema,
            "/graphql",
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=settings.init_timeout_seconds),
            max_subscriptions_per_connection=settings.max_operations_per_socket,
            allowed_origins=settings.allowed_origins,
            include_in_schema=False,
        )
        idle, suggest = settings.idle_timeout_seconds, settings.introspection
        self._serve_plainly(lambda: Connection(new_operation, lost, idle, suggest=suggest))
        self.seats = Seats(settings.max_sockets_per_user)
        self._authenticate, self._remembered = authenticate, remembered
        self._observe, self._rates = observe, rates or Rates(0)
        self._prices = Prices(schema)
        self.settle = settle
        self._cookie = settings.auth_cookie
        self._allow_get = settings.allow_get
        self._ide = ide.read_bytes() if ide else None
        self._ide_policy = ide_policy

    def _serve_plainly(self, connect: Callable[[], Connection]) -> None:
        """Serve from plain routes.

        What FastAPI injects costs a request more than the badge itself, and a socket would hold it as long as it
        lives.
        """

        async def serve(request: Any) -> Any:
            connection = connect()
            connection.request = request
            logs.about(connection)
            return await self.run(request, connection)

        route = Route("/graphql", serve, methods=["GET", "POST"], include_in_schema=False)
        self.routes[:] = [route, WebSocketRoute("/graphql", serve)]
        self._serve = serve

    async def answer(self, request: Request) -> Response:
        """Answer a POST that came by no router."""
        response: Response = await self._serve(request)
        return response

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = None) -> Any:
        """Answer a request, or serve a socket until it closes."""
        if self.is_websocket_request(request):
            return await super().run(request, context, root_value)
        if self._observe is None:
            return await self._run(request, context)
        began = perf_counter()
        response = await self._run(request, context)
        self._observe(context.operation_type, context.code, perf_counter() - began)
        return response

    async def _run(self, request: Request, connection: Connection) -> Response:
        accept = Accept.of(request.headers.get("accept"))
        try:
            return await self._answer(request, connection, accept)
        except Exception as error:  # noqa: BLE001 - the last chance to answer in GraphQL's shape
            refusal = expected(error, connection.request_id)
            connection.code = refusal.code.value
            return refuse(refusal, accept)

    async def _answer(self, request: Request, connection: Connection, accept: Accept) -> Response:
        if request.method == "HEAD":  # which Starlette lets in with GET
            raise StatusError(405, "Ask with GET or POST.", {"Allow": "GET, POST"})
        if request.method == "GET" and accept.page and (self._ide or "query" not in request.query_params):
            return self._page()
        if request.method == "GET" and not self._allow_get:
            raise StatusError(405, "Ask with POST.", {"Allow": "POST"})
        if not accept.json and not accept.events:
            raise StatusError(406, "The answer is JSON or an event stream.")
        connection.principal = await self._principal_of(request)
        asked = await limits.read_request(request, self.settle)
        logs.about(connection, asked.operation_name)
        self.charge(connection, asked)
        allowed = (
            {OperationType.QUERY}
            if request.method == "GET"
            else {OperationType.QUERY, OperationType.MUTATION}
        )
        if accept.events_first:
            return await self._stream(asked, connection, allowed | {OperationType.SUBSCRIPTION}, accept)
        try:
            return await self._execute(asked, connection, allowed, accept)
        except CannotGetOperationTypeError as error:
            raise bad_input(("operationName", error.as_http_error_reason())) from None
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.MUTATION:
                raise StatusError(405, "Mutations need POST.", {"Allow": "POST"}) from None
        if not accept.events:
            raise StatusError(406, "A subscription needs Accept: text/event-stream, or a WebSocket.")
        return await self._stream(asked, connection, {OperationType.SUBSCRIPTION}, accept)

    def charge(self, connection: Connection, asked: GraphQLRequestData) -> None:
        """Have an operation paid for by its caller, or raise RATE_LIMITED."""
        text, variables, name = asked.query or "", asked.variables, asked.operation_name
        self._rates.charge(self._prices, connection.principal, text, variables, name)

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
        result = await execute(self.schema, asked, connection, allowed)
        body = connection.payload(result.data, result.errors)
        if "errors" in body:
            connection.code = body["errors"][0]["extensions"]["code"]
        return respond(body, accept)

    async def _stream(
        self,
        asked: GraphQLRequestData,
        connection: Connection,
        allowed: Collection[OperationType],
        accept: Accept,
    ) -> Response:
        connection.operation_type = OperationType.SUBSCRIPTION.value
        results = await self.schema.stream(
            asked.query,
            variable_values=asked.variables,
            context_value=connection,
            operation_name=asked.operation_name,
            allowed_operation_types=allowed,
        )

        return EventStream(results, connection, self.seats, accept)

    async def _principal_of(self, request: Request) -> Principal | None:
        found = from_headers(request, self._cookie)
        safe = request.method == "POST" and limits.is_json(request.headers.get("content-type"))
        if found.ambient and not safe:
            raise forbidden("A cookie is accepted only with a JSON POST.")
        return await self._admit(found)

    async def on_ws_connect(self, context: Connection) -> Any:
        """Authenticate a socket and give it a seat; its cookie counts only from this origin or an allowed one."""
        socket = cast(WebSocket, context.request)
        found = from_init(context.connection_params or {}, socket, self._cookie)
        if found.ambient and not self._is_trusted(socket):
            raise forbidden("A cookie is accepted only from a page of this origin.")
        principal = await self._admit(found)
        context.seat.enter_context(self.seats.taken(principal))
        context.principal = principal
        return UNSET

    def _is_trusted(self, socket: WebSocket) -> bool:
        origin = socket.headers.get("origin", "")
        return (
            is_same_origin(origin, socket.headers.get("host"))
            or normalize_origin(origin) in self.allowed_origins
        )

    async def _admit(self, found: Credentials) -> Principal | None:
        if found.token is None:
            return None
        known = self._remembered(found.token, found.tenant)
        return known or await self._authenticate(found.token, found.tenant)

    def decode_json(self, data: str | bytes) -> object:
        """Parse a message of a socket."""
        return orjson.loads(data)
