"""The two clients: how a call is sent, in a thread and in an event loop."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Self, Unpack

from tocsin.client.core import Again, Call, Content, Notified, Patience, Recipients

try:
    import httpx
except ImportError as error:
    raise ImportError("tocsin.client needs httpx: install tocsin with the extra `client`.") from error

_UNANSWERED = (
    *(httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError),
    *(httpx.DecodingError, TimeoutError),
)
# A server closes an idle connection after 5 s: one that is used again just then fails for nothing.
_LIMITS = httpx.Limits(keepalive_expiry=2)


class _Common:
    """What both know: where to, how patiently, and in which tenant."""

    def __init__(self, endpoint: str, patience: Patience, tenant: str | None) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise ValueError("endpoint is the whole address, such as https://tocsin.example/graphql")
        self._endpoint = endpoint
        self._patience = patience
        self._tenant = {} if tenant is None else {"X-Tenant-Id": tenant}

    def _headers(self, token: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            **self._tenant,
        }


def _read(chunks: Iterator[bytes], deadline: float) -> bytes:
    """Return all chunks; TimeoutError if they trickle: httpx only times how long each lets wait."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if time.monotonic() > deadline:
            raise TimeoutError("the answer trickled")
    return bytes(body)


class Client(_Common):
    """Notifies from threads, which may share one.

    endpoint: the address of GraphQL. token: an agent's key or a JWT of an agent or admin, or what returns
    one, called for each attempt. tenant: for a token of several. http: an httpx client to use, which is then
    not closed here. Raises ValueError for an endpoint that is none.
    """

    def __init__(
        self,
        endpoint: str,
        token: str | Callable[[], str],
        *,
        tenant: str | None = None,
        patience: Patience = Patience(),  # noqa: B008  it is immutable
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(endpoint, patience, tenant)
        self._token = token
        self._http = http or httpx.Client(limits=_LIMITS)
        self._is_own = http is None

    def notify(
        self,
        recipients: Recipients,
        *,
        type: str,
        idempotency_key: str | None = None,
        **more: Unpack[Content],
    ) -> Notified:
        """Notify 1 to 1,000 users by their ids, or "everyone"; return when it is stored.

        The same key within 24 hours does it once, however often it is sent; without one this call makes its
        own. What may pass is tried again: no answer, RATE_LIMITED, UNAVAILABLE. Raises TocsinError.
        """
        call = Call(self._patience, time.monotonic(), recipients, type, idempotency_key, more)
        while True:
            outcome = self._attempt(call)
            if isinstance(outcome, Notified):
                return outcome
            time.sleep(call.pause(outcome, time.monotonic()))

    def _attempt(self, call: Call) -> Notified | Again:
        token = self._token if isinstance(self._token, str) else self._token()
        seconds = call.seconds(begun := time.monotonic())
        try:
            with self._http.stream(
                "POST", self._endpoint, content=call.body, headers=self._headers(token), timeout=seconds
            ) as answer:
                content = _read(answer.iter_bytes(), begun + seconds)
        except _UNANSWERED as error:
            return call.unanswered(error)
        return call.answered(answer.status_code, answer.headers, content)

    def close(self) -> None:
        """Close the connections."""
        if self._is_own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Common):
    """Notifies from one event loop; all else is as with `Client`. token: what returns one may be async."""

    def __init__(
        self,
        endpoint: str,
        token: str | Callable[[], str | Awaitable[str]],
        *,
        tenant: str | None = None,
        patience: Patience = Patience(),  # noqa: B008  it is immutable
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(endpoint, patience, tenant)
        self._token = token
        self._http = http or httpx.AsyncClient(limits=_LIMITS)
        self._is_own = http is None

    async def notify(
        self,
        recipients: Recipients,
        *,
        type: str,
        idempotency_key: str | None = None,
        **more: Unpack[Content],
    ) -> Notified:
        """Notify 1 to 1,000 users by their ids, or "everyone"; see `Client.notify`."""
        call = Call(self._patience, time.monotonic(), recipients, type, idempotency_key, more)
        while True:
            outcome = await self._attempt(call)
            if isinstance(outcome, Notified):
                return outcome
            await asyncio.sleep(call.pause(outcome, time.monotonic()))

    async def _attempt(self, call: Call) -> Notified | Again:
        token = self._token if isinstance(self._token, str) else self._token()
        headers = self._headers(await token if inspect.isawaitable(token) else token)
        seconds = call.seconds(time.monotonic())
        try:
            async with asyncio.timeout(seconds):
                answer = await self._http.post(
                    self._endpoint, content=call.body, headers=headers, timeout=seconds
                )
        except _UNANSWERED as error:
            return call.unanswered(error)
        return call.answered(answer.status_code, answer.headers, answer.content)

    async def close(self) -> None:
        """Close the connections."""
        if self._is_own:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
