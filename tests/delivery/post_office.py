"""A real mail server in the tests' own loop: it counts, and fails as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Step = Callable[["PostOffice", SMTP], Awaitable[str]]
"""What is answered in place of 250, after whatever else is done."""


class PostOffice:
    """What arrived, over how many connections, and how each command is answered.

    answers: by command (MAIL, RCPT, DATA), the next answers; then all is accepted. is_awaited: set by `never`.
    """

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[SMTP] = []
        self.envelopes: list[Envelope] = []
        self.commands: list[str] = []
        self.logins: list[tuple[bytes, bytes, bool]] = []
        self.answers: dict[str, list[str | Step]] = {}
        self.is_awaited = asyncio.Event()

    async def _answer(self, command: str, server: SMTP) -> str:
        self.commands.append(command)
        queue = self.answers.get(command)
        step = queue.pop(0) if queue else "250 OK"
        return step if isinstance(step, str) else await step(self, server)

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender."""
        answer = await self._answer("MAIL", server)
        if answer.startswith("2"):
            envelope.mail_from, envelope.mail_options = address, options
        return answer

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient."""
        answer = await self._answer("RCPT", server)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        answer = await self._answer("DATA", server)
        if answer.startswith("2"):
            self.envelopes.append(envelope)
        return answer

    async def handle_QUIT(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        """Say good-bye."""
        await self._answer("QUIT", server)
        return "221 Bye"

    def authenticate(
        self, _server: SMTP, session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """Let bell in with the password hunter2@."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=(data.login, data.password) == (b"bell", b"hunter2@"), handled=False)


@asynccontextmanager
async def post_office(*, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[PostOffice]:
    """Run one on a free port of 127.0.0.1. tls: from the first byte; options: of aiosmtpd's SMTP."""
    office = PostOffice()
    given = {"enable_SMTPUTF8": True, **options}
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        made = SMTP(office, hostname="mx.example", loop=loop, authenticator=office.authenticate, **given)
        office.connections.append(made)
        return made

    listener = await loop.create_server(connection, "127.0.0.1", 0, ssl=tls)
    office.port = listener.sockets[0].getsockname()[1]
    yield office
    listener.close()
    for open in office.connections:
        if open.transport:
            wire(open).abort()
    await asyncio.sleep(0)  # until they have heard of it


def wire(server: SMTP) -> asyncio.Transport:
    """Return the transport of an open connection."""
    assert isinstance(server.transport, asyncio.Transport)
    return server.transport


async def hang_up(_office: PostOffice, server: SMTP) -> str:
    """Do what was asked, and cut the connection off in place of an answer."""
    wire(server).abort()
    return "250 nobody hears this"


async def never(office: PostOffice, _server: SMTP) -> str:
    """Leave the client waiting."""
    office.is_awaited.set()
    await asyncio.Event().wait()
    return ""


async def cancel_meanwhile(office: PostOffice, sending: Coroutine[Any, Any, object]) -> None:
    """Begin to send, and cancel it once the server leaves it waiting."""
    task = asyncio.create_task(sending)
    async with asyncio.timeout(10):
        await office.is_awaited.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context, and the file of the root that its certificate for some addresses goes back to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(it)) for it in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    root, pem = folder / "root.pem", folder / "server.pem"
    root.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        root.read_bytes()
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, root
