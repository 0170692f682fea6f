"""Cleanup: tenant by tenant, what time has overtaken goes, a small transaction at a time."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import asyncpg

import db.cleanup
import db.mark
import db.tenant
from db.session import Database, Scope, Transaction
from delivery import reconcile
from delivery.metrics import DRIFTS

BATCH = 1_000
"""Rows that one transaction takes."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Report:
    """What a cleanup did: rows purged and expired, what was dropped from the logs, marks and drifts found."""

    purged: int = 0
    expired: int = 0
    events: int = 0
    deliveries: int = 0
    requests: int = 0
    audit: int = 0
    marks: int = 0
    drifts: int = 0


class Days(NamedTuple):
    """For how long what is over stays: events, deliveries with their requests, entries of the audit log."""

    events: int
    deliveries: int
    audit: int


async def run(database: Database, days: Days) -> Report:
    """Clean every tenant up. What one tenant's data forbids is logged and stops no other tenant."""
    total = Report()
    for tenant_id in await db.tenant.ids(database):
        await _tenant(database, tenant_id, days, total)
    DRIFTS.inc(total.drifts)
    _log.info("cleanup: %s", ", ".join(f"{it.name} {getattr(total, it.name)}" for it in fields(total)))
    return total


async def _tenant(database: Database, tenant_id: str, days: Days, total: Report) -> None:
    try:
        total.purged += await purge(database, tenant_id)
        total.events += await drop_events(database, tenant_id, days.events)
        total.deliveries += await drop_deliveries(database, tenant_id, days.deliveries)
        total.requests += await drop_requests(database, tenant_id, days.deliveries)
        total.audit += await drop_audit(database, tenant_id, days.audit)
        async with database.transaction(Scope(tenant_id, None)) as tx:
            total.marks += await db.mark.find(tx)
        total.drifts += len(await reconcile.tenant(database, tenant_id, repair=False))
        total.expired += await expire(database, tenant_id)
    except asyncpg.IntegrityConstraintViolationError:
        _log.exception("cleanup of tenant %s ended early", tenant_id)


async def purge(database: Database, tenant_id: str) -> int:
    """Remove for good what was deleted longer ago than the tenant retains; return how many rows."""
    return await _drain(database, Scope(tenant_id, None), lambda tx: db.cleanup.purge(tx, BATCH))


async def expire(database: Database, tenant_id: str) -> int:
    """Delete rows older than the tenant keeps, user by user; return how many."""
    users = await db.cleanup.users_with_old_rows(database.reader(Scope(tenant_id, None)))
    return sum(
        [
            await _drain(database, Scope(tenant_id, user_id), lambda tx: db.cleanup.expire(tx, BATCH))
            for user_id in users
        ]
    )


async def drop_events(database: Database, tenant_id: str, days: int) -> int:
    """Shorten the event logs to `days`, user by user; return how many events went."""
    users = await db.cleanup.users_with_old_events(database.reader(Scope(tenant_id, None)), days)
    return sum(
        [
            await _drain(
                database, Scope(tenant_id, user_id), lambda tx: db.cleanup.drop_events(tx, days, BATCH)
            )
            for user_id in users
        ]
    )


async def drop_deliveries(database: Database, tenant_id: str, days: int) -> int:
    """Take deliveries that are over out of the log after `days`; return how many."""
    return await _drain(
        database, Scope(tenant_id, None), lambda tx: db.cleanup.drop_deliveries(tx, days, BATCH)
    )


async def drop_requests(database: Database, tenant_id: str, days: int) -> int:
    """Forget requests that are done after `days`, once all their deliveries are gone; return how many."""
    return await _drain(
        database, Scope(tenant_id, None), lambda tx: db.cleanup.drop_requests(tx, days, BATCH)
    )


async def drop_audit(database: Database, tenant_id: str, days: int) -> int:
    """Shorten the audit log to `days`; return how many entries went."""
    return await _drain(database, Scope(tenant_id, None), lambda tx: db.cleanup.drop_audit(tx, days, BATCH))


async def _drain(database: Database, scope: Scope, step: Callable[[Transaction], Awaitable[int]]) -> int:
    """Take a step, a transaction each, until one no longer fills its batch; return the sum."""
    total, taken = 0, BATCH
    while taken == BATCH:
        async with database.transaction(scope) as tx:
            taken = await step(tx)
        total += taken
    return total
