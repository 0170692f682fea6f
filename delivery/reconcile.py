"""Reconcile: whether each inbox's counters say what its rows say. They must; this proves it."""

import logging
from collections.abc import AsyncIterator

import db.inbox
import db.reconcile
import db.tenant
from db.reconcile import Drift
from db.session import Database, Scope

_USERS = 200
_log = logging.getLogger(__name__)


async def run(database: Database, *, repair: bool) -> list[Drift]:
    """Check all inboxes of all tenants; return the drifts found, mended if `repair`."""
    found: list[Drift] = []
    for tenant_id in await db.tenant.ids(database):
        found += await tenant(database, tenant_id, repair=repair)
    return found


async def tenant(database: Database, tenant_id: str, *, repair: bool) -> list[Drift]:
    """Check a tenant's inboxes. Many are looked at without a lock; who seems to drift, again under it."""
    found: list[Drift] = []
    async for user_id in _suspects(database, tenant_id):
        async with database.transaction(Scope(tenant_id, user_id)) as tx:
            await db.inbox.lock(tx)
            drifts = await db.reconcile.drifts(tx, [user_id])
            if repair:
                await db.reconcile.mend(tx, drifts)
        for drift in drifts:
            _tell(tenant_id, drift, repair=repair)
        found += drifts
    return found


async def _suspects(database: Database, tenant_id: str) -> AsyncIterator[str]:
    reader = database.reader(Scope(tenant_id, None))
    last = ""
    while users := await db.reconcile.users(reader, last, _USERS):
        last = users[-1]
        for user_id in sorted({drift.user_id for drift in await db.reconcile.drifts(reader, users)}):
            yield user_id


def _tell(tenant_id: str, drift: Drift, *, repair: bool) -> None:
    _log.error(
        "drift in tenant %s, inbox of %s, %s: recorded %s, counted %s%s",
        tenant_id,
        drift.user_id,
        f"type {drift.type}, category {drift.category}" if drift.type else "as a whole",
        tuple(drift.recorded),
        tuple(drift.counted),
        ", mended" if repair else "",
    )
