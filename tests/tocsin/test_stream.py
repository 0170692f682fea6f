"""Event streams: what keeps them alive, and how they end."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import tocsin.stream
from tests.conformance.client import PLAIN, Site, site
from tests.conformance.server import Operation, Tokens, make_app, serving
from tocsin.protocols import RETURN_WITHIN_MS

FOREVER = "subscription { forever }"


@pytest.fixture(scope="session")
async def plain() -> AsyncIterator[Site]:
    """Serve the small schema."""
    async with site(PLAIN) as running:
        yield running


@asynccontextmanager
async def lines(address: str, query: str) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for a stream and skip the headers of the answer; a chunk is a line of size and then its lines."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
    body = f'{{"query": "{query}"}}'
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    yield reader
    writer.close()


async def chunk(reader: asyncio.StreamReader) -> str:
    """Return what the server sent at once; the last one is empty."""
    async with asyncio.timeout(5):
        size = int(await reader.readline(), 16)
        return (await reader.readexactly(size + 2)).decode().removesuffix("\r\n")


async def test_a_quiet_stream_says_something(plain: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between results, an empty comment comes each time that nothing came for a while."""
    monkeypatch.setattr(tocsin.stream, "HEARTBEAT_SECONDS", 0.1)
    async with lines(plain.address, FOREVER) as reader:
        assert (await chunk(reader)).startswith("event: next\r\n")
        assert [await chunk(reader) for _ in range(3)] == [":\r\n\r\n"] * 3


def test_the_time_between_heartbeats() -> None:
    """It is below the 20 s and more after which proxies give up."""
    assert tocsin.stream.HEARTBEAT_SECONDS == 15


async def test_nothing_queues_for_a_reader_that_stalls(plain: Site) -> None:
    """Of what nobody takes, results are made for the buffers on the way and no more."""
    Operation.taken.clear()
    async with lines(plain.address, "subscription { bulk(size: 1000000) }"):
        await asyncio.sleep(1)
        made = len(Operation.taken)
        await asyncio.sleep(1)
        assert len(Operation.taken) == made
    Operation.taken.clear()


async def test_a_server_that_shuts_down_ends_its_streams() -> None:
    """At once, each with a time of its own to come back after, without `complete`, and in good order."""
    async with asyncio.timeout(5), AsyncExitStack() as server:
        address = await server.enter_async_context(serving(make_app(Tokens())))
        async with lines(address, FOREVER) as one, lines(address, FOREVER) as other:
            for reader in (one, other):
                assert (await chunk(reader)).startswith("event: next\r\n")
            stopping = asyncio.create_task(server.aclose())
            last = [await chunk(reader) for reader in (one, other)]
            assert [await chunk(reader) for reader in (one, other)] == ["", ""]
            assert [await reader.read() for reader in (one, other)] == [b"", b""]
            await stopping
    times = [re.fullmatch(r": restarting\r\nretry: (\d+)\r\n\r\n", said) for said in last]
    assert all(time and int(time[1]) <= RETURN_WITHIN_MS for time in times)


async def test_closed_clients_leave_nothing(plain: Site) -> None:
    """The tasks of a stream end with its client."""
    assert (await plain.post("{ serial }")).status_code == 200
    before = len(asyncio.all_tasks())
    for _ in range(5):
        async with lines(plain.address, FOREVER) as reader:
            await chunk(reader)
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) != before:
            await plain.post("{ serial }")
