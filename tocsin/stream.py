"""One operation as server-sent events (PROTOCOL.md of enisdenjo/graphql-sse, distinct connections)."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import ExitStack, aclosing, suppress
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from resolvers.errors import TocsinError
from tocsin.connection import Connection
from tocsin.errors import EVENT_STREAM, Accept, PublicError, encode, refuse
from tocsin.protocols import leaving, return_after
from tocsin.seats import Seats

HEARTBEAT_SECONDS = 15.0
"""A stream says something at least this often, so that proxies keep it and a client that has gone is noticed."""

_HEADERS = {
    "Content-Type": EVENT_STREAM,
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}
_HEARTBEAT = ":\r\n\r\n"
_COMPLETE = "event: complete\r\ndata: \r\n\r\n"
_END = object()


class EventStream(Response):
    """Sends results as they come, until they end, or the caller's access does, or the server shuts down.

    It holds a seat of its user; if none is left it is 429 instead. The results are closed either way.
    """

    def __init__(self, results: Any, connection: Connection, seats: Seats, accept: Accept) -> None:
        super().__init__()
        self._results = results
        self._connection = connection
        self._seats = seats
        self._accept = accept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a seat, and stream."""
        response: Response
        async with aclosing(self._results):
            with ExitStack() as seat:
                try:
                    seat.enter_context(self._seats.taken(self._connection.principal))
                except TocsinError as error:
                    response = refuse(error, self._accept)
                else:
                    events = self._events(leaving(scope.get("state", {})))
                    response = StreamingResponse(events, headers=_HEADERS)
                await response(scope, receive, send)

    async def _events(self, leaving: "asyncio.Future[None]") -> AsyncGenerator[str, None]:
        access = self._access()
        try:
            async with aclosing(_arriving(self._results, {access, leaving})) as arriving:
                async for it in arriving:
                    yield _HEARTBEAT if it is None else self._next(it.data, it.errors)
            if leaving.done():
                # No `complete`: the client is to come back. The hint is of the HTML standard, 9.2.6.
                yield f": restarting\r\nretry: {return_after()}\r\n\r\n"
                return
            if access.done():
                error = access.result()
                yield self._next(None, [PublicError(str(error), extensions=dict(error.extensions))])
            yield _COMPLETE
        finally:
            access.cancel()

    def _access(self) -> "asyncio.Future[TocsinError]":
        """Return what is done when the caller's access ends; that of nobody has no end."""
        principal = self._connection.principal
        if principal is None:
            return asyncio.get_running_loop().create_future()
        return asyncio.create_task(self._connection.ended(principal))

    def _next(self, data: Any, errors: Any) -> str:
        body = encode(self._connection.payload(data, errors)).decode()
        return f"event: next\r\ndata: {body}\r\n\r\n"


async def _arriving(results: Any, ends: Collection["asyncio.Future[Any]"]) -> AsyncGenerator[Any, None]:
    """Yield results, and None where none came for a while, until there are no more or an end is done.

    The next result is asked for when the last has been taken: nothing queues.
    """
    pending = asyncio.ensure_future(anext(results, _END))
    try:
        while True:
            futures = {pending, *ends}
            done, _ = await asyncio.wait(
                futures, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not done.isdisjoint(ends) or (pending in done and pending.result() is _END):
                return
            yield pending.result() if pending in done else None
            if pending in done:
                pending = asyncio.ensure_future(anext(results, _END))
    finally:
        pending.cancel()
        with suppress(asyncio.CancelledError):
            await pending
