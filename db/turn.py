"""Turns: who first looks and then writes in a tenant must not be overtaken in between."""

from sqlalchemy import Text, bindparam, func, select

from db.session import Transaction
from db.statement import TENANT_ID, Write

_TAKE = Write(
    select(
        func.pg_advisory_xact_lock(
            func.hashtextextended(func.concat_ws("/", bindparam("noun", type_=Text), TENANT_ID), 0)
        )
    )
)


async def take(tx: Transaction, noun: str) -> None:
    """Wait until nobody else has the tenant's turn for a noun, and keep it until the transaction ends."""
    await tx.fetch(_TAKE, noun=noun)
