"""Settings, and what Tocsin talks to beside the database: other processes, the mail server, the issuer of keys."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from uuid import uuid4

from db.session import Hint
from delivery.smtp import Connections, UnreachableError, server
from live.hub import Hub
from tocsin.app import create_app
from tocsin.doctor.finding import Finding, Level, judged
from tocsin.doctor.unset import key_findings, with_keys
from tocsin.hubs import open_hub
from tocsin.jwks import fetch_keys
from tocsin.senders import open_senders
from tocsin.settings import Settings, variable
from tocsin.worker import pace

_ROUND_TRIP_SECONDS, _WARNED_SECONDS = 6.0, 1.5
_REPEAT_SECONDS = 0.25
_MAIL_SECONDS = 10


async def settings_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Make what `tocsin serve` and `tocsin worker` make before they look at the database."""
    found = await judged("settings", _settings(with_keys(settings)))
    yield found
    if found.level is Level.OK:
        for it in key_findings(settings):
            yield it
        for said, advice in _unwise(settings):
            yield Finding("settings", Level.WARNING, said, advice)


async def _settings(settings: Settings) -> Finding:
    create_app(settings)
    pace(settings)
    async with open_senders(settings):
        return Finding("settings", Level.OK, "They fit together.")


def _unwise(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what starts, but may not be meant."""
    if settings.allow_private_webhooks:
        yield (
            f"{variable('allow_private_webhooks')} is true: channels reach your inner network.",
            "Take it out unless you trust every admin of every tenant.",
        )
    if settings.smtp_url and not settings.public_url:
        yield (
            f"{variable('public_url')} is unset: mails have no link to unsubscribe.",
            "Set it to where the server is reached from outside.",
        )


async def hub_finding(settings: Settings) -> Finding:
    """Send a hint from one hub to another, as between two processes."""
    name, where = ("NATS", variable("hub")) if settings.hub else ("Postgres", variable("database_url"))
    with _heard_warnings() as warnings:
        took = await _round_trip(settings, warnings)
    if took is not None:
        return Finding("hub", Level.OK, f"A hint came back over {name} in {took * 1000:.0f} ms.")
    said = f"No hint came back over {name}{': ' if warnings else ''}{''.join(warnings[-1:])}."
    advice = f"Check {where}" + (
        "."
        if settings.hub
        else ": LISTEN needs a connection of its own, not a pooler's (pgbouncer) in transaction mode."
    )
    return Finding("hub", Level.PROBLEM, said, advice)


async def _round_trip(settings: Settings, warnings: Sequence[str]) -> float | None:
    """Return after how many seconds a hint arrived; None if it did not. Who was warned waits less."""
    loop, inbox = asyncio.get_running_loop(), ("", f"\x00doctor-{uuid4()}")
    async with open_hub(settings) as ours, open_hub(settings) as theirs:
        with theirs.register(*inbox):
            begun, seq = loop.time(), 0
            while loop.time() - begun < (_WARNED_SECONDS if warnings else _ROUND_TRIP_SECONDS):
                seq += 1  # a hint of a seq that was told already goes nowhere
                sent = loop.time()
                ours.announce([Hint(*inbox, seq)])
                if await _is_told(theirs, sent + _REPEAT_SECONDS):
                    return loop.time() - sent
    return None


async def _is_told(hub: Hub, until: float) -> bool:
    while not hub.told and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110  nothing tells
        await asyncio.sleep(0.005)
    return bool(hub.told)


@contextmanager
def _heard_warnings() -> Iterator[list[str]]:
    """Collect, and keep from the terminal, what the relays warn of: it holds no address."""
    logger, handler = logging.getLogger("live"), _Collector()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages.append(record.getMessage())


async def mail_finding(settings: Settings) -> Finding:
    """Connect to the mail server and log in; no mail is sent."""
    if settings.smtp_url is None:
        return Finding("mail", Level.SKIPPED, f"{variable('smtp_url')} is unset: no mail.")
    connections = Connections(server(settings.smtp_url.get_secret_value()), seconds=_MAIL_SECONDS)
    try:
        await connections.check()
    except UnreachableError as error:
        said = f"{error}" + (f" (It answered {error.code}.)" if error.code else "")
        return Finding(
            "mail", Level.PROBLEM, said, f"Check {variable('smtp_url')}, and that the port is open from here."
        )
    finally:
        connections.close()
    return Finding("mail", Level.OK, "The mail server takes us; no mail was sent.")


async def keys_finding(settings: Settings) -> Finding:
    """Fetch the keys that tokens are verified with."""
    if settings.jwks_url is None:
        return Finding("tokens", Level.OK, f"There is a key for {settings.jwt_algorithm}.")
    try:
        keys = await asyncio.to_thread(fetch_keys, settings.jwks_url, settings.jwt_algorithm)
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        said = f"The keys cannot be fetched: {type(error).__name__}: {error}."
        return Finding(
            "tokens", Level.PROBLEM, said, f"Check {variable('jwks_url')}; until then nobody is let in."
        )
    return Finding("tokens", Level.OK, f"{len(keys)} keys for {settings.jwt_algorithm} were fetched.")
