"""TCP and TLS for httpcore, on asyncio's own transports.

httpcore's backend on AnyIO costs a quarter of a send: for each read and write a scope, a guard and a turn of the
loop, and two packets for a request, its head and its body.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, cast

import httpcore

_MAX_UNREAD_BYTES = 65_536


class Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """A connection. What is written goes out, as one, when an answer is awaited: httpcore always does that."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._unsent, self._unread = bytearray(), bytearray()
        self._is_over = False
        self._why: Exception | None = None
        self._moved = asyncio.Event()

    # -- what asyncio calls --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what bytes go through."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what came until it is read."""
        self._unread += data
        if len(self._unread) > _MAX_UNREAD_BYTES:
            self._transport.pause_reading()
        self._moved.set()

    def eof_received(self) -> None:
        """Note that nothing more will come."""
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come, and why."""
        self._is_over, self._why = True, self._why or exc
        self._moved.set()

    # -- what httpcore calls -------------------------------------------------------------------------------

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        """Hold it until the next read."""
        self._unsent += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109
        """Send what was written; return what comes, or nothing at the end. The time is the caller's to limit."""
        if self._unsent and not self._is_over:
            self._transport.write(bytes(self._unsent))
        self._unsent.clear()
        while not self._unread and not self._is_over:
            self._moved.clear()
            await self._moved.wait()
        if self._why and not self._unread:
            raise httpcore.ReadError from self._why
        found = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if not self._is_over and len(self._unread) <= _MAX_UNREAD_BYTES:
            self._transport.resume_reading()
        return found

    async def aclose(self) -> None:
        """Hang up at once, whatever is under way."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Speak TLS from now on, if nothing has come before: that could be passed off as what came after."""
        if self._unread or self._is_over:
            raise httpcore.ConnectError
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secured = await loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except ssl.SSLError as error:
            raise httpcore.ConnectError from error
        except OSError:
            raise httpcore.ConnectError from None  # the peer hung up on it
        if secured is None:
            raise httpcore.ConnectError
        self._transport = secured
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks for: whether something has come unasked, or the end; and what TLS says."""
        if info == "is_readable":
            return self._is_over or bool(self._unread)
        return self._transport.get_extra_info(info)


class Wires(httpcore.AsyncNetworkBackend):
    """Makes connections to IP addresses."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Connect."""
        try:
            async with asyncio.timeout(timeout):
                _transport, wire = await asyncio.get_running_loop().create_connection(Wire, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError from error
        return wire
