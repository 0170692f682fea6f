"""Hints between processes over LISTEN and NOTIFY: one connection a process, ids only, coalesced."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import orjson

from db.session import OUTAGE, Hint
from live.hub import Heard, Hub
from live.pending import Pending

_log = logging.getLogger(__name__)
_CHANNEL = "tocsin"
_NOTES = "tocsin_notes"
_RETRY_SECONDS = 0.5
_BEAT_SECONDS = 5.0
"""How often at least the database must answer, and how quickly: a connection can be dead without a word."""
_NOTIFY = f"select pg_notify('{_CHANNEL}', hint) from unnest($1::text[]) hint"  # noqa: S608  a constant
_NOTIFY_NOTES = _NOTIFY.replace(_CHANNEL, _NOTES)


class PostgresRelay:
    """Carries hints, and notes to who hears them; when the connection breaks it makes a new one."""

    def __init__(self, url: str, heard: Heard | None = None) -> None:
        self.hub = Hub(self._enqueue, tell=self._tell)
        self._heard = heard
        self._notes: Sequence[str] = ()
        self._url = url
        self._pending = Pending()
        self._wanted = asyncio.Event()
        self.listening = asyncio.Event()

    def _enqueue(self, hints: Sequence[Hint]) -> None:
        self._pending.add(hints)
        self._wanted.set()

    def _tell(self, notes: Sequence[str]) -> None:
        self._notes = notes
        self._wanted.set()

    def _received_note(self, connection: Any, pid: int, _channel: str, payload: object) -> None:
        if self._heard and pid != connection.get_server_pid():  # Postgres repeats one's own
            self._heard(str(payload))

    def _received(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        with suppress(ValueError, TypeError):
            self.hub.wake([_hint_of(str(payload))])

    async def run(self) -> None:
        """Listen and send for ever; whatever was missed meanwhile, waking everybody makes good."""
        while True:
            try:
                await self._serve_one_connection()
            except OUTAGE as error:
                _log.warning("hints are down, retrying: %s", type(error).__name__)
            self.listening.clear()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _serve_one_connection(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=_BEAT_SECONDS,
            command_timeout=_BEAT_SECONDS,
            server_settings={"application_name": "tocsin-hints"},
        )
        try:
            # A dead connection must end the wait for work, too.
            connection.add_termination_listener(lambda _connection: self._wanted.set())
            await connection.add_listener(_CHANNEL, self._received)
            if self._heard:
                await connection.add_listener(_NOTES, self._received_note)
            self.listening.set()
            self.hub.miss()
            while not connection.is_closed():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_BEAT_SECONDS):
                        await self._wanted.wait()
                self._wanted.clear()
                await self.flush(connection)
        finally:
            connection.terminate()

    async def flush(self, connection: Any) -> None:
        """Send what is pending, if only to be answered; it stays pending if that fails, but for notes."""
        notes, self._notes = self._notes, ()
        if notes:
            await connection.execute(_NOTIFY_NOTES, notes)
        with self._pending.sending() as hints:
            payloads = [orjson.dumps([*inbox, seq]).decode() for inbox, seq in hints.items()]
            await connection.execute(_NOTIFY, payloads)


def _hint_of(payload: str) -> Hint:
    """Read a payload: any role may NOTIFY, and a seq that is no integer would drown out those to come."""
    tenant_id, user_id, seq = orjson.loads(payload)
    if (type(tenant_id), type(user_id), type(seq)) != (str, str, int):
        raise TypeError("not a hint")
    return Hint(tenant_id, user_id, seq)


@asynccontextmanager
async def postgres_hub(url: str, heard: Heard | None = None) -> AsyncIterator[Hub]:
    """Run a hub that reaches the other processes on this database; the last hints are sent on the way out.

    heard: takes the notes of the others.
    """
    relay = PostgresRelay(url, heard)
    task = asyncio.create_task(relay.run())
    try:
        yield relay.hub
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _send_the_rest(relay, url)


async def _send_the_rest(relay: PostgresRelay, url: str) -> None:
    with suppress(*OUTAGE):
        connection = await asyncpg.connect(url, timeout=2, command_timeout=2)
        try:
            await relay.flush(connection)
        finally:
            await connection.close(timeout=2)
