"""POST over HTTP to addresses that strangers wrote down, and nowhere that they must not reach."""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import httpcore

from delivery import destination
from delivery.addresses import AddressNotAllowedError, Resolve, look_up
from delivery.connections import Connections, Network
from delivery.retry import moment_of, retry_after
from delivery.wire import Wires

CONNECT_SECONDS = 5.0
"""For each step of connecting: the look-up, the connection, and TLS."""
MAX_CONNECTIONS = 100
_MAX_BODY_BYTES = 65_536
_BODY_SECONDS = 1.0

_NOT_HTTP, _BROKE = "The answer was not HTTP.", "The connection broke."
# The first kind that is found among what an error was caused by says what went wrong.
_SENTENCES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]] = (
    (AddressNotAllowedError, "The address is not allowed."),
    (socket.gaierror, "The name could not be resolved."),
    (ConnectionRefusedError, "The connection was refused."),
    ((httpcore.TimeoutException, TimeoutError), "The connection timed out."),
    (ssl.SSLCertVerificationError, "TLS failed: the certificate is not valid."),
    (ssl.SSLError, "TLS failed."),
    ((httpcore.ReadError, httpcore.WriteError), _BROKE),
    (OSError, "The connection failed."),
    (httpcore.ConnectError, "TLS failed."),  # the peer hung up on it
)
_FAILURES = (
    AddressNotAllowedError,
    OSError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.RemoteProtocolError,
)


class HttpError(Exception):
    """There was no answer. error: a sentence of a short vocabulary. final: it will not get better by itself."""

    def __init__(self, error: str, *, final: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.final = final


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. retry_after: seconds that the receiver asks to be left alone for, if it does."""

    status: int
    retry_after: float | None = None


class HttpClient:
    """Sends POSTs and keeps connections for the next ones; it follows no redirect, and knows no proxy or cookie.

    allow_private: every address is allowed, and so is http:. tls: whom to trust; by default the system's
    and Mozilla's authorities. resolve and network: what stands for DNS and the Internet in tests.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve = look_up,
        tls: ssl.SSLContext | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        trusted, backend = tls or httpcore.default_ssl_context(), network or Wires()
        self._connections = Connections(Network(resolve, backend, trusted, allow_private), MAX_CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a body and return what is answered, whatever its status; HttpError if nothing is.

        The time is the caller's to limit, by cancelling; only connecting has a limit here.
        """
        try:
            to = destination.read(url, allow_http=self._allow_private)
        except ValueError:
            raise HttpError("The URL is not allowed.", final=True) from None
        target = httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=to.target)
        fields = [("Host", to.authority), *headers.items()]
        limits = {"timeout": {"connect": CONNECT_SECONDS}}
        with _failures_told():
            async with (
                self._connections.to(to) as connection,
                connection.stream(
                    "POST", target, headers=fields, content=body, extensions=limits
                ) as response,
            ):
                await _drain(response)
                return Response(response.status, _retry_after(response))


async def _drain(response: httpcore.Response) -> None:
    """Read a body, so that the connection can be used again; if it is long, slow or broken, leave it.

    The status has come by then, and it is all that was waited for.
    """
    with suppress(*_FAILURES):
        async with asyncio.timeout(_BODY_SECONDS):
            size = 0
            async for chunk in response.aiter_stream():
                size += len(chunk)
                if size > _MAX_BODY_BYTES:
                    break


def _retry_after(response: httpcore.Response) -> float | None:
    # Of a field that comes twice the first counts.
    fields = {name.lower(): value.decode("latin-1") for name, value in reversed(response.headers)}
    if b"retry-after" not in fields:
        return None
    # A moment is one by the receiver's clock, and ours may go wrong.
    return retry_after(fields[b"retry-after"], moment_of(fields.get(b"date", "")) or datetime.now(UTC))


@contextmanager
def _failures_told() -> Iterator[None]:
    """Raise what can go wrong on a network as HttpError, in words of ours."""
    try:
        yield
    except _FAILURES as error:
        raise HttpError(_sentence(error), final=isinstance(error, AddressNotAllowedError)) from None


def _sentence(error: Exception) -> str:
    causes = list(_causes(error))
    if isinstance(error, httpcore.RemoteProtocolError):
        # With a cause the parser gave up; without one nothing came to be parsed.
        return _NOT_HTTP if len(causes) > 1 else _BROKE
    return next(words for kinds, words in _SENTENCES if any(isinstance(cause, kinds) for cause in causes))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__
