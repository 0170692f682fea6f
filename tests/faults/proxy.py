"""A TCP proxy that swallows what it should carry, as a network that is cut without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Carries connections to a port. Those that it cut, or took while cut, stay open and silent for ever."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._is_cut = False
        self._pipes: set[asyncio.Task[None]] = set()
        self._open: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)

    def cut(self) -> None:
        """Carry nothing any more, and close nothing."""
        self._is_cut = True
        for pipe in self._pipes:
            pipe.cancel()

    def heal(self) -> None:
        """Carry what connects from now on."""
        self._is_cut = False

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        if self._is_cut:
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._open.append(far_writer)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            pipe = asyncio.create_task(_pipe(source, target))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    def close(self) -> None:
        """End all of it."""
        self._server.close()
        self.cut()
        for writer in self._open:
            writer.close()


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while said := await source.read(65_536):
            target.write(said)
            await target.drain()
    target.close()


@asynccontextmanager
async def proxy(port: int) -> AsyncIterator[Proxy]:
    """Carry connections to a port while the block runs."""
    carrying = Proxy(port)
    await carrying.start()
    try:
        yield carrying
    finally:
        carrying.close()
