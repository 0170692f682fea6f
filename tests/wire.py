"""A client for HTTP that is little work: the tests ask some 30,000 times, and httpx would take most of their CPU.

It speaks to the server over real connections, which it keeps; a request is one write. What it knows is POST.
"""

import asyncio
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

_TIMEOUT_SECONDS = 30


class _Connection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.idle_since = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        self._transport = cast(asyncio.Transport, transport)

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] = self._loop.create_future()
        self._transport.write(request)
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            answer = await self._answer
        self.idle_since = self._loop.time()
        return answer

    def is_usable(self, kept_seconds: float) -> bool:
        """Tell whether another request may be sent."""
        return not self._transport.is_closing() and self._loop.time() - self.idle_since < kept_seconds

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand over the answer."""
        if not self._parser.should_keep_alive():
            self._transport.close()
        if not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that waits, if one does."""
        if hasattr(self, "_answer") and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("The server closed the connection."))


class Wire:
    """A client of one server.

    kept_seconds: how long an idle connection is used again; shorter than the 5 s after which servers close it.
    """

    def __init__(self, url: str, kept_seconds: float = 2) -> None:
        address = urlsplit(url)
        self._kept_seconds = kept_seconds
        self._host, self._port = str(address.hostname), address.port or 80
        self._idle: list[_Connection] = []
        self._common = f"host: {address.netloc}\r\naccept: */*\r\ncontent-type: application/json\r\n"

    def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop().close()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Post JSON; return the status and the body of the answer."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\n{self._common}{lines}content-length: {len(body)}\r\n\r\n"
        connection = await self._connection()
        try:
            answer = await connection.send(head.encode("latin-1") + body)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    async def _connection(self) -> _Connection:
        """Return the connection that was used last, or a new one."""
        while self._idle:
            if (found := self._idle.pop()).is_usable(self._kept_seconds):
                return found
            found.close()
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(_Connection, self._host, self._port))[1]
