"""Receivers in a process of their own: they have on disk what came before they answer."""

import asyncio
import email
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import orjson
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.delivery.receiver import Request, answer, read_request


class Entry(NamedTuple):
    """Something that came. id: as the receiver sees it; key: the title; at: time.time()."""

    kind: str
    id: str
    key: str
    at: float


class Ledger:
    """A file of entries, each on disk before `add` returns."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._seen: set[str] = set()

    def add(self, kind: str, id: str, key: str) -> bool:
        """Write an entry; return whether its id is new."""
        os.write(self._fd, orjson.dumps([*Entry(kind, id, key, time.time())]) + b"\n")
        os.fsync(self._fd)
        is_new = id not in self._seen
        self._seen.add(id)
        return is_new


def entries(path: Path) -> list[Entry]:
    """Return what is in a ledger."""
    return [Entry(*orjson.loads(line)) for line in path.read_bytes().splitlines()]


class Web:
    """Takes POSTs to /KIND?seconds=S&first=STATUS: S until the answer, STATUS what a new id is answered."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await read_request(reader)
                url = urlsplit(request.line.split()[1])
                how = {name: values[0] for name, values in parse_qs(url.query).items()}
                is_new = self._ledger.add(url.path.strip("/"), *_identity(request))
                await asyncio.sleep(float(how.get("seconds", 0)))
                writer.write(answer(how["first"] if is_new and "first" in how else "200 OK"))
                await writer.drain()
        writer.close()


def _identity(request: Request) -> tuple[str, str]:
    body: Mapping[str, Any] = orjson.loads(request.body)
    if id := request.fields.get("webhook-id"):
        return id, body["data"]["title"]
    return body["text"], body["text"]


class PostOffice:
    """Takes mail."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take one."""
        mail = email.message_from_bytes(envelope.content or b"")  # type: ignore[arg-type]
        self._ledger.add("EMAIL", mail["Message-ID"].strip("<>").partition("@")[0], mail["Subject"])
        return "250 OK"


async def _main(kind: str, listener: socket.socket, path: Path) -> None:
    ledger = Ledger(path)
    if kind == "smtp":
        office = PostOffice(ledger)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(office, loop=loop), sock=listener)
    else:
        server = await asyncio.start_server(Web(ledger).serve, sock=listener, backlog=1_000)
    await server.serve_forever()


class Peer(NamedTuple):
    """A running receiver."""

    port: int
    path: Path

    def entries(self) -> list[Entry]:
        """Return what came."""
        return entries(self.path)


@contextmanager
def peer(kind: str, path: Path) -> Iterator[Peer]:
    """Run a receiver, "http" or "smtp", while the block runs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1_000)
        port = listener.getsockname()[1]
        words = [sys.executable, "-m", __name__, kind, str(listener.fileno()), str(path)]
        process = Popen(words, pass_fds=[listener.fileno()], start_new_session=True)
    path.touch()
    try:
        yield Peer(port, path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    _kind, _fd, _path = sys.argv[1:]
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(_kind, socket.socket(fileno=int(_fd)), Path(_path)))
