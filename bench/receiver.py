"""A receiver of POSTs that is as quick as it can be, in a process of its own, and counts."""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawArray
from typing import Any, NamedTuple

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_END, _LENGTH = b"\r\n\r\n", b"content-length:"


class Receiver(NamedTuple):
    """Where it listens, and what it counts: requests, when the first came and the last (time.monotonic())."""

    port: int
    counts: Any

    @property
    def requests(self) -> int:
        """How many came since `reset`."""
        return int(self.counts[0])

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        return float(self.counts[2] - self.counts[1])

    def reset(self) -> None:
        """Count from nought."""
        self.counts[0] = 0


class _Connection(asyncio.Protocol):
    def __init__(self, counts: Any) -> None:
        self._counts, self._buffer = counts, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (size := self._whole()) is not None:
            self._buffer = self._buffer[size:]
            now = time.monotonic()
            if not self._counts[0]:
                self._counts[1] = now
            self._counts[2] = now
            self._counts[0] += 1
            self._transport.write(_OK)  # type: ignore[attr-defined]

    def _whole(self) -> int | None:
        """Return the size of the request in the buffer, if it is whole."""
        head, end, _rest = self._buffer.partition(_END)
        if not end:
            return None
        _before, _name, length = head.lower().partition(_LENGTH)
        size = len(head) + len(end) + int(length.split(b"\r\n")[0])
        return size if len(self._buffer) >= size else None


def _serve(listener: socket.socket, counts: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(counts), sock=listener)
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run one while the block runs."""
    context = multiprocessing.get_context("fork")
    counts = RawArray("d", 3)
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listener:
        process = context.Process(target=_serve, args=(listener, counts), daemon=True)
        process.start()
        try:
            yield Receiver(listener.getsockname()[1], counts)
        finally:
            process.kill()
            process.join()
