"""Which tenants there are: the one thing that is read without a tenant."""

from sqlalchemy import select

from db.session import Database
from db.statement import Statement
from db.tables import tenant

_IDS = Statement(select(tenant.c.id).order_by(tenant.c.id))


async def ids(database: Database) -> list[str]:
    """Return the ids of all tenants, in order; whoever works for one enters it."""
    return [row["id"] for row in await database.pool.fetch(_IDS.text)]
