"""Hints between processes over NATS: a subject for each inbox, seqs only, coalesced.

Who uses NATS does not hear who uses LISTEN, and the other way round: the processes of a database use the same.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from db.session import Hint
from live.hub import Heard, Hub, Inbox
from live.interests import REVOCATIONS, Interests, subject_of
from live.nats_connection import OUTAGE, PATIENCE_SECONDS, Connection, connected, reason
from live.pending import Pending

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 0.25
_LONGEST_RETRY_SECONDS = 5.0
_BEAT_SECONDS = 5.0
"""How often at least the server must answer; and what nobody has waited for in two of these is let go."""
_WARN_SECONDS = 60.0
_AT_A_TIME = 500
"""Commands of a kind for one round trip: the loop has other things to do, too."""
_DIGITS = 19
_NOTES = "tocsin.notes"


class NatsRelay:
    """Carries hints, and notes to who hears them; when the connection breaks it makes a new one."""

    def __init__(self, urls: Sequence[str], heard: Heard | None = None) -> None:
        self.hub = Hub(self._enqueue, self._begin, self._end, self._tell)
        self._heard = heard
        self._notes: Sequence[str] = ()
        self.connected = asyncio.Event()
        self._urls = urls
        self._pending = Pending()
        self._interests = Interests()
        self._wanted = asyncio.Event()
        self._tidy_at = 0.0
        self._quiet_until = 0.0

    def _enqueue(self, hints: Sequence[Hint]) -> None:
        self._pending.add(hints)
        self._wanted.set()

    def _tell(self, notes: Sequence[str]) -> None:
        self._notes = notes
        self._wanted.set()

    def _begin(self, inbox: Inbox) -> None:
        self._interests.begin(inbox)
        self._wanted.set()

    def _end(self, inbox: Inbox) -> None:
        self._interests.end(inbox)

    def heard(self, subject: str, payload: bytes) -> None:
        """Wake who waits: whoever may publish could send anything, and what is no seq is dropped."""
        if subject == _NOTES:
            if self._heard:
                self._heard(payload.decode(errors="replace"))
            return
        inbox = self._interests.of(subject)
        if inbox and payload.isdigit() and len(payload) <= _DIGITS:
            self.hub.wake([Hint(*inbox, int(payload))])

    def lost(self) -> None:
        """End the wait for work: the next command shows that the connection is gone."""
        self._wanted.set()

    def failed(self, error: Exception) -> None:
        """Warn, once a minute at most."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + _WARN_SECONDS
            _log.warning("hints are down, retrying: %s", reason(error))

    async def run(self) -> None:
        """Listen and send for ever; whatever was missed meanwhile is swept."""
        pause = _RETRY_SECONDS
        while True:
            try:
                await self._serve_one_connection()
            except OUTAGE as error:
                self.failed(error)
            pause = _RETRY_SECONDS if self.connected.is_set() else min(2 * pause, _LONGEST_RETRY_SECONDS)
            self.connected.clear()
            # All processes lose a server at once, and should not all come back at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  jitter

    async def _serve_one_connection(self) -> None:
        async with connected(self._urls, self) as connection:
            await connection.listen(REVOCATIONS)
            if self._heard:
                await connection.listen(_NOTES)
            self._interests.restart()
            await self._exchange(connection)
            while self._interests.untold:
                await self._exchange(connection)
            self.connected.set()
            self.hub.miss()
            while True:
                await self._work()
                await self._exchange(connection)

    async def _work(self) -> None:
        """Return when there is something to tell, or that the server must show that it is there."""
        if not (self._interests.untold or self._pending or self._notes):
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await self._wanted.wait()
        self._wanted.clear()
        now = asyncio.get_running_loop().time()
        if now >= self._tidy_at:
            self._tidy_at = now + _BEAT_SECONDS
            self._interests.tidy()

    async def _exchange(self, connection: Connection) -> None:
        """Tell the server what is new, in one round trip. Hints stay pending if that fails."""
        for number in self._interests.next_leaving(_AT_A_TIME):
            await connection.forget(number)
        new = self._interests.next_new(_AT_A_TIME)
        for subject in new:
            self._interests.subscribed(subject, await connection.listen(subject))
        await self.flush(connection)
        # A hint between their first read and now may have gone by: they must look again.
        self.hub.recheck(filter(None, (self._interests.of(it) for it, again in new.items() if again)))

    async def flush(self, connection: Connection) -> None:
        """Send what is pending, and wait until the server has all that it was told."""
        notes, self._notes = self._notes, ()
        for note in notes:
            await connection.publish(_NOTES, note.encode())
        with self._pending.sending(_AT_A_TIME) as hints:
            for inbox, seq in hints.items():
                await connection.publish(subject_of(inbox), b"%d" % seq)
            await connection.settle()

    async def send_the_rest(self) -> None:
        """Send what is pending on a connection of its own, if that is quick."""
        if not self._pending:
            return
        with suppress(*OUTAGE):
            async with asyncio.timeout(PATIENCE_SECONDS), connected(self._urls, self) as connection:
                while self._pending:
                    await self.flush(connection)


@asynccontextmanager
async def nats_hub(urls: str, heard: Heard | None = None) -> AsyncIterator[Hub]:
    """Run a hub that reaches the other processes on NATS; the last hints are sent on the way out.

    urls: of one server or several of a cluster, with commas between: nats:// or, always encrypted, tls://,
    with USER:PASSWORD@ or TOKEN@ percent-encoded. An account of NATS is for one database: hints do not name it.
    heard: takes the notes of the others.
    """
    relay = NatsRelay(urls.split(","), heard)
    task = asyncio.create_task(relay.run())
    try:
        yield relay.hub
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await relay.send_the_rest()
