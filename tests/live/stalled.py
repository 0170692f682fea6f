"""Clients that stop reading while a lot waits for them: what they cost a server, and how soon they are gone."""

import asyncio
import json
import socket
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import httpx
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from db.draft import create
from db.session import Database, Scope
from resolvers.principal import Role
from tests.support import draft, open_socket
from tests.tocsin.processes import Running, Tocsin
from tocsin.auth import sign
from tocsin.settings import Settings

_BODY = 20_000
_EVENTS = """subscription($since: String!) {
  inboxEvents(since: $since) { ... on NotificationCreated { notification { id title body } } }
}"""


class Cost(NamedTuple):
    """Megabytes by which the server grew at most; seconds until all were gone; others' p99 before and then."""

    growth: float
    seconds: float
    calm: float
    busy: float


def megabytes(pid: int) -> float:
    """Return the memory of a process (resident set)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def fill(database: Database, tenant: str, user: str, size: int) -> None:
    """Store notifications of `size` bytes in all, whose text cannot be compressed."""
    noise = Path("/dev/urandom").open("rb")  # noqa: ASYNC230, SIM115
    with noise:
        drafts = [draft(user, body=noise.read(_BODY // 2).hex()) for _ in range(size // _BODY)]
    async with database.transaction(Scope(tenant, None)) as tx:
        await create(tx, drafts)


class Deaf:
    """A client that asks for all that happened, and then reads nothing of it."""

    def __init__(self, connection: ClientConnection, since: str) -> None:
        self._connection = connection
        self._since = since

    @classmethod
    async def open(cls, stack: AsyncExitStack, running: Running, token: str, since: str) -> "Deaf":
        """Connect with a small receive buffer, so that little of what waits is on the way."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.setblocking(False)
        host, port = running.url.removeprefix("http://").split(":")
        await asyncio.get_running_loop().sock_connect(listener, (host, int(port)))
        connection = await stack.enter_async_context(
            connect(
                f"ws://{host}:{port}/graphql",
                sock=listener,
                subprotocols=[Subprotocol("graphql-transport-ws")],
                compression=None,
                ping_interval=None,
                close_timeout=0.1,
            )
        )
        payload = {"authorization": f"Bearer {token}"}
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        await connection.recv()
        connection.transport.pause_reading()
        return cls(connection, since)

    async def ask(self) -> None:
        """Ask for all that waits."""
        query = {"query": _EVENTS, "variables": {"since": self._since}}
        await self._connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))

    async def gone(self) -> None:
        """Read nothing, and return when the server has dropped the connection."""
        transport = self._connection.transport
        while not transport.is_closing():
            await asyncio.sleep(0.2)
            transport.write(b"\x8a\x80\0\0\0\0")  # only what is written is told of a reset


async def _others(running: Running, token: str, times: list[float]) -> None:
    async with httpx.AsyncClient(base_url=running.url, headers={"Authorization": f"Bearer {token}"}) as http:
        while True:
            began = time.perf_counter()
            (await http.post("/graphql", json={"query": "{ stats { total } }"})).raise_for_status()
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)


async def _largest(pid: int, sizes: list[float]) -> None:
    while True:
        sizes.append(megabytes(pid))
        await asyncio.sleep(0.05)


async def _warm_up(running: Running, token: str) -> None:
    """Subscribe as they will, and read."""
    since = running.ask(token, "{ notifications(first: 1) { eventCursor } }")["notifications"]["eventCursor"]
    async with open_socket(running.url, {"authorization": f"Bearer {token}"}) as socket:
        for _ in range(3):
            await (await socket.subscribe(_EVENTS, since=since)).silent(0.2)


async def stall(tocsin: Tocsin, running: Running, database: Database, clients: int, size: int) -> Cost:
    """Let clients, each another user for whom `size` bytes wait, stop reading; return what it costs."""
    users = [f"deaf-{number}" for number in range(clients)]
    settings = Settings(jwt_secret=SecretStr(tocsin.settings["jwt_secret"]))
    tokens = [
        sign(settings, tenants=["acme"], user=user, roles=[Role.USER], expires=timedelta(hours=1))
        for user in [*users, "other"]
    ]
    cursors = [
        running.ask(it, "{ notifications(first: 1) { eventCursor } }")["notifications"]["eventCursor"]
        for it in tokens[:-1]
    ]
    for user in users:
        await fill(database, "acme", user, size)
    calm: list[float] = []
    busy: list[float] = []
    watching = asyncio.create_task(_others(running, tokens[-1], calm))
    await asyncio.sleep(2)
    watching.cancel()
    # What a process makes once, for the first who asks, is no cost of those who do not read.
    await _warm_up(running, tokens[-1])
    async with AsyncExitStack() as stack, asyncio.timeout(120):
        deaf = [await Deaf.open(stack, running, *it) for it in zip(tokens[:-1], cursors, strict=True)]
        began, sizes = time.monotonic(), [megabytes(running.process.pid)]
        tasks = [
            asyncio.create_task(it)
            for it in (_others(running, tokens[-1], busy), _largest(running.process.pid, sizes))
        ]
        for it in deaf:
            # Fifty a second: what so many subscriptions at once cost others is no matter of who reads.
            await it.ask()
            await asyncio.sleep(0.02)
        await asyncio.gather(*(it.gone() for it in deaf))
        seconds = time.monotonic() - began
        for task in tasks:
            task.cancel()
    p99 = [quantiles(times, n=100)[98] for times in (calm, busy)]
    return Cost(max(sizes) - sizes[0], seconds, *p99)
