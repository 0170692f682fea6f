"""Epochs: after a restore all inboxes begin another, and so a cursor of the future that was lost is known for one.

An epoch is at least the minutes since 1970, by the database's clock, and not merely the next number: if the same
backup is restored twice, or a user was removed in the lost future, the next number has been before.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Integer, Text, any_, bindparam, cast, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

import db.tenant
from db.reconcile import users as some_users
from db.session import Database, Scope
from db.statement import Statement, Write, in_tenant
from db.tables import SCHEMA, inbox

_USERS = 1_000
_NEXT = Statement(select(cast(func.extract("epoch", func.now()) / 60, Integer).label("epoch")))
# In the order in which everybody locks several inboxes.
_held = (
    select(inbox.c.user_id)
    .where(in_tenant(inbox), inbox.c.user_id == any_(bindparam("users", type_=ARRAY(Text))))
    .order_by(inbox.c.user_id)
    .with_for_update()
    .cte("held")
)
_BEGIN = Write(
    update(inbox)
    .values(epoch=func.greatest(inbox.c.epoch + 1, bindparam("new_epoch", type_=Integer)))
    .where(in_tenant(inbox), inbox.c.user_id == _held.c.user_id)
)


class Begun(NamedTuple):
    """How many inboxes are in a new epoch, and of how many tenants."""

    inboxes: int
    tenants: int


async def begin(database: Database) -> Begun:
    """Begin a new epoch in all inboxes, as the tables' owner; a transaction for each thousand of a tenant.

    First for those to come: an inbox that was made in the lost future may be made again.
    """
    epoch = int(await database.pool.fetchval(_NEXT.text, *_NEXT.arguments({})))
    await database.pool.execute(f"alter table {SCHEMA}.inbox alter column epoch set default {epoch}")
    tenants = await db.tenant.ids(database)
    return Begun(sum([await _begin(database, tenant_id, epoch) for tenant_id in tenants]), len(tenants))


async def _begin(database: Database, tenant_id: str, epoch: int) -> int:
    scope = Scope(tenant_id, None)
    begun, last = 0, ""
    while users := await some_users(database.reader(scope), last, _USERS):
        await _begin_of(database, scope, users, epoch)
        begun, last = begun + len(users), users[-1]
    return begun


async def _begin_of(database: Database, scope: Scope, users: Sequence[str], epoch: int) -> None:
    async with database.transaction(scope) as tx:
        await tx.fetch(_BEGIN, users=list(users), new_epoch=epoch)
