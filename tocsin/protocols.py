"""Uvicorn's protocols, made to lose patience with clients that stop reading, and to say goodbye.

Uvicorn waits for ever for a client that takes nothing, also to close; and where it shuts down, its close frame
may be lost in a reset and carries no hint when to come back.
"""

import asyncio
import json
import random
import socket
from collections.abc import MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

PATIENCE_SECONDS = 20.0
"""Who takes nothing of what waits for him for this long, or for at most twice as long, is dropped."""

REQUEST_SECONDS = 15.0
"""Whose request is not whole after this long, or at most twice as long, is answered with 408 and closed."""

RETURN_WITHIN_MS = 2_000
"""Clients that are sent away come back spread over this time."""

_UNSENT_BYTES = 16_384
_SERVICE_RESTART = 1012  # RFC 6455 7.4.2 and IANA's registry
_GOODBYE_SECONDS = 5.0
_LEAVING = "leaving"
_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def leaving(state: MutableMapping[str, Any]) -> "asyncio.Future[None]":
    """Return what is done when this server begins to shut down, from the state of an ASGI scope."""
    future: asyncio.Future[None] = state.setdefault(_LEAVING, asyncio.get_running_loop().create_future())
    return future


def leave(state: MutableMapping[str, Any]) -> None:
    """Say that this server begins to shut down."""
    future = leaving(state)
    if not future.done():
        future.set_result(None)


def return_after() -> int:
    """Return after how many milliseconds a client may come back, another number for each."""
    return random.randint(0, RETURN_WITHIN_MS)  # noqa: S311 - spreads load, guards nothing


class _Patient(asyncio.Protocol):
    """A connection that is dropped when its client takes nothing of what waits for it."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    _next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take whatever the kernel has not taken for waiting: what is being closed may wait, too."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(0)
        # Or the kernel takes, and holds, megabytes for a client that reads nothing: thousands of badges.
        if option := getattr(socket, "TCP_NOTSENT_LOWAT", None):  # not on Windows
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, _UNSENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client."""
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        """Wait no longer: the client has everything."""
        self._rest()
        super().resume_writing()

    def _look_later(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._next_look = self.loop.call_later(PATIENCE_SECONDS, self._look, waiting)

    def _look(self, waiting: int) -> None:
        if self.transport.get_write_buffer_size() < waiting:
            self._look_later()
        else:
            self.transport.abort()

    def _rest(self) -> None:
        if self._next_look:
            self._next_look.cancel()
            self._next_look = None


class HttpProtocol(_Patient, HttpToolsProtocol):
    """HTTP; requests come soon, and when the server shuts down event streams hear of it."""

    _began: float | None = None
    _next_check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have something to say goodbye by before the first request gets its copy of the state."""
        super().connection_made(transport)
        leaving(self.app_state)
        self._began = self.loop.time()
        self._check_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note when a request began."""
        self._began = self.loop.time()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._began = None
        super().on_message_complete()

    def _check_later(self) -> None:
        # One timer a connection, and not one a request: these would cost each of them some microseconds.
        self._next_check = self.loop.call_later(REQUEST_SECONDS, self._check)

    def _check(self) -> None:
        if self._began is None or self.loop.time() < self._began + REQUEST_SECONDS:
            self._check_later()
            return
        if not (self.cycle and self.cycle.response_started and not self.cycle.response_complete):
            self.transport.write(_TIMEOUT)
        self.transport.close()

    def _expect_nothing(self) -> None:
        if self._next_check:
            self._next_check.cancel()
            self._next_check = None

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, and let go of the parser, or the two keep each other alive."""
        self._expect_nothing()
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]

    def shutdown(self) -> None:
        """Answer the request that runs, then close."""
        super().shutdown()
        leave(self.app_state)


class WebSocketProtocol(_Patient, WebSocketsSansIOProtocol):
    """WebSocket; what is sent has left before the next message is made."""

    _said_goodbye = False

    async def send(self, message: Any) -> None:
        """Send, and return when nothing waits any more: a badge that waited for its turn would be old."""
        if self._said_goodbye:
            raise ClientDisconnected
        await super().send(message)
        # Its caller waits, too, and would keep alive what is already in the transport.
        message.pop("text", None)
        await self.writable.wait()

    def keepalive_timeout(self) -> None:
        """Drop who does not answer pings: to 1011, had they slept, clients would never come back."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Close with 1012 and {"retryAfterMs": n}; the transport closes once the client has answered."""
        if self.close_sent or not self.handshake_complete:
            super().shutdown()
            return
        self._said_goodbye = self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _SERVICE_RESTART})
        self.conn.send_close(_SERVICE_RESTART, json.dumps({"retryAfterMs": return_after()}))
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:  # else the answer would not be read
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_GOODBYE_SECONDS, self.transport.abort)
