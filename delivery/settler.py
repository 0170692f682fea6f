"""Settling: what became of deliveries is written, a transaction for all of a tenant's that wait for it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple
from uuid import UUID

import db.channel
import db.outbox
from db.outbox import Settlement
from db.session import OUTAGE, Database, Scope
from delivery.metrics import LEASES_LOST

_GATHER_SECONDS = 0.1
_RETRY_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """What became of a delivery, and the channel that is to be switched off for it, if any."""

    settlement: Settlement
    gone: UUID | None = None


class Settler:
    """Writes verdicts; while one transaction runs those that come meanwhile wait for the next.

    A database that is away is waited for: whether a result still counts then is the lease's to say.
    """

    def __init__(self, database: Database, done: Callable[[UUID, Collection[UUID]], None]) -> None:
        self._database, self._done = database, done
        self._waiting: dict[str, list[Verdict]] = defaultdict(list)
        self._running: dict[str, asyncio.Task[None]] = {}

    def put(self, tenant_id: str, verdicts: Iterable[Verdict]) -> None:
        """Have verdicts written soon."""
        self._waiting[tenant_id] += verdicts
        if tenant_id not in self._running:
            self._running[tenant_id] = asyncio.create_task(self._write_all(tenant_id))

    async def flush(self) -> None:
        """Return when all is written."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def _write_all(self, tenant_id: str) -> None:
        try:
            while tenant_id in self._waiting:
                # A transaction costs the same for one as for many, and nobody waits for this.
                await asyncio.sleep(_GATHER_SECONDS)
                verdicts = self._waiting.pop(tenant_id)
                await self._write(tenant_id, verdicts)
                for settlement, _gone in verdicts:
                    self._done(settlement.lease, [settlement.id])
        finally:
            del self._running[tenant_id]

    async def _write(self, tenant_id: str, verdicts: list[Verdict]) -> None:
        while True:
            try:
                async with self._database.transaction(Scope(tenant_id, None)) as tx:
                    settled = await db.outbox.settle(tx, [verdict.settlement for verdict in verdicts])
                    for verdict in verdicts:
                        if verdict.gone and verdict.settlement.id in settled:
                            await db.channel.switch_off(tx, verdict.gone)
            except OUTAGE as error:
                _log.warning("Results wait for the database: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                LEASES_LOST.inc(len(verdicts) - len(settled))
                return
