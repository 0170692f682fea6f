"""Tocsin as somebody at a terminal has it: real processes, which end with the test whatever happens in it."""

import asyncio
import gc
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner

from db import embedded
from tests.forked import Forked, Streams
from tests.support import Socket, open_socket
from tocsin.cli import app

ROOT = Path(__file__).parents[2]
EVENTS = ROOT.parent / "shared" / "data" / "events.jsonl"
NEEDS_EVENTS = pytest.mark.skipif(not EVENTS.exists(), reason="../shared/data/events.jsonl is not there")
STATS = (
    "{ stats { total unread read dismissed byType { key total unread } byCategory { key total unread } } }"
)
COMMAND = [sys.executable, str(Path(sys.executable).with_name("tocsin"))]
_READY = "Ctrl-C stops it."
_TOKENS = re.compile(r"\((\S+) of (\S+)\): \S+#token=(\S+)\n  Bearer (\S+)")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 20) -> bool:
    """Tell whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return true


def postgres_of(data_dir: Path) -> list[int]:
    """Return the ids of all that runs in the data dir's Postgres folder: the keeper and Postgres."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(data_dir / "postgres"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Running:
    """A command that runs, with its output so far."""

    process: "Forked | subprocess.Popen[bytes]"
    output: Path
    url: str

    def text(self) -> str:
        """Return what it has printed."""
        return self.output.read_text()

    def wait_for(self, said: Callable[[], object]) -> None:
        """Wait until it has come so far; fail with its output if it ends or takes too long."""
        assert until(lambda: said() or self.process.poll() is not None, 40), self.text()
        assert self.process.poll() is None, self.text()

    def is_ready(self) -> bool:
        """Tell whether it answers and has its database."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=False).status_code == 200
        except httpx.TransportError:
            return False

    def tokens(self) -> dict[str, str]:
        """Return the tokens that `tocsin dev` printed, by `user@tenant`."""
        found = _TOKENS.findall(self.text())
        assert all(in_link == bearer for _user, _tenant, in_link, bearer in found)
        return {f"{user}@{tenant}": bearer for user, tenant, _link, bearer in found}

    def ask(self, token: str, document: str, **variables: Any) -> Any:
        """Run a GraphQL operation over HTTP and return its data."""
        body = httpx.post(
            f"{self.url}/graphql",
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            verify=False,  # spares the time to load certificates
        ).json()
        assert "errors" not in body, body
        return body["data"]

    def end(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        self.process.send_signal(sent)
        return self.process.wait(20)


@dataclass(frozen=True)
class Tocsin:
    """The command line with one data dir and settings; nothing of the tester's own TOCSIN_* reaches it.

    `code` is where another version of Tocsin lies. afresh: begin each process with all its imports.
    """

    data_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    code: Path = ROOT
    afresh: bool = False

    def environ(self) -> dict[str, str]:
        """Return the environment of its processes; compiled modules are kept, or each would take seconds."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("TOCSIN_") and name != "PYTHONDONTWRITEBYTECODE"
        }
        return inherited | {
            "PYTHONPATH": str(self.code),
            "PYTHONPYCACHEPREFIX": str(ROOT / ".pytest_cache" / "pycache"),
            "COLUMNS": "300",
            "TOCSIN_RATE_LIMIT": "0",
            "TOCSIN_DATA_DIR": str(self.data_dir),
            **{f"TOCSIN_{name.upper()}": value for name, value in self.settings.items()},
        }

    def run(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Run a command to its end."""
        with tempfile.TemporaryDirectory() as folder:
            streams = Streams(*(Path(folder) / name for name in ("out", "err", "in")))
            streams.stdin.write_bytes(stdin)
            process = self._begin((), arguments, self.environ(), Path.cwd(), streams)
            try:
                code = process.wait(60)
            finally:
                process.kill()
            return Done(code, streams.out.read_text(), streams.err.read_text())

    def _begin(
        self,
        command: Sequence[str],
        arguments: tuple[str, ...],
        environ: Mapping[str, str],
        folder: Path,
        streams: Streams,
    ) -> "Forked | subprocess.Popen[bytes]":
        """Fork it, unless it is to begin afresh, by a command of its own or with code from elsewhere."""
        if command or self.afresh or self.code != ROOT:
            return _begin_afresh([*(command or COMMAND), *arguments], environ, folder, streams)
        return Forked.command(arguments, environ, folder, streams)

    def call(self, *arguments: str) -> Done:
        """Run in this process, which saves the start of another, what never gets to a database."""
        handler, root = signal.getsignal(signal.SIGTERM), logging.getLogger()
        logs, level = root.handlers[:], root.level
        none = dict.fromkeys(name for name in os.environ if name.startswith("TOCSIN_"))
        try:
            done = CliRunner(env=none | self.environ()).invoke(app, arguments, prog_name="tocsin")
        finally:
            signal.signal(signal.SIGTERM, handler)
            # The command's own write to a stream that is closed now.
            root.handlers[:] = logs
            root.setLevel(level)
            # What it has imported is frozen, with all else that there is: other tests count objects.
            gc.unfreeze()
        return Done(done.exit_code, done.stdout, done.stderr)

    @contextmanager
    def start(
        self, *arguments: str, command: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> Iterator[Running]:
        """Start a command in a session of its own; kill what is left of it where the block ends.

        command, environ: begin it afresh with these.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        folder = self.data_dir.parent
        output = self.data_dir.with_name(f"{self.data_dir.name}-{time.monotonic_ns()}.log")
        output.touch()
        port = arguments[arguments.index("--port") + 1] if "--port" in arguments else "0"
        own = command or (COMMAND if environ else ())
        process = self._begin(own, arguments, environ or self.environ(), folder, Streams(output, output))
        try:
            yield Running(process, output, f"http://127.0.0.1:{port}")
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):  # it has not come to have a session
                    os.killpg(process.pid, signal.SIGKILL)
                process.kill()
            process.wait()

    @contextmanager
    def dev(self, *arguments: str, **options: Any) -> Iterator[Running]:
        """Run `tocsin dev` on a free port; it is up when the block begins."""
        with self.start("dev", "--port", str(free_port()), *arguments, **options) as running:
            running.wait_for(lambda: _READY in running.text())
            yield running

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[Running]:
        """Run `tocsin serve` on a free port; it is up when the block begins."""
        with self.start("serve", "--port", str(free_port()), *arguments) as running:
            running.wait_for(running.is_ready)
            yield running

    def token(self, tenant: str, user: str, *roles: str) -> str:
        """Return a token that `tocsin token` printed."""
        chosen = [argument for role in roles for argument in ("--role", role)]
        done = self.run("token", "--tenant", tenant, "--user", user, *chosen)
        assert done.code == 0, done.err
        return done.out.strip()

    def wait_for_stop(self) -> None:
        """Wait until nothing of the embedded Postgres runs any more."""
        assert until(lambda: not postgres_of(self.data_dir), 20)

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Read from the embedded database past row level security."""
        with embedded.start(self.data_dir / "postgres") as postgres:
            url = postgres.superuser_url.removesuffix("/postgres") + "/tocsin"
            return asyncio.run(fetch(url, query, *arguments))


def _begin_afresh(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, streams: Streams
) -> "subprocess.Popen[bytes]":
    with streams.out.open("ab") as out, streams.err.open("ab") as err, streams.stdin.open("rb") as stdin:
        return subprocess.Popen(
            command, stdin=stdin, stdout=out, stderr=err, start_new_session=True, env=environ, cwd=folder
        )


async def fetch(url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """Read from a database."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row.values()) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def badge(running: Running, token: str, change: Callable[[], None]) -> tuple[int, int]:
    """Return a user's unread count before a change and as an open subscription has it afterwards."""
    async with open_socket(running.url, {"authorization": f"Bearer {token}"}) as opened:
        return await _badge(opened, change)


async def _badge(opened: Socket, change: Callable[[], None]) -> tuple[int, int]:
    feed = await opened.subscribe("subscription { stats { unread } }")
    before = (await feed.next())["stats"]["unread"]
    await asyncio.to_thread(change)
    return before, (await feed.next(10))["stats"]["unread"]
