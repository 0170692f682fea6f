"""The dispatcher: picks what is due, opens it, sends it, has it settled; many at once, and fairly."""

import asyncio
import logging
import random
import time
import traceback
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from structlog.contextvars import bind_contextvars

import db.work
from db.session import OUTAGE, Database, Row
from db.types import ChannelKind, WorkKind
from delivery import fan_out, mark, metrics, verdict
from delivery.hand import Hand
from delivery.opening import Load, Opened, open_held
from delivery.sender import Rejected, Result, Retry, Sender, Sent
from delivery.settler import Settler, Verdict
from live.hub import Waiter
from resolvers.vault import Vault

POLL_SECONDS = 1.0
"""How long work that nobody hinted at may lie."""
_LANES = 500
_RETRY_SECONDS = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many deliveries at once; for how long one is held, may take, and is waited for at the end."""

    concurrency: int
    lease_seconds: float
    timeout_seconds: float
    grace_seconds: float = 10.0


class Dispatcher:
    """One worker's deliveries: lease, render, send, settle. What must last is in the database."""

    def __init__(
        self,
        database: Database,
        senders: Mapping[ChannelKind, Sender],
        vault: Vault,
        pace: Pace,
        waiter: Waiter,
    ) -> None:
        self._database, self._senders, self._vault, self._pace = database, senders, vault, pace
        self._waiter = waiter
        self._hand = Hand(pace.concurrency, lambda: waiter.wake(None))
        self._settler = Settler(database, self._hand.done)
        self._tasks: set[asyncio.Task[None]] = set()
        self._after = ""

    async def run(self) -> None:
        """Work until cancelled; then finish what can be finished in time, and give the rest back."""
        heartbeat = asyncio.create_task(self._beat())
        try:
            while True:
                await self._turn()
        finally:
            await self._wind_down()
            heartbeat.cancel()

    # -- lease ---------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        try:
            picked = await self._pick()
        except OUTAGE as error:
            _log.warning("The outbox cannot be read: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
            return
        # Once around, each tenant has what it may have: until something is done, there is no room for more.
        if not picked or not self._after:
            await self._waiter.moved(POLL_SECONDS)

    async def _pick(self) -> int:
        """Pick as much as there is room for, tenant by tenant, and start on it; return how much that is."""
        rooms = self._hand.rooms(await self._due_tenants())
        if not rooms:
            return 0
        lease, rows = uuid4(), list[Row]()
        try:
            rows = await db.work.pick(self._database, rooms, lease, self._pace.lease_seconds)
        finally:
            self._hand.fill(rooms, lease, [(row["tenant_id"], row["id"]) for row in rows])
        by_tenant: dict[str, list[UUID]] = defaultdict(list)
        for row in rows:
            if row["kind"] == WorkKind.DELIVERY:
                by_tenant[row["tenant_id"]].append(row["id"])
            else:
                self._start(self._finish(WorkKind(row["kind"]), row["tenant_id"], row["id"], lease))
        for tenant_id, ids in by_tenant.items():
            self._start(self._deliver(tenant_id, lease, ids))
        return len(rows)

    async def _due_tenants(self) -> Sequence[str]:
        """Return the next tenants that have something due, going on where the last look ended, once around."""
        from_the_start = not self._after
        while True:
            lanes = await db.work.lanes(self._database, self._after, _LANES)
            self._after = lanes[-1].tenant_id if len(lanes) == _LANES else ""
            due = [lane.tenant_id for lane in lanes if lane.is_due]
            if due or (from_the_start and not self._after):
                return due
            from_the_start = from_the_start or not self._after

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self) -> None:
        """Keep holding what is in hand; what is lost all the same is somebody else's, and settles nothing."""
        while True:
            await asyncio.sleep(self._pace.lease_seconds / 3)
            with suppress(*OUTAGE):
                tenants, leases = self._hand.leases()
                if leases:
                    await db.work.extend(self._database, tenants, leases, self._pace.lease_seconds)

    # -- render --------------------------------------------------------------------------------------------

    async def _deliver(self, tenant_id: str, lease: UUID, ids: Sequence[UUID]) -> None:
        bind_contextvars(tenant=tenant_id)
        try:
            opened = await self._open(tenant_id, lease, ids)
        except OUTAGE as error:
            _log.warning("Deliveries could not be opened: %s", type(error).__name__)
            self._hand.done(lease, ids)  # their lease runs out
            return
        except Exception as error:  # noqa: BLE001  a bug, or a row that nobody foresaw
            if len(ids) > 1:
                # One of them is poisonous. Alone it hurts no other.
                for id in ids:
                    self._start(self._deliver(tenant_id, lease, [id]))
                return
            _tell("could not be prepared", ids[0], error)
            self._settler.put(tenant_id, [verdict.of_poison(ids[0], lease)])
            return
        going_on = {id for load in opened.loads for id in load.deliveries}
        if opened.settlements:
            going_on |= {settlement.id for settlement in opened.settlements}
            self._settler.put(tenant_id, map(Verdict, opened.settlements))
        self._hand.done(lease, [id for id in ids if id not in going_on])
        for load in opened.loads:
            self._start(self._carry(tenant_id, lease, load))

    async def _open(self, tenant_id: str, lease: UUID, ids: Sequence[UUID]) -> Opened:
        return await open_held(self._database, self._vault, tenant_id, lease, self._pace.lease_seconds, ids)

    # -- send ----------------------------------------------------------------------------------------------

    async def _carry(self, tenant_id: str, lease: UUID, load: Load) -> None:
        bind_contextvars(delivery_id=str(load.parcel.id))  # beside the tenant, which `_deliver` has bound
        began = time.monotonic()
        result = await self._send(load)
        duration_ms = round((time.monotonic() - began) * 1000)
        metrics.observe(load, result)
        if not isinstance(result, Sent):
            _log.info("An attempt by %s failed, status %s: %s", load.kind, result.status_code, result.error)
        self._hand.sent(lease, load.deliveries)
        self._settler.put(
            tenant_id,
            verdict.of_load(load, lease, result, duration_ms, random.random()),  # noqa: S311  jitter
        )

    async def _send(self, load: Load) -> Result:
        sender = self._senders.get(load.kind)
        if sender is None:
            return Rejected(f"This deployment is not set up to send {load.kind}.")
        try:
            async with asyncio.timeout(self._pace.timeout_seconds):
                return await sender.send(load.parcel)
        except TimeoutError:
            return Retry("The receiver did not answer in time.")
        except Exception as error:  # noqa: BLE001  a bug of a sender hurts this delivery only
            _tell("could not be sent", load.parcel.id, error)
            return Retry("Tocsin failed to send it.")

    # -- requests and marks --------------------------------------------------------------------------------

    async def _finish(self, kind: WorkKind, tenant_id: str, id: UUID, lease: UUID) -> None:
        bind_contextvars(tenant=tenant_id, work_id=str(id))
        run = fan_out.spread if kind == WorkKind.REQUEST else mark.settle
        try:
            await run(self._database, tenant_id, id, lease)
        except Exception as error:  # noqa: BLE001  its lease runs out, and it is tried again then
            _tell(f"({kind}) could not be finished", id, error)
        finally:
            self._hand.done(lease, [id])

    # -- the end -------------------------------------------------------------------------------------------

    async def _wind_down(self) -> None:
        """Wait for what is under way, settle it, and release what is not done."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.grace_seconds):
                while self._tasks:
                    await asyncio.wait([*self._tasks])
                await self._settler.flush()
        for task in [*self._tasks]:
            task.cancel()
        tenants, leases = self._hand.leases()
        if leases:
            with suppress(*OUTAGE):
                await db.work.release(self._database, tenants, leases)


def _tell(what: str, id: UUID, error: Exception) -> None:
    """Log where something went wrong; not what the error says, for that may hold an address or a secret."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s %s: %s\n%s", id, what, type(error).__name__, where)
