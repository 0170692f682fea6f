"""Marks: written into the rows they reach, a batch at a time, so that any worker can go on."""

from uuid import UUID

import db.inbox
import db.mark
import db.outbox
from db.session import Database, Scope, Transaction

BATCH = 1_000
"""Rows that one transaction writes: their inbox is locked meanwhile."""


async def settle(database: Database, tenant_id: str, mark_id: UUID, lease: UUID) -> None:
    """Settle a mark as long as it is held under a lease, until it is in all the rows it reaches."""
    # Without an owner it has gone with all else that they had, and only its work is left.
    owner = await db.mark.owner(database.reader(Scope(tenant_id, None)), mark_id)
    while True:
        async with database.transaction(Scope(tenant_id, owner)) as tx:
            if not await _batch(tx, mark_id, lease):
                return


async def _batch(tx: Transaction, mark_id: UUID, lease: UUID) -> bool:
    """Write the next rows; False if nothing is left to do here."""
    if not await db.outbox.hold(tx, lease, [mark_id]):
        return False
    if tx.scope.user_id is not None:
        await db.inbox.lock(tx)
        if await db.mark.settle(tx, mark_id, BATCH):
            return True
    await db.outbox.drop(tx, lease, [mark_id])
    return False
