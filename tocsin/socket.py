"""graphql-transport-ws (PROTOCOL.md of enisdenjo/graphql-ws): Strawberry's handler, made strict."""

import asyncio
from contextlib import suppress
from typing import Any, cast

from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from resolvers.errors import ErrorCode, TocsinError
from resolvers.principal import Principal
from tocsin import limits, logs
from tocsin.connection import Connection
from tocsin.errors import (
    encode,
    expected,
)

_CLOSE_CODES = {
    ErrorCode.UNAUTHENTICATED: 4401,
    ErrorCode.FORBIDDEN: 4403,
    ErrorCode.TENANT_REQUIRED: 4403,
    ErrorCode.RATE_LIMITED: 4429,
    ErrorCode.UNAVAILABLE: 1013,  # graphql-ws comes back after this one, and gives up after 4500
    ErrorCode.INTERNAL: 4500,
}


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
            # Not send_text: it would hold the text until the client takes it.
            await self.ws.send({"type": "websocket.send", "text": encode(message).decode()})
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close unless closed; RFC 6455 allows 123 bytes of reason, and some quote the client."""
        if not self.closed:
            with suppress(WebSocketDisconnect):
                await self.ws.close(code, reason.encode()[:123].decode(errors="ignore"))


class Socket(BaseGraphQLTransportWSHandler[Connection, None]):
    """One graphql-transport-ws connection; it ends when its principal's access does, or when it is idle."""

    websocket: SocketAdapter
    ending: asyncio.Task[None] | None = None
    idle: asyncio.TimerHandle | None = None
    closing: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Serve until it closes, and give its seat back whatever happened."""
        with self.context.seat:
            await super().handle()

    async def handle_message(self, message: Any) -> None:
        """Run a message that keeps to the protocol; what arrives after the close is dropped."""
        if self.websocket.closed:
            return
        if reason := _misuse(message):
            await self.handle_invalid_message(reason)
        elif message["type"] == "subscribe":
            await self._subscribe(message)
        else:
            await super().handle_message(message)

    async def _subscribe(self, message: dict[str, Any]) -> None:
        try:
            payload = cast(Any, self.view).settle(message.get("payload"))
            asked = limits.as_operation(payload)
            if self.connection_acknowledged:  # else it is refused
                cast(Any, self.view).charge(self.context, asked)
        except TocsinError as error:
            await self._refuse(message["id"], error)
            return
        if self._is_full(message["id"]):
            limit = self.max_subscriptions_per_connection
            full = TocsinError(ErrorCode.RATE_LIMITED, f"At most {limit} operations at a time.")
            await self._refuse(message["id"], full)
        else:
            logs.about(self.context, payload.get("operationName"))  # its task begins with this
            await super().handle_message(cast(Any, {**message, "payload": payload}))

    async def _refuse(self, id: str, error: TocsinError) -> None:
        if error.code is ErrorCode.BAD_USER_INPUT:
            await self.handle_invalid_message(str(error))
        elif not self.connection_acknowledged:
            await self.websocket.close(4401, "Unauthorized")
        else:
            shown = {"message": str(error), "extensions": dict(error.extensions)}
            await self.send_message(cast(Any, {"id": id, "type": "error", "payload": [shown]}))

    def _is_full(self, id: str) -> bool:
        limit = self.max_subscriptions_per_connection
        return limit is not None and len(self.operations) >= limit and id not in self.operations

    async def handle_connection_init(self, message: Any) -> None:
        """Acknowledge; or close with 4401, 4403, 4400 or 4500 and the error's code as the reason."""
        try:
            await super().handle_connection_init(message)
        except WebSocketDisconnected:
            raise
        except Exception as error:  # noqa: BLE001 - nobody above could close with a code
            refusal = expected(error, self.context.request_id)
            await self.websocket.close(_CLOSE_CODES.get(refusal.code, 4400), refusal.code.value)
        if self.connection_acknowledged:
            self.connection_init_timeout_task = None  # cancelled, it would hold its frames
            self._rest()
            if self.context.principal and not self.ending:
                self.ending = asyncio.create_task(self._end_with(self.context.principal))

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        super()._task_done(task)
        if self.connection_acknowledged:
            self._rest()

    def _rest(self) -> None:
        """Begin the time that the socket may be idle; what starts meanwhile is seen when it is over."""
        if self.idle:
            self.idle.cancel()
        loop = asyncio.get_running_loop()
        self.idle = loop.call_later(self.context.idle_seconds, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if not self.operations:
            self.closing = asyncio.create_task(self.websocket.close(4408, "Idle"))

    async def _end_with(self, principal: Principal) -> None:
        reason = await self.context.ended(principal)
        for operation in list(self.operations):
            await self.cleanup_operation(operation)
        await self.websocket.close(_CLOSE_CODES[reason.code], reason.code.value)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what broke an operation's task, unless it was the client going away."""
        if not isinstance(error, WebSocketDisconnected):
            expected(error, self.context.request_id)

    async def shutdown(self) -> None:
        """Stop the watches and the operations."""
        if self.ending:
            self.ending.cancel()
            self.ending = None  # its error has this frame, which has this socket, which has it
        self.connection_acknowledged = False
        if self.idle:
            self.idle.cancel()
        await super().shutdown()


def _misuse(message: Any) -> str | None:
    """Return what is wrong with the shape of a message (PROTOCOL.md, Message types)."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A message must be an object with a type"
    if message["type"] not in {"subscribe", "complete"}:
        return None
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "An operation must have an id"
    return None
