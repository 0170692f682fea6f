"""Ways to talk to a running server, over HTTP and graphql-transport-ws."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.conformance.server import Tokens, make_app, serving
from tocsin.settings import Settings

NEWER = {"Accept": "application/graphql-response+json"}
EVENTS = {"Accept": "text/event-stream"}

PLAIN = Settings(allow_get=True, max_body_bytes=20_000, init_timeout_seconds=1)
RICH = Settings(allow_get=True, auth_cookie="session", allowed_origins=("https://app.example",))


class Site:
    """A running server and ways to talk to it."""

    def __init__(self, address: str, tokens: Tokens, client: httpx.AsyncClient) -> None:
        self.address = address
        self.tokens = tokens
        self.client = client

    async def post(
        self, query: str, headers: dict[str, str] | None = None, **parameters: Any
    ) -> httpx.Response:
        """Send an operation as JSON."""
        return await self.client.post("/graphql", json={"query": query, **parameters}, headers=headers)

    async def get(
        self, query: str, headers: dict[str, str] | None = None, **parameters: str
    ) -> httpx.Response:
        """Send an operation in the URL."""
        return await self.client.get("/graphql", params={"query": query, **parameters}, headers=headers)

    async def raw(self, body: bytes, content_type: str = "application/json") -> httpx.Response:
        """Send bytes."""
        return await self.client.post(
            "/graphql", content=body, headers={"Content-Type": content_type} | NEWER
        )

    async def events(self, query: str, headers: dict[str, str] | None = None) -> list[Any]:
        """Return the data of each event of a stream, `complete` included."""
        response = await self.post(query, EVENTS | (headers or {}))
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in response.text.split("\r\n") if line[:5] == "data:"]
        return [json.loads(line) if line else "complete" for line in lines]

    @asynccontextmanager
    async def socket(
        self, payload: Any = None, *, init: bool = True, **options: Any
    ) -> AsyncIterator["Wire"]:
        """Open a socket, and get it acknowledged."""
        options = {"subprotocols": [Subprotocol("graphql-transport-ws")]} | options
        async with connect(f"ws://{self.address}/graphql", **options) as socket:
            wire = Wire(socket)
            if init:
                await wire.say(
                    type="connection_init", **({"payload": payload} if payload is not None else {})
                )
                assert await wire.hear() == {"type": "connection_ack"}
            yield wire


class Wire:
    """One end of a graphql-transport-ws connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps(message))

    async def subscribe(self, id: str, query: Any, **parameters: Any) -> None:
        """Start an operation."""
        await self.say(type="subscribe", id=id, payload={"query": query, **parameters})

    async def hear(self) -> Any:
        """Return the next message."""
        async with asyncio.timeout(5):
            return json.loads(await self.socket.recv())

    async def run(self, query: str, **parameters: Any) -> list[Any]:
        """Run one operation to its end; returns (type, payload) of each message."""
        await self.subscribe("run", query, **parameters)
        messages = [await self.hear()]
        while messages[-1]["type"] == "next":
            messages.append(await self.hear())
        return [(message["type"], message.get("payload")) for message in messages]

    async def closed(self) -> tuple[int, str]:
        """Return the code and reason of the close that must come now."""
        with pytest.raises(ConnectionClosed) as closing:
            await self.hear()
        assert closing.value.rcvd
        return closing.value.rcvd.code, closing.value.rcvd.reason


@asynccontextmanager
async def site(settings: Settings, **page: Any) -> AsyncIterator[Site]:
    """Serve the small schema with these settings."""
    tokens = Tokens()
    async with (
        serving(make_app(tokens, settings, **page)) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        yield Site(address, tokens, client)


def problem(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of the first error."""
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]
