"""What a tenant has set; without a row, the defaults."""

from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql

from db.session import Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import settings


class Settings(NamedTuple):
    """Whether nothing leaves, and for how many days rows stay; inbox_days None: for ever."""

    notifier_paused: bool = False
    retention_days: int = 90
    inbox_days: int | None = None


_MINE = Read(select(*(settings.c[name] for name in Settings._fields)).where(in_tenant(settings)))
_insert = postgresql.insert(settings).values(
    {name: bindparam(name, type_=settings.c[name].type) for name in Settings._fields}
    | {"tenant_id": TENANT_ID}
)
_UPSERT = Write(
    _insert.on_conflict_do_update(
        index_elements=["tenant_id"],
        set_={name: _insert.excluded[name] for name in Settings._fields} | {"updated_at": func.now()},
    )
)


async def of_tenant(source: Source) -> Settings:
    """Return the settings of the scope's tenant."""
    row = await source.one(_MINE)
    return Settings(**row) if row else Settings()


async def store(tx: Transaction, changed: Settings) -> None:
    """Store the settings of a tenant that is known."""
    await tx.fetch(_UPSERT, **changed._asdict())
