"""Clients that run as they stand in the docs, servers that can be killed under them, and what is between."""

import asyncio
import json
import re
import subprocess
from asyncio.subprocess import PIPE
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.codegen import node

HERE = Path(__file__).parent
DOC = HERE.parents[1] / "docs" / "how-to" / "live.md"
WEBSOCKETS = ("with-graphql-ws", "with-urql", "with-apollo")
CLIENTS = (*WEBSOCKETS, "with-graphql-sse")
_FILES = re.compile(r"```ts\n// (\S+)\n(.*?)```", flags=re.DOTALL)


def compile_doc() -> None:
    """Write the doc's blocks to files and compile them; tsc must have nothing to say."""
    node.install(HERE)
    generated = HERE / "generated"
    generated.mkdir(exist_ok=True)
    for name, code in _FILES.findall(DOC.read_text()):
        (generated / name).write_text(code)
    tsc = HERE / "node_modules" / ".bin" / "tsc"
    done = subprocess.run([tsc, "--project", "."], cwd=HERE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def place(cursor: str) -> tuple[int, int]:
    """Return the epoch and seq in an event cursor."""
    _tenant, _user, epoch, seq = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return epoch, seq


@dataclass
class Client:
    """A client that runs, with all that it has told."""

    name: str
    process: asyncio.subprocess.Process
    new_token: Callable[[], str]
    badges: list[int] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)
    heard: list[tuple[int, int]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    async def read(self) -> None:
        """Take in what it tells, until it ends."""
        assert self.process.stdout
        async for line in self.process.stdout:
            self._take(json.loads(line))

    def _take(self, told: dict[str, Any]) -> None:
        if "wants" in told:
            assert self.process.stdin
            self.process.stdin.write(f"{self.new_token()}\n".encode())
        if "badge" in told:
            self.badges.append(told["badge"])
        # A lazy client itself hangs up (1000) if its query is done before its subscriptions have begun.
        if told.get("closed", 1000) != 1000:
            self.closed.append(told["closed"])
        if "page" in told:
            self.pages.append(told["page"])
        if "heard" in told:
            self.heard.append(place(told["heard"]))
        elif "page" in told and self.name not in WEBSOCKETS and len(self.pages) > 1:
            self.heard.append(place(told["page"]["eventCursor"]))


@asynccontextmanager
async def _client(name: str, address: str, new_token: Callable[[], str]) -> AsyncIterator[Client]:
    url = f"{'ws' if name in WEBSOCKETS else 'http'}://{address}/graphql"
    process = await asyncio.create_subprocess_exec(
        *("node", "main.mjs", name, url), cwd=HERE, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=2**20
    )
    client = Client(name, process, new_token)
    reading = asyncio.create_task(client.read())
    try:
        yield client
        assert process.returncode is None, name
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await reading
        assert process.stderr
        complaints = await process.stderr.read()
        await process.wait()
    assert complaints.decode() == "", name


@asynccontextmanager
async def clients(address: str, new_token: Callable[[], str]) -> AsyncIterator[list[Client]]:
    """Run all four, giving tokens when asked; where the block ends none must have complained or ended."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_client(name, address, new_token)) for name in CLIENTS]


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is so, or go on: the test then says what is not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - it is other processes that change it
                await asyncio.sleep(0.02)


class Balancer:
    """What stands before servers: sends each new connection to one of them, or refuses it."""

    def __init__(self) -> None:
        self.upstream: str | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen on a free port; gives host:port."""
        async with await asyncio.start_server(self._relay, "127.0.0.1") as server:
            host, port = server.sockets[0].getsockname()
            yield f"{host}:{port}"
            self.drop()

    def drop(self) -> None:
        """Reset all connections."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.upstream is None:
            writer.transport.abort()
            return
        host, port = self.upstream.removeprefix("http://").split(":")
        to_reader, to_writer = await asyncio.open_connection(host, int(port))
        self._open |= {writer, to_writer}
        await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
        self._open -= {writer, to_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
