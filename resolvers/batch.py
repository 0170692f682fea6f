"""Reads that many want at the same moment, as one statement for each kind of them."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from contextvars import Context
from typing import Generic, TypeVar

Lane = TypeVar("Lane", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Batches(Generic[Lane, Key, Value]):
    """Reads of a whole process. What is asked while a lane's statement runs waits for its next one.

    So an answer is never older than its question, and a statement asks for as much as the database is slow,
    but for `most` keys at a time.
    """

    def __init__(
        self, fetch: Callable[[Lane, Collection[Key]], Awaitable[Mapping[Key, Value]]], most: int = 1_000
    ) -> None:
        self._fetch = fetch
        self._most = most
        self._waiting: dict[Lane, dict[Key, asyncio.Future[Value]]] = defaultdict(dict)
        self._running: set[asyncio.Task[None]] = set()
        self._busy: set[Lane] = set()

    async def load(self, lane: Lane, key: Key) -> Value:
        """Return the value of a key, read after now; raises what its statement raises."""
        waiting = self._waiting[lane]
        future = waiting.get(key)
        if future is None:
            future = waiting[key] = asyncio.get_running_loop().create_future()
        if lane not in self._busy:
            self._busy.add(lane)
            # For all who wait, so not in the context (the trace, what a log line names) of the first of them.
            task = asyncio.create_task(self._serve(lane), context=Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        # Whoever gives up must not take the answer away from the others.
        return await asyncio.shield(future)

    def _next(self, lane: Lane) -> dict[Key, asyncio.Future[Value]]:
        waiting = self._waiting.pop(lane, {})
        keys = list(waiting)
        if rest := keys[self._most :]:
            self._waiting[lane] = {key: waiting[key] for key in rest}
        return {key: waiting[key] for key in keys[: self._most]}

    async def _serve(self, lane: Lane) -> None:
        # Everybody who was woken by the same hint asks in this tick.
        await asyncio.sleep(0)
        while asked := self._next(lane):
            try:
                found = await self._fetch(lane, asked.keys())
                values = [found[key] for key in asked]
            except Exception as error:  # noqa: BLE001  it is theirs who asked
                for future in asked.values():
                    future.set_exception(error)
                    future.exception()  # seen, though everybody may have given up
            else:
                for future, value in zip(asked.values(), values, strict=True):
                    future.set_result(value)
        self._busy.discard(lane)
