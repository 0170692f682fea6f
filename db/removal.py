"""Users whom the host application has removed: what they had is erased, and when is remembered."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Integer, Text, bindparam, cast, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, array

from db.inbox import lock
from db.preference import lock as lock_preferences
from db.session import Reader, Row, Source, Transaction
from db.statement import TENANT_ID, USER_ID, Read, Write, in_tenant, owned
from db.tables import (
    delivery,
    due,
    event,
    inbox,
    inbox_count,
    mark,
    notification,
    preference,
    recipient,
    removal,
    request,
)
from db.types import Counters, RequestStatus

_who = (in_tenant(recipient), recipient.c.id == USER_ID)
_IS_KNOWN = Read(
    select(
        or_(
            exists(select(recipient.c.id).where(*_who)),
            exists(select(inbox.c.user_id).where(owned(inbox))),
            exists(select(preference.c.id).where(owned(preference))),
        ).label("known")
    )
)
# What was said to nobody else goes with its deliveries, and those with their attempts. The outbox holds ids
# only: a worker drops what is no longer there.
_to_nobody_else = (in_tenant(request), request.c.recipient_ids == cast(array([USER_ID]), ARRAY(Text)))
# Workers hold the outbox's rows, in this order, before they touch deliveries.
_HOLD_WORK = Write(
    select(due.c.id)
    .where(in_tenant(due), in_tenant(delivery), due.c.id == delivery.c.id, delivery.c.user_id == USER_ID)
    .order_by(due.c.id)
    .with_for_update(of=due)
)
# Before the inbox is locked: a worker that fans one out locks it first, and then the inbox.
_TAKE_BACK = Write(delete(request).where(*_to_nobody_else))
_ERASE = (
    # Those made while the inbox was waited for. One that is not done yet is later than the removal.
    Write(delete(request).where(*_to_nobody_else, request.c.status == RequestStatus.DONE.value)),
    Write(delete(delivery).where(in_tenant(delivery), delivery.c.user_id == USER_ID)),
    *(
        Write(delete(table).where(owned(table)))
        for table in (notification, mark, inbox_count, event, preference)
    ),
    Write(delete(recipient).where(*_who)),
)
_BURY = Write(
    update(inbox)
    .where(owned(inbox))
    .values(epoch=inbox.c.epoch + 1, seq=0, **dict.fromkeys(Counters._fields, 0))
)
# The clock and not now(): the locks may have taken long, and the tokens issued meanwhile must go too.
_insert = postgresql.insert(removal).values(tenant_id=TENANT_ID, user_id=USER_ID, at=func.clock_timestamp())
_REMEMBER = Write(
    _insert.on_conflict_do_update(index_elements=["tenant_id", "user_id"], set_={"at": _insert.excluded.at})
)
_NEWEST = Read(
    select(removal.c.user_id, removal.c.at)
    .where(in_tenant(removal))
    .order_by(removal.c.at.desc())
    .limit(bindparam("limit", type_=Integer))
)
_OF = Read(
    select(removal.c.at).where(in_tenant(removal), removal.c.user_id == bindparam("owner_id", type_=Text))
)


async def erase(tx: Transaction) -> bool:
    """Erase the scope's user; False, and nothing changed, if the tenant never heard of them.

    The inbox row is locked, as by everybody who changes an inbox, and stays, empty and in the next epoch,
    so that cursors of the earlier life ask for a resync.
    """
    known = await tx.one(_IS_KNOWN)
    if not known or not known["known"]:
        return False
    await tx.fetch(_HOLD_WORK)
    await tx.fetch(_TAKE_BACK)
    await lock(tx)
    await lock_preferences(tx, str(tx.scope.user_id))
    for statement in (*_ERASE, _BURY, _REMEMBER):
        await tx.fetch(statement)
    return True


async def newest(reader: Reader, limit: int) -> Sequence[Row]:
    """Return (user_id, at) of the tenant's latest removals, the latest first."""
    return await reader.fetch(_NEWEST, limit=limit)


async def of(source: Source, user_id: str) -> datetime | None:
    """Return when a user was last removed, if ever."""
    row = await source.one(_OF, owner_id=user_id)
    return row["at"] if row else None
