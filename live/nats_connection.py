"""One connection to NATS: nats-py's client, made strict."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Protocol
from urllib.parse import unquote, urlsplit

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, Error
from nats.protocol.command import sub_cmd, unsub_cmd

OUTAGE = (OSError, Error, ValueError)
"""What nats-py raises when the server is away, goes away, or is none; a timeout is an OSError."""
PATIENCE_SECONDS = 5
_LEAVE_SECONDS = 1
_CONNECT_SECONDS = 2


class Listener(Protocol):
    """Who is told what happens on a connection."""

    def heard(self, subject: str, payload: bytes) -> None:
        """Take a message."""

    def lost(self) -> None:
        """Learn that the connection is no more."""

    def failed(self, error: Exception) -> None:
        """Learn what the server refused, or what broke the connection."""


class Connection(Client):
    """A connection that is used once: when it breaks, or does not answer, another is made.

    A subscription is only a number here; nats-py makes a queue and a task for each, 5 KB.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener
        self._numbers = count(1)
        self._awaited: asyncio.Future[bool] | None = None

    async def listen(self, subject: str) -> int:
        """Subscribe, in effect after the next `settle`; return the subscription's number."""
        number = next(self._numbers)
        await self._send_command(sub_cmd(subject, "", number))
        return number

    async def forget(self, number: int) -> None:
        """End a subscription."""
        await self._send_command(unsub_cmd(number, 0))

    async def settle(self) -> None:
        """Return when the server has done all that it was told; raise one of OUTAGE if it does not in 5 s."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._flush_pending()
            # nats-py would write its PING past what still waits to be written.
            while self.pending_data_size and self.is_connected:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0)
            await self._pong()

    async def _pong(self) -> None:
        # nats-py's own ways to wait for it do not end with the connection, and can swallow a cancellation.
        if self.is_closed:
            raise ConnectionClosedError
        self._awaited = asyncio.get_running_loop().create_future()
        await self._send_ping(self._awaited)
        await self._awaited

    async def leave(self) -> None:
        """Close; a server that does not answer is left behind."""
        with suppress(*OUTAGE):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self.close()

    async def join(self, url: str) -> None:
        """Connect to a server, once."""
        parts = urlsplit(url)
        user, password = (text and unquote(text) for text in (parts.username, parts.password))
        await self.connect(
            [parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()],
            name="tocsin-hints",
            user=user if password is not None else None,
            password=password,
            token=user if password is None else None,
            no_echo=True,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=_CONNECT_SECONDS,
            flusher_queue_size=0,  # bounded, it would make writers wait, and swallow their cancellation
            error_cb=self._failed,
            closed_cb=self._closed,
        )

    async def _failed(self, error: Exception) -> None:
        self._listener.failed(error)

    async def _closed(self) -> None:
        if self._awaited and not self._awaited.done():
            self._awaited.set_exception(ConnectionClosedError())
        self._listener.lost()

    def _connect_command(self) -> bytes:
        # With a server that offers no TLS nats-py would go on, and send the password, in the clear.
        if self._current_server.uri.scheme == "tls" and not self._server_info.get("tls_required"):  # type: ignore[union-attr]
            raise Error("nats: the server does not require TLS")
        return super()._connect_command()

    async def _process_msg(
        self, _number: int, subject: bytes, _reply: bytes, payload: bytes, _headers: bytes
    ) -> None:
        self._listener.heard(subject.decode(errors="replace"), payload)


@asynccontextmanager
async def connected(urls: Sequence[str], listener: Listener) -> AsyncIterator[Connection]:
    """Hold a connection to the first of the servers, in random order, that answers; raise one of OUTAGE."""
    connection = await _first(random.sample(urls, len(urls)), listener)
    try:
        yield connection
    finally:
        await connection.leave()


async def _first(urls: Sequence[str], listener: Listener) -> Connection:
    for url in urls[:-1]:
        with suppress(*OUTAGE):
            return await _joined(url, listener)
    return await _joined(urls[-1], listener)


async def _joined(url: str, listener: Listener) -> Connection:
    connection = Connection(listener)
    try:
        with _cancellable():
            async with asyncio.timeout(PATIENCE_SECONDS):
                await connection.join(url)
    except BaseException:
        await connection.leave()
        raise
    return connection


@contextmanager
def _cancellable() -> Iterator[None]:
    """End with a cancellation that the block swallowed, as asyncio.wait_for can until Python 3.12."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task and task.cancelling() > before:
        raise asyncio.CancelledError


def reason(error: Exception) -> str:
    """Say what went wrong without the error's text, which may hold an address."""
    said = str(error).lower()
    if "authorization violation" in said:
        return "the server refuses the credentials"
    if "permissions violation" in said:
        return "the credentials do not allow to publish and subscribe to tocsin.>"
    if "does not require tls" in said:
        return "the server offers no TLS"
    return type(error).__name__
