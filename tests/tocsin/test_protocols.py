"""Connections whose clients stop reading, and the goodbye of a server that shuts down."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode

import tocsin.app
import tocsin.protocols
from tests.conformance.client import PLAIN, Site, Wire, site
from tests.conformance.server import Operation
from tocsin.app import server_options
from tocsin.protocols import RETURN_WITHIN_MS, HttpProtocol, WebSocketProtocol
from tocsin.settings import Settings

BULK = "subscription { bulk(size: 100000) }"


@pytest.fixture
async def plain(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Serve the small schema to whoever reads something within half a second."""
    monkeypatch.setattr(tocsin.protocols, "PATIENCE_SECONDS", 0.5)
    async with site(PLAIN) as running:
        yield running
    Operation.taken.clear()


def deaf(wire: Wire) -> ClientConnection:
    """Stop reading from a socket."""
    wire.socket.transport.pause_reading()
    return wire.socket


async def is_dropped(connection: ClientConnection) -> bool:
    """Tell whether the server drops the connection soon, without any close frame."""
    async with asyncio.timeout(10):
        while not connection.transport.is_closing():
            await asyncio.sleep(0.05)
            # Only what is written is told of a reset while nothing is read.
            connection.transport.write(b"\x8a\x80\0\0\0\0")
        await connection.wait_closed()
    return connection.close_code == CloseCode.ABNORMAL_CLOSURE


async def test_a_socket_that_stops_reading_is_dropped(plain: Site) -> None:
    """Its operations end, and others go on."""
    async with plain.socket(compression=None) as wire, plain.socket() as other:
        await wire.subscribe("1", BULK)
        connection = deaf(wire)
        assert await is_dropped(connection)
        made = len(Operation.taken)
        assert (await other.run("{ serial }"))[-1][0] == "complete"
        await asyncio.sleep(0.3)
        assert len(Operation.taken) == made


@asynccontextmanager
async def streaming(
    plain: Site, size: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Ask for a stream of results of this size, and read to the first."""
    host, port = plain.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = f'{{"query": "subscription {{ bulk(size: {size}) }}"}}'
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    try:
        await reader.readuntil(b"event: next")
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_a_stream_that_stops_reading_is_dropped(plain: Site) -> None:
    """An event stream is no different."""
    # What nobody reads from the reader stops the reader's transport.
    async with streaming(plain, 100_000) as (_reader, writer), asyncio.timeout(10):
        with pytest.raises(ConnectionError):
            await _write_until_it_fails(writer)


async def _write_until_it_fails(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_a_slow_reader_is_not_dropped(plain: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes something of what waits keeps the connection, however long one result takes."""
    # The kernel tells of room in large steps, so this patience is not as short as the others'.
    monkeypatch.setattr(tocsin.protocols, "PATIENCE_SECONDS", 1.5)
    clock = asyncio.get_running_loop().time
    began, size, taken = clock(), 60_000_000, 0
    async with streaming(plain, size) as (reader, _writer):
        while taken < size:
            taken += len(await reader.readexactly(2_000_000))
            await asyncio.sleep(0.15)
    assert clock() - began > 2 * tocsin.protocols.PATIENCE_SECONDS


async def test_a_stalled_socket_that_is_to_be_closed_is_dropped(plain: Site) -> None:
    """A close that cannot be delivered, as at the end of a token, ends with the patience too."""
    async with plain.socket({"authorization": "Bearer ada:0.3"}, compression=None) as wire:
        await wire.subscribe("1", BULK)
        assert await is_dropped(deaf(wire))


async def test_a_flood_of_pings_that_nobody_reads_the_answers_of(plain: Site) -> None:
    """Pongs wait like anything else, and their client is dropped."""
    async with plain.socket(compression=None) as wire:
        connection = deaf(wire)
        ping = b"\x89\xfd\0\0\0\0" + b"x" * 125
        async with asyncio.timeout(20):
            while not connection.transport.is_closing():
                connection.transport.write(ping * 1000)
                await asyncio.sleep(0.01)


async def test_a_server_that_shuts_down_says_when_to_come_back() -> None:
    """Idle and busy sockets close with 1012 and a time of their own."""
    async with AsyncExitStack() as clients, AsyncExitStack() as server:
        running = await server.enter_async_context(site(PLAIN))
        wires = [await clients.enter_async_context(running.socket()) for _ in range(30)]
        for wire in wires[::2]:
            await wire.subscribe("1", "subscription { forever }")
            assert (await wire.hear())["type"] == "next"
        async with asyncio.timeout(5):
            stopping = asyncio.create_task(server.aclose())
            closes = [await wire.closed() for wire in wires]
            await stopping
    assert {code for code, _reason in closes} == {1012}
    times = [json.loads(reason)["retryAfterMs"] for _code, reason in closes]
    assert all(0 <= time <= RETURN_WITHIN_MS for time in times)
    assert len(set(times)) > 15  # that 30 draws of 2,001 have fewer different ones happens to nobody


async def test_who_does_not_answer_pings_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that wakes up later finds a reset (1006), after which clients connect anew; others stay."""
    monkeypatch.setattr(tocsin.app, "_PING_SECONDS", 0.5)
    async with site(PLAIN) as running, running.socket() as sleeper, running.socket() as other:
        deaf(sleeper)
        await asyncio.sleep(1.5)
        sleeper.socket.transport.resume_reading()
        await asyncio.wait_for(sleeper.socket.wait_closed(), 5)
        assert sleeper.socket.close_code == CloseCode.ABNORMAL_CLOSURE
        assert (await other.run("{ serial }"))[-1][0] == "complete"


def test_what_the_server_runs_with() -> None:
    """Both protocols are ours, and pings go out every 20 s to be answered within 20 s."""
    options = server_options(Settings(), "127.0.0.1", 0)
    assert (options["http"], options["ws"]) == (HttpProtocol, WebSocketProtocol)
    assert (options["ws_ping_interval"], options["ws_ping_timeout"]) == (20, 20)
    assert tocsin.protocols.PATIENCE_SECONDS == 20
