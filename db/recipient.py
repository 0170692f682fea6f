"""The tenant's directory of people."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Text, bindparam, or_, select

from db.patch import Patch
from db.session import Reader, Row, Source, Transaction
from db.statement import Read, in_tenant
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
_PATCH = Patch(recipient, "id", ("email", "name", "timezone"))


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


_EXISTS = Read(select(_r.id).where(in_tenant(recipient), _r.id == _WHO))


async def exists(source: Source, id: str) -> bool:
    """Tell whether somebody is in the directory: everybody who was ever notified, unless removed since."""
    return await source.one(_EXISTS, who=id) is not None


async def upsert(tx: Transaction, patches: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Store what is known of people: by id, the columns to set. Return them in the order given."""
    return await _PATCH.apply(tx, patches)
