"""HTTP/1.1 clients that cost little: requests are whole bytes, and of an answer only its end is looked for."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_LENGTH = b"content-length:"
_OK = b"HTTP/1.1 200"


class Load(NamedTuple):
    """What was answered: how many, in how many seconds, and how long each took (s)."""

    done: int
    seconds: float
    waits: Sequence[float]


def request(token: str, body: bytes) -> bytes:
    """Return a POST to /graphql."""
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Client(asyncio.Protocol):
    """One connection: the next request as soon as the last is answered, until there are no more."""

    _transport: asyncio.Transport

    def __init__(self, requests: Iterator[bytes], waits: list[float], until: float) -> None:
        self._requests, self._waits, self._until = requests, waits, until
        self._buffer, self._missing, self._asked = b"", 0, 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last = b""

    def connection_made(self, transport: Any) -> None:
        """Ask the first."""
        self._transport = transport
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail, unless all was said."""
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError(f"closed by the server: {self._buffer!r}"))

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        following = next(self._requests, None) if self._asked < self._until else None
        if following is None:
            self.ended.set_result(None)
            self._transport.close()
        else:
            self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        """Ask on when an answer is whole."""
        self._buffer += data
        try:
            answer = _answer(self._buffer)
        except ValueError as error:
            self.ended.set_exception(error)
            self._transport.close()
            return
        if answer is not None:
            self._waits.append(time.perf_counter() - self._asked)
            self._buffer, self.last = b"", answer
            self._ask()


def _answer(buffer: bytes) -> bytes | None:
    """Return the body of an answer if it is whole; one that is not good is a ValueError."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise ValueError(buffer)
    length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    if len(buffer) < end + 4 + length:
        return None
    body = buffer[end + 4 :]
    if not buffer.startswith(_OK) or b'"errors"' in body[:2_000]:
        raise ValueError(buffer)
    return body


async def ask(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Load:
    """Ask on so many connections, until time or requests are up; who is on the way then arrives."""
    waits: list[float] = []
    began = time.perf_counter()
    clients = [
        (
            await asyncio.get_running_loop().create_connection(
                lambda: _Client(requests, waits, began + seconds), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.ended for client in clients))
    return Load(len(waits), time.perf_counter() - began, waits)


async def ask_once(port: int, asked: bytes) -> bytes:
    """Return the body of one answer."""
    _transport, client = await asyncio.get_running_loop().create_connection(
        lambda: _Client(iter([asked]), [], float("inf")), "127.0.0.1", port
    )
    await client.ended
    return client.last
