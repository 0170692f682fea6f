"""The graphql-transport-ws protocol: what closes a socket, with which code, and what does not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.typing import Subprotocol

from tests.conformance.client import PLAIN, Site, site


@pytest.fixture(scope="session")
async def plain() -> AsyncIterator[Site]:
    """Serve with tight limits and nothing optional."""
    async with site(PLAIN) as running:
        yield running


@pytest.mark.parametrize("protocols", [["graphql-ws"], None])
async def test_other_subprotocols_are_refused(plain: Site, protocols: list[Subprotocol] | None) -> None:
    """The old graphql-ws protocol, and none at all, close with 4406."""
    async with plain.socket(init=False, subprotocols=protocols) as wire:
        assert await wire.closed() == (4406, "Subprotocol not acceptable")


async def test_nothing_is_compressed(plain: Site) -> None:
    """A client that offers permessage-deflate does not get it: it would allocate 46 KB a socket."""
    async with plain.socket() as wire:
        assert wire.socket.request is not None
        assert wire.socket.response is not None
        assert "permessage-deflate" in wire.socket.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in wire.socket.response.headers


async def test_a_silent_socket_is_closed(plain: Site) -> None:
    """A socket that does not introduce itself in time closes with 4408."""
    async with plain.socket(init=False) as wire:
        assert await wire.closed() == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize(
    ("message", "close"),
    [
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ serial }"}}', (4401, "Unauthorized")),
        ("{", (4400, "WebSocket message must be valid JSON")),
        (b"{}", (4400, "WebSocket message type must be text")),
        ("[]", (4400, "A message must be an object with a type")),
        ('{"type": {}}', (4400, "A message must be an object with a type")),
        ('{"type": "subscribe", "id": {}}', (4400, "An operation must have an id")),
        ('{"type": "complete"}', (4400, "An operation must have an id")),
        ('{"type": "subscribe", "id": "1", "payload": []}', (4400, None)),
        ('{"type": "subscribe", "id": "1", "payload": {"query": 1}}', (4400, None)),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "variables": []}}', (4400, None)),
        ('{"type": "' + "é" * 500 + '"}', (4400, ("Unknown message type: " + "é" * 500)[:72])),
        ("[" * 5000, (4400, "WebSocket message must be valid JSON")),
    ],
)
async def test_a_message_against_the_protocol_closes_the_socket(
    plain: Site, message: str, close: Any
) -> None:
    """A malformed message is a close with 4400 and a short reason, never a crash."""
    async with plain.socket(init=False) as wire:
        await wire.socket.send(message)
        code, reason = await wire.closed()
    assert (code, reason if close[1] else None) == close


async def test_a_second_introduction_closes_the_socket(plain: Site) -> None:
    """Two connection_init are one too many."""
    async with plain.socket() as wire:
        await wire.say(type="connection_init")
        assert await wire.closed() == (4429, "Too many initialisation requests")


async def test_a_socket_runs_a_hundred_operations_at_a_time(plain: Site) -> None:
    """The hundred and first operation is refused with RATE_LIMITED; the others and the socket go on."""
    async with plain.socket() as wire:
        for number in range(100):
            await wire.subscribe(str(number), "subscription { forever }")
            assert (await wire.hear())["type"] == "next"
        kind, errors = (await wire.run("{ serial }"))[0]
        assert (kind, errors[0]["extensions"]) == ("error", {"code": "RATE_LIMITED"})
        await wire.say(type="complete", id="0")
        assert (await wire.run("{ serial }"))[0][0] == "next"
