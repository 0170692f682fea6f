"""Connections to receivers: to checked addresses only, and kept for the next request."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import httpcore

from delivery.addresses import Resolve, public_addresses
from delivery.destination import Destination

_KEEP_ALIVE_SECONDS = 4.0  # common servers hang up after 5
_MAX_ADDRESSES = 4  # that are tried of one name


class Network(NamedTuple):
    """How receivers are found, reached and trusted. allow_private: every address is allowed."""

    resolve: Resolve
    backend: httpcore.AsyncNetworkBackend
    tls: ssl.SSLContext
    allow_private: bool


class Guard(httpcore.AsyncNetworkBackend):
    """Makes one connection, to a public address unless all are allowed, and can end it at any moment."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses, tried in turn, each for an equal share of the time."""
        async with asyncio.timeout(timeout):
            addresses = (await self._addresses(host))[:_MAX_ADDRESSES]
        failure: Exception = socket.gaierror(socket.EAI_NONAME, "no address")
        for address in addresses:
            try:
                self._stream = await self._network.backend.connect_tcp(
                    address, port, timeout and timeout / len(addresses), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return self._stream
        raise failure

    async def _addresses(self, host: str) -> Sequence[str]:
        if self._network.allow_private:
            return await self._network.resolve(host)
        return await public_addresses(host, self._network.resolve)

    async def hang_up(self) -> None:
        """Close the connection, whatever is under way on it."""
        if self._stream:
            await self._stream.aclose()


@dataclass(slots=True, eq=False)
class Connection:
    """A connection to a scheme, host and port; it is made at its first request. idle_since: time.monotonic()."""

    to: tuple[str, str, int]
    guard: Guard
    http: httpcore.AsyncHTTPConnection
    idle_since: float = 0.0


class Connections:
    """At most so many connections at once; whoever wants one more waits.

    httpcore's own pool loses connections when requests are cancelled at some moments; here, one that was not
    left in good order is hung up.
    """

    def __init__(self, network: Network, most: int) -> None:
        self._network = network
        self._places = asyncio.Semaphore(most)
        self._most = most
        self._idle: list[Connection] = []  # the longest idle first

    @asynccontextmanager
    async def to(self, destination: Destination) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """Lend a connection for one request, one that is open already if there is any."""
        async with self._places:
            await self._drop_old()
            connection = await self._kept(destination) or self._new(destination)
            try:
                yield connection.http
            finally:
                await self._put_back(connection)

    async def close(self) -> None:
        """Hang up all that are idle."""
        while self._idle:
            await self._idle.pop().guard.hang_up()

    async def _put_back(self, connection: Connection) -> None:
        if connection.http.is_available():
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
            if len(self._idle) <= self._most:
                return
            connection = self._idle.pop(0)
        await connection.guard.hang_up()

    async def _drop_old(self) -> None:
        """Hang up what has been idle for too long."""
        while self._idle and self._idle[0].idle_since < time.monotonic() - _KEEP_ALIVE_SECONDS:
            await self._idle.pop(0).guard.hang_up()

    async def _kept(self, destination: Destination) -> Connection | None:
        """Return one that is open; hang up those that the receiver has closed."""
        # Only where one is wanted.
        while found := next((it for it in self._idle if it.to == destination[:3]), None):
            self._idle.remove(found)
            if not found.http.has_expired():
                return found
            await found.guard.hang_up()
        return None

    def _new(self, destination: Destination) -> Connection:
        guard = Guard(self._network)
        return Connection(
            destination[:3],
            guard,
            httpcore.AsyncHTTPConnection(
                httpcore.Origin(destination.scheme.encode(), destination.host.encode(), destination.port),
                ssl_context=self._network.tls,
                keepalive_expiry=_KEEP_ALIVE_SECONDS,
                network_backend=guard,
            ),
        )
