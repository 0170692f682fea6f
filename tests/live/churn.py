"""Clients that come, subscribe and go in every way, and what a process holds before and after."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

import httpx
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from live.hub import Hub
from tests.support import SECRET, Api, serving
from tocsin.app import create_app
from tocsin.settings import Settings

_STATS = "subscription { stats { unread } }"
_EVENTS = "subscription { inboxEvents { cursor } }"


class Held(NamedTuple):
    """What a process holds; waiters are those of the hub, connections those of the pool to Postgres."""

    tasks: int
    descriptors: int
    waiters: int
    connections: int


def held(api: Api, hub: Hub) -> Held:
    """Count what this process holds now."""
    return Held(
        len(asyncio.all_tasks()),
        len(list(Path("/proc/self/fd").iterdir())),
        sum(len(waiters) for waiters in hub._waiters.values()),
        api.database.pool.get_size(),
    )


def megabytes() -> float:
    """Return the memory of this process (resident set)."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


async def _subscribed(connection: ClientConnection, token: str) -> None:
    payload = {"authorization": f"Bearer {token}"}
    await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
    await connection.recv()
    for id, query in (("1", _STATS), ("2", _EVENTS)):
        await connection.send(json.dumps({"type": "subscribe", "id": id, "payload": {"query": query}}))


def _socket(api: Api) -> connect:
    return connect(
        f"{api.url.replace('http', 'ws', 1)}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]
    )


async def _leave(api: Api, token: str) -> None:
    """Read a value, complete, close."""
    async with _socket(api) as connection:
        await _subscribed(connection, token)
        await connection.recv()
        await connection.send(json.dumps({"type": "complete", "id": "1"}))


async def _vanish(api: Api, token: str) -> None:
    """Go without a word when a value has come."""
    async with _socket(api) as connection:
        await _subscribed(connection, token)
        await connection.recv()
        connection.transport.abort()


async def _vanish_at_once(api: Api, token: str) -> None:
    """Go while the server is still about to read."""
    async with _socket(api) as connection:
        await _subscribed(connection, token)
        connection.transport.abort()


async def _stream(api: Api, token: str) -> None:
    """Take a value of an event stream, and drop it."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with api.http.stream("POST", "/graphql", json={"query": _STATS}, headers=headers) as response:
        async for _ in response.aiter_lines():
            break


_WAYS: tuple[Callable[[Api, str], Awaitable[None]], ...] = (_leave, _vanish, _vanish_at_once, _stream)


async def churn(api: Api, cycles: int, abreast: int = 8) -> None:
    """Let clients come and go so often, in each way as often, several at a time."""
    tokens = [api.token("churn", f"user-{number}") for number in range(abreast)]
    numbers = count()

    async def client(token: str) -> None:
        while (number := next(numbers)) < cycles:
            await _WAYS[number % len(_WAYS)](api, token)

    await asyncio.gather(*(client(token) for token in tokens))


async def settled(api: Api, hub: Hub, seconds: float = 10) -> Held:
    """Return what is held when it has not changed for a second, or when the time is over."""
    last, same = held(api, hub), 0
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while same < 10:
                await asyncio.sleep(0.1)
                last, same = (now, same + 1) if (now := held(api, hub)) == last else (now, 0)
    return last


@asynccontextmanager
async def _server(url: str, data_dir: Path) -> AsyncIterator[tuple[Api, Hub]]:
    """Run a server with a client that keeps no connections, and a pool that is soon at its largest."""
    settings = Settings(
        data_dir=data_dir, database_url=SecretStr(url), jwt_secret=SecretStr(SECRET), database_pool_size=2
    )
    app = create_app(settings)
    limits = httpx.Limits(max_keepalive_connections=0)
    async with (
        serving(app, settings) as address,
        httpx.AsyncClient(base_url=address, timeout=30, limits=limits) as http,
    ):
        api = Api(address, settings, app.state.server.database, http, kept_seconds=0)
        yield api, app.state.server.hub
        api.wire.close()


async def run(url: str, data_dir: Path, cycles: int) -> tuple[Held, Held, float]:
    """Churn a server on a database; return what is held before and after, and the growth in megabytes."""
    async with _server(url, data_dir) as (api, hub):
        # The pool opens its connections, and libraries fill their caches, with the first clients.
        await churn(api, 80)
        before, size = await settled(api, hub), megabytes()
        await churn(api, cycles)
        return before, await settled(api, hub), megabytes() - size


if __name__ == "__main__":
    held_before, held_after, growth = asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.write(json.dumps([held_before._asdict(), held_after._asdict(), growth]))
