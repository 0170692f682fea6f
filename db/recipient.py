"""The tenant's directory of people."""

from sqlalchemy import Text, bindparam, or_, select
from sqlalchemy.dialects import postgresql

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import recipient

_r = recipient.c
_WHO = bindparam("who", type_=Text)
# An id wins over a name: names are not unique.
_FIND = Read(
    select(recipient)
    .where(in_tenant(recipient), or_(_r.id == _WHO, _r.name == _WHO))
    .order_by((_r.id == _WHO).desc(), _r.id)
    .limit(2)
)
_columns = ("id", "email", "name", "timezone")
_upsert = postgresql.insert(recipient).values(
    {name: bindparam(name, type_=recipient.c[name].type) for name in _columns} | {"tenant_id": TENANT_ID}
)
_UPSERT = Write(
    _upsert.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={name: _upsert.excluded[name] for name in ("email", "name", "timezone")},
    )
)


async def find(reader: Reader, id_or_name: str) -> list[Row]:
    """Return whom an id, or else a name, means: none, one, or the first two of several of that name."""
    rows = await reader.fetch(_FIND, who=id_or_name)
    return [row for row in rows if row["id"] == id_or_name] or rows


_TIMEZONE = Read(select(_r.timezone).where(in_tenant(recipient), _r.id == _WHO))


async def timezone(reader: Reader, id: str) -> str | None:
    """Return a person's zone, if it is known."""
    row = await reader.one(_TIMEZONE, who=id)
    known: str | None = row["timezone"] if row else None
    return known


async def upsert(tx: Transaction, id: str, email: str | None, name: str | None, timezone: str | None) -> None:
    """Store what is known of a person."""
    await tx.fetch(_UPSERT, id=id, email=email, name=name, timezone=timezone)
