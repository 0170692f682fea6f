"""The notification types that a tenant knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Text, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from db.patch import Patch
from db.session import Row, Source, Transaction
from db.statement import Read, in_tenant
from db.tables import notification_type

_KNOWN = Read(
    select(notification_type.c.name).where(
        in_tenant(notification_type),
        notification_type.c.name == any_(bindparam("names", type_=ARRAY(Text))),
    )
)


async def known(reader: Source, names: Sequence[str]) -> set[str]:
    """Return which of these types the tenant knows."""
    return {row["name"] for row in await reader.fetch(_KNOWN, names=names)}


_LIST = Read(select(notification_type).where(in_tenant(notification_type)).order_by(notification_type.c.name))
_PATCH = Patch(
    notification_type,
    "name",
    ("category", "icon", "enabled_by_default", "required"),
    fresh=("category",),
)


async def all_of_tenant(reader: Source) -> list[Row]:
    """Return every type that the tenant knows, by name."""
    return await reader.fetch(_LIST)


async def upsert(
    tx: Transaction, patches: Mapping[str, Mapping[str, Any]], categories: Sequence[str]
) -> list[Row]:
    """Store types: by name, the columns to set; categories: what each has if it is new.

    Return them in the order given. What is stored of their notifications stays as it is.
    """
    return await _PATCH.apply(tx, patches, category=categories)
