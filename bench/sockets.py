"""Clients of graphql-transport-ws by the thousand, in one process that does as little as it can for each."""

import asyncio
import base64
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

_HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
_DEFLATED, _END = 0xC1, b"\0\0\xff\xff"
_NO_MASK = b"\0\0\0\0"
_CONNECTIONS = 64
_UNREAD = b'"unread":'


class Caller(NamedTuple):
    """Who connects."""

    tenant: str
    user: str
    token: str


Told = Callable[[Caller, int, float], None]
"""Told of each unread count that arrives, and when (time.perf_counter())."""


class Client(asyncio.Protocol):
    """One socket with one subscription."""

    _transport: asyncio.Transport

    def __init__(self, port: int, caller: Caller, document: str, told: Told) -> None:
        self._port, self._caller, self._document, self._told = port, caller, document, told
        self._buffer = b""
        self._shaken = self._closed = False
        self._inflate: Callable[[bytes], bytes] | None = None
        self.acknowledged = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Ask for a WebSocket, as a browser does."""
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(_HANDSHAKE.format(port=self._port, key=key).encode())

    def connection_lost(self, error: Exception | None) -> None:
        """Fail whoever waits; say it of a socket that nobody closed here."""
        if not self.acknowledged.done():
            self.acknowledged.set_exception(error or ConnectionError("closed by the server"))
        elif not self._closed:
            sys.stderr.write(f"a socket was lost: {error}\n")

    def data_received(self, data: bytes) -> None:
        """Take whole frames out of what arrived."""
        at = time.perf_counter()
        self._buffer += data
        if not self._shaken and not self._shake():
            return
        while frame := _frame(self._buffer):
            kind, payload, size = frame
            self._buffer = self._buffer[size:]
            self._take(kind, payload, at)

    def _shake(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if end:
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head)
            if b"permessage-deflate" in head:
                self._inflate = zlib.decompressobj(-15).decompress
            self._shaken, self._buffer = True, rest
            self._send(
                {"type": "connection_init", "payload": {"authorization": f"Bearer {self._caller.token}"}}
            )
        return self._shaken

    def _take(self, kind: int, payload: bytes, at: float) -> None:
        if kind == _DEFLATED and self._inflate:
            kind, payload = _TEXT, self._inflate(payload + _END)
        if kind == _PING:
            self._write(_PONG, payload)
        elif kind != _TEXT:
            raise ValueError((kind, payload))
        elif (found := payload.find(_UNREAD)) >= 0:
            rest = payload[found + len(_UNREAD) :]
            self._told(self._caller, int(rest[: len(rest) - len(rest.lstrip(b"0123456789"))]), at)
        elif b"connection_ack" in payload:
            self._send({"id": "1", "type": "subscribe", "payload": {"query": self._document}})
            self.acknowledged.set_result(None)
        else:
            raise ValueError(payload)

    def _send(self, message: Any) -> None:
        self._write(_TEXT, orjson.dumps(message))

    def _write(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        head = struct.pack("!BB", kind, 128 | size) if size < 126 else struct.pack("!BBH", kind, 254, size)
        self._transport.write(head + _NO_MASK + payload)

    def close(self) -> None:
        """Say goodbye and go."""
        self._closed = True
        self._write(_CLOSE, struct.pack("!H", 1000))
        self._transport.close()


def _frame(buffer: bytes) -> tuple[int, bytes, int] | None:
    """Return the first frame of a buffer and its size with its head, if it is whole."""
    if len(buffer) < 2 or (buffer[1] == 126 and len(buffer) < 4):
        return None
    begin, length = 2, buffer[1]
    if length == 126:
        begin, length = 4, int.from_bytes(buffer[2:4])
    assert length < 127 or begin == 4, "a long frame"
    end = begin + length
    return (buffer[0], buffer[begin:end], end) if len(buffer) >= end else None


async def connect(port: int, callers: Sequence[Caller], document: str, told: Told) -> list[Client]:
    """Open a socket for each caller, from several addresses: one has 28,000 ports."""
    gate = asyncio.Semaphore(_CONNECTIONS)
    loop = asyncio.get_running_loop()

    async def one(number: int, caller: Caller) -> Client:
        async with gate:
            source = (f"127.0.0.{2 + number % 8}", 0)
            _transport, client = await loop.create_connection(
                lambda: Client(port, caller, document, told), "127.0.0.1", port, local_addr=source
            )
            await client.acknowledged
            return client

    return await asyncio.gather(*(one(*it) for it in enumerate(callers)))
