"""Real NATS servers for tests: started, stopped, and asked who is subscribed to what."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

_SHARED_PORT = 4222


def _binary() -> str:
    """Return the path of nats-server. Without one the test is skipped, unless NATS listens here all the same."""
    found = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        if _listens(_SHARED_PORT):
            pytest.fail("NATS listens on 127.0.0.1:4222, but there is no nats-server to start.")
        pytest.skip("There is no nats-server on this machine.")
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class NatsServer:
    """A server on a port of its own, which keeps that when it is started again."""

    def __init__(self, *options: str) -> None:
        self.port, self._monitor = _free_ports(2)
        self.url = f"nats://127.0.0.1:{self.port}"
        ports = ("-p", str(self.port), "-m", str(self._monitor))
        self._command = [_binary(), "-a", "127.0.0.1", *ports, *options]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start; it answers when this returns."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220  quick
        async with asyncio.timeout(10):
            while not _listens(self.port):
                assert self._process.poll() is None
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a machine that goes down would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Leave its connections open and answer nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    async def connections(self) -> list[dict[str, object]]:
        """Return what it says of each connection, with its subjects."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{self._monitor}/connz?subs=1&limit=100")
        return list(answer.json()["connections"])

    async def subjects(self) -> list[str]:
        """Return the subjects subscribed to, of all connections."""
        found = [it.get("subscriptions_list", []) for it in await self.connections()]
        return sorted(subject for subjects in found for subject in subjects)  # type: ignore[attr-defined]

    async def comes_to(self, *subjects: str) -> None:
        """Wait until these are subscribed to, and no others; fail if that takes too long."""
        async with asyncio.timeout(5):
            while await self.subjects() != sorted(subjects):  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.02)


@contextmanager
def nats_server(*options: str) -> Iterator[NatsServer]:
    """Have a server to start; it is stopped at the end."""
    server = NatsServer(*options)
    try:
        yield server
    finally:
        server.stop()


def shared_or(own: NatsServer) -> str:
    """Return the URL of the NATS that this machine runs for all, or of one's own."""
    return f"nats://127.0.0.1:{_SHARED_PORT}" if _listens(_SHARED_PORT) else own.url


def tls_options(folder: Path) -> list[str]:
    """Return options for TLS with the certificate that `tests.delivery.post_office.certificate` made there."""
    return ["--tls", "--tlscert", str(folder / "server.pem"), "--tlskey", str(folder / "server.pem")]
