"""A real receiver of POSTs on this machine, and certificates for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from delivery.wire import Wires

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status: str, *fields: str, body: bytes = b"") -> bytes:
    """Return a whole answer: a status with its phrase, fields, a body of known length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


@dataclass(frozen=True)
class Request:
    """A request as it came. fields: by their names in small letters."""

    line: str
    fields: dict[str, str]
    body: bytes


class Receiver:
    """Listens; answers each request with the next of its answers, the last one again and again.

    hangs_up: closes after an answer; otherwise it waits for the next request. greeting: is said first.
    open: its connections now. names: what TLS was asked for.
    """

    def __init__(self, *answers: bytes, hangs_up: bool, greeting: bytes) -> None:
        self.answers = list(answers)
        self.hangs_up = hangs_up
        self.greeting = greeting
        self.connections = 0
        self.requests: list[Request] = []
        self.names: list[str | None] = []
        self.host, self.port = "", 0
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        self.connections += 1
        self.open.add(writer)
        writer.write(self.greeting)
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while self.answers:
                self.requests.append(await read_request(reader))
                writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
                await writer.drain()
                if self.hangs_up:
                    break
        await self._close(writer)

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        self.open.discard(writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def settled(self, connections: int) -> None:
        """Return when no more connections than these are open."""
        while len(self.open) > connections:  # noqa: ASYNC110  it closes them itself, too
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Hang up on everybody."""
        for writer in [*self.open]:
            await self._close(writer)


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in rest if it)}
    return Request(line, fields, await reader.readexactly(int(fields.get("content-length", 0))))


@asynccontextmanager
async def receiving(
    *answers: bytes,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    hangs_up: bool = False,
    greeting: bytes = b"",
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port; without an answer it hangs up at once."""
    receiver = Receiver(*answers, hangs_up=hangs_up, greeting=greeting)
    if tls:
        tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name)
    server = await asyncio.start_server(receiver.serve, host, 0, ssl=tls)
    receiver.host, receiver.port = server.sockets[0].getsockname()[:2]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()
        await server.wait_closed()


class Internet(httpcore.AsyncNetworkBackend):
    """A network that remembers what is dialled. leads_to: where every address leads; None: where it says."""

    def __init__(self, leads_to: Receiver | None = None) -> None:
        self.dialled: list[tuple[str, float | None]] = []
        self._leads_to = leads_to
        self._real = Wires()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Dial."""
        self.dialled.append((host, timeout))
        to = self._leads_to
        at = (to.host, to.port) if to else (host, port)
        return await self._real.connect_tcp(*at, timeout, local_address, socket_options)


class Names:
    """A DNS of one's own: hosts and their answers, look-up by look-up, the last one again and again."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        """Answer."""
        self.asked.append(host)
        answers = self._answers[host.partition(".")[0]]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        own = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = self._sign(self._name, self._key, own, timedelta(days=1))

    def trusted(self) -> ssl.SSLContext:
        """Return what a client needs that trusts nobody else."""
        return ssl.create_default_context(cadata=_pem(self._certificate).decode())

    def server(self, *hosts: str, lasts: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """Return what a server of these hosts needs; lasts: until when, from now on."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A receiver")])
        certificate = self._sign(name, key, x509.SubjectAlternativeName(_general(hosts)), lasts)
        file = self._folder / "receiver.pem"
        file.write_bytes(_pem(certificate) + _pem_of_key(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        lasts: timedelta,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=2)).not_valid_after(now + lasts)
        return builder.add_extension(extension, critical=True).sign(self._key, hashes.SHA256())


def _general(hosts: Iterable[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ip_address(it)) if ":" in it else x509.DNSName(it) for it in hosts]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
