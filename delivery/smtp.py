"""Connections to the mail server: encrypted where that matters, kept a while, and never handed on half-used."""

import asyncio
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from typing import cast
from urllib.parse import unquote

import aiosmtplib
from aiosmtplib import SMTP

from delivery.mail import Mail

_URL = re.compile(
    r"(?P<scheme>smtps?)://((?P<user>[^:@/?#\s]+):(?P<password>[^:@/?#\s]+)@)?"
    r"(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?/?"
)
_PORTS = {"smtp": "587", "smtps": "465"}
_MAX_PORT = 65_535
_UNAVAILABLE = 421


class UnreachableError(Exception):
    """There is no connection to send by; the message is for the delivery log. code: the server's, if any."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. tls: from the first byte; without it by STARTTLS, when that is offered."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str = field(default="", repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent never leaves this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def server(url: str) -> Server:
    """Read smtp://USER:PASSWORD@HOST:PORT or smtps://…; ValueError, without any of it, if it is neither."""
    match = _URL.fullmatch(url)
    if not match or not 0 < (port := int(match["port"] or _PORTS[match["scheme"]])) <= _MAX_PORT:
        raise ValueError(
            "It must be smtp:// or smtps://, perhaps USER:PASSWORD@ with special characters percent-encoded, "
            "a host, and perhaps :PORT."
        )
    user, password = match["user"], match["password"]
    credentials = (unquote(user), unquote(password)) if user else (None, "")
    return Server(match["host"].strip("[]"), port, match["scheme"] == "smtps", *credentials)


class Connections:
    """A few connections to one server, each for one mail at a time.

    most: how many at once; further mails wait. idle_seconds: how long one is kept unused. seconds: how long
    the server may take for a single answer.
    """

    def __init__(
        self, server: Server, *, most: int = 4, idle_seconds: float = 10, seconds: float = 30
    ) -> None:
        self._server = server
        self._places = asyncio.Semaphore(most)
        self._idle: dict[SMTP, asyncio.TimerHandle] = {}
        self._idle_seconds = idle_seconds
        self._seconds = seconds

    async def send(self, mail: Mail) -> None:
        """Hand a mail in. Raises UnreachableError, or what aiosmtplib raises in the middle of a mail."""
        async with self._places:
            client = await self._resumed(mail) or await self._begun(await self._connected(), mail)
            with _aborted_on_error(client):
                await client.data(mail.content)
            self._keep(client)

    async def check(self) -> None:
        """Connect and say who we are, as before a mail; UnreachableError if the server does not have us."""
        async with self._places:
            self._keep(await self._connected())

    def close(self) -> None:
        """Leave the server; connections in use are closed by whoever uses them."""
        while self._idle:
            self._leave(next(iter(self._idle)))

    async def _resumed(self, mail: Mail) -> SMTP | None:
        """Return a kept connection on which the server took the envelope; None if there is none that lives.

        That it has hung up shows only now, and nothing of the mail is there yet: it is safe to begin again.
        """
        client = self._taken()
        try:
            return client and await self._begun(client, mail)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
            return None
        except aiosmtplib.SMTPSenderRefused as refusal:
            if refusal.code == _UNAVAILABLE:
                return None
            raise

    async def _begun(self, client: SMTP, mail: Mail) -> SMTP:
        with _aborted_on_error(client):
            if mail.is_international and not client.supports_extension("smtputf8"):
                raise aiosmtplib.SMTPNotSupported("SMTPUTF8")
            options, encoding = (["SMTPUTF8"], "utf-8") if mail.is_international else ([], "ascii")
            await client.mail(mail.sender, options=options, encoding=encoding)
            await client.rcpt(mail.recipient, encoding=encoding)
        return client

    async def _connected(self) -> SMTP:
        client = SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.tls,
            tls_context=self._tls,
            timeout=self._seconds,
        )
        try:
            with _aborted_on_error(client):
                await client.connect()
                await self._introduced(client)
        except aiosmtplib.SMTPAuthenticationError as refusal:
            raise UnreachableError("The mail server refused our credentials.", refusal.code) from None
        except aiosmtplib.SMTPResponseException as refusal:
            code = refusal.code if refusal.code > 0 else None
            raise UnreachableError("The mail server does not serve us.", code) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise UnreachableError(_why(error)) from None
        return client

    async def _introduced(self, client: SMTP) -> None:
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        if self._server.username is None:
            return
        if not (self._server.is_loopback or client.get_transport_info("sslcontext")):
            raise UnreachableError("The mail server offers no encryption, so it gets no credentials.")
        if not client.supports_extension("auth"):
            raise UnreachableError("The mail server takes no credentials.")
        await client.login(self._server.username, self._server.password)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._server.is_loopback:
            # Nobody is between, and a relay beside us seldom has a certificate for "localhost".
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _taken(self) -> SMTP | None:
        if not self._idle:
            return None
        client, timer = self._idle.popitem()
        timer.cancel()
        return client

    def _keep(self, client: SMTP) -> None:
        loop = asyncio.get_running_loop()
        self._idle[client] = loop.call_later(self._idle_seconds, self._leave, client)

    def _leave(self, client: SMTP) -> None:
        self._idle.pop(client).cancel()
        if client.is_connected and client.protocol:
            client.protocol.write(b"QUIT\r\n")  # what it answers is not waited for
        client.close()


def _why(error: Exception) -> str:
    if any(isinstance(it, ssl.SSLError) for it in (error, error.__cause__)):
        return "The mail server could not be trusted: TLS failed."
    return "The mail server could not be reached."


@contextmanager
def _aborted_on_error(client: SMTP) -> Iterator[None]:
    """Drop the connection at once if the block fails or is cancelled.

    Closing it in order would first send what is still to be written: perhaps the rest of the mail.
    """
    try:
        yield
    except BaseException:
        if client.transport:
            cast("asyncio.WriteTransport", client.transport).abort()
        client.close()
        raise
