"""Requests to many: fanned out a batch at a time, each batch a transaction, so that any worker can go on."""

from collections.abc import Sequence
from uuid import UUID

import db.inbox
import db.outbox
import db.request
from db.session import Database, Row, Scope, Transaction
from db.types import RequestStatus
from resolvers.fan_out import fan_out

BATCH = 250
"""Recipients that one transaction takes: their inboxes are locked meanwhile."""


async def spread(database: Database, tenant_id: str, request_id: UUID, lease: UUID) -> None:
    """Fan a request out as long as it is held under a lease, until everybody has had it."""
    while True:
        async with database.transaction(Scope(tenant_id, None)) as tx:
            if not await _batch(tx, request_id, lease):
                return


async def _batch(tx: Transaction, request_id: UUID, lease: UUID) -> bool:
    """Take the next recipients; False if nothing is left to do here."""
    if not await db.outbox.hold(tx, lease, [request_id]):
        return False
    row = await db.request.lock(tx, request_id)
    users = await _next(tx, row) if row and row.status != RequestStatus.DONE else []
    if row and users:
        await _give(tx, row, users)
        return True
    if row:
        await db.inbox.add_tenant(tx)  # who told nobody is a tenant, too: cleanup must find the request
        await db.request.finish(tx, request_id)
    await db.outbox.drop(tx, lease, [request_id])
    return False


async def _next(tx: Transaction, row: Row) -> Sequence[str]:
    if row.recipient_ids is None:
        return await db.request.next_of_everyone(tx, row, BATCH)
    # Code points and UTF-8 sort alike, as the database's collation C does.
    return [id for id in sorted(set(row.recipient_ids)) if id > row.position][:BATCH]


async def _give(tx: Transaction, row: Row, users: Sequence[str]) -> None:
    tally = await fan_out(tx, row, users)
    await db.request.advance(
        tx,
        row.id,
        status=RequestStatus.FANNING_OUT,
        category=tally.category,
        position=users[-1],
        done=len(users),
        created=len(tally.notification_ids),
        suppressed=tally.suppressed,
        notification_ids=[],
    )
