"""Connections on asyncio's transports: what they hold, what they keep, how they end."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpcore
import pytest

from delivery.wire import Wires
from tests.delivery.receiver import Authority

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _wire(serve: Serve) -> AsyncIterator[httpcore.AsyncNetworkStream]:
    """Connect to who serves so."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        wire = await Wires().connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1], 5)
        yield wire
        await wire.aclose()


async def test_what_is_written_goes_out_as_one() -> None:
    """Nothing goes before an answer is awaited; then both parts come in one read of the receiver's."""
    came = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            await came.put(data)
            writer.write(b"yes")
        writer.close()

    async with _wire(serve) as wire:
        await wire.write(b"head ")
        await wire.write(b"body")
        await asyncio.sleep(0.05)
        assert came.empty()
        assert await wire.read(100) == b"yes"
        assert (came.get_nowait(), came.empty()) == (b"head body", True)


async def test_what_comes_unasked_shows() -> None:
    """A kept connection on which something came, or that ended, must not be used again."""
    on, said = asyncio.Event(), asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await on.wait()
        writer.write(b"unasked")
        await writer.drain()
        said.set()
        await _reader.read()
        writer.close()

    async with _wire(serve) as wire:
        assert not wire.get_extra_info("is_readable")
        on.set()
        await said.wait()
        await asyncio.sleep(0.05)
        assert wire.get_extra_info("is_readable")
        assert [await wire.read(2), await wire.read(100)] == [b"un", b"asked"]
        assert not wire.get_extra_info("is_readable")


async def test_a_flood_waits_at_the_receiver_s() -> None:
    """Of 8 MB that nobody reads, less than one is kept here; all of it comes when it is read."""
    flood = bytes(8_000_000)

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(flood)
        await writer.drain()
        writer.close()

    async with _wire(serve) as wire:
        await asyncio.sleep(0.2)
        assert 0 < len(wire._unread) < 1_000_000  # type: ignore[attr-defined]
        read = 0
        while data := await wire.read(65_536):
            read += len(data)
        assert read == len(flood)


async def test_nothing_is_taken_over_into_tls(authority: Authority) -> None:
    """Of a receiver that is right, but for what somebody on the way said before it: nothing is believed."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            await writer.start_tls(authority.server("hooks.example"))
        writer.close()

    async with _wire(serve) as wire:
        await asyncio.sleep(0.05)
        with pytest.raises(httpcore.ConnectError):
            await wire.start_tls(authority.trusted(), "hooks.example", 5)


async def test_an_answer_before_the_end_is_read() -> None:
    """Who answers and hangs up is heard, whatever we have still to say; then comes the end."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no")
        writer.close()

    async with _wire(serve) as wire:
        await asyncio.sleep(0.05)
        await wire.write(b"request")
        assert [await wire.read(100), await wire.read(100)] == [b"no", b""]


async def test_a_reset_is_a_failure() -> None:
    """It is no end of an answer."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with _wire(serve) as wire:
        with pytest.raises(httpcore.ReadError):
            await wire.read(100)
