"""Turns: who first looks and then writes in a tenant must not be overtaken in between."""

from sqlalchemy import Text, bindparam, func, select

from db.session import Transaction
from db.statement import Write
from db.tables import SCHEMA

_TENANT = getattr(func, SCHEMA).current_tenant()
_TAKE = Write(
    select(
        func.pg_advisory_xact_lock(
            # The context's tenant, so that this, too, is refused outside a transaction of one.
            func.hashtextextended(func.concat_ws("/", bindparam("noun", type_=Text), _TENANT), 0)
        )
    )
)


async def take(tx: Transaction, noun: str) -> None:
    """Wait until nobody else has the tenant's turn for a noun, and keep it until the transaction ends."""
    await tx.fetch(_TAKE, noun=noun)
