"""Templates that notifications were made from."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, insert, not_, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import preference, template

_t = template.c
_BY_IDS = Read(
    select(template).where(in_tenant(template), _t.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


async def by_ids(reader: Reader, ids: Sequence[UUID]) -> list[Row]:
    """Return those that exist, in no order."""
    return await reader.fetch(_BY_IDS, ids=ids)


_INSERT = Write(
    insert(template).values(
        {
            name: bindparam(name)
            for name in ("id", "name", "kind", "group", "title_template", "body_template", "actions")
        }
        | {"tenant_id": TENANT_ID}
    )
)


async def add(tx: Transaction, id: UUID, **values: Any) -> None:
    """Store a new template: name, kind, group, title_template, body_template, actions."""
    await tx.fetch(_INSERT, id=id, **values)


# -- preferences about templates ---------------------------------------------------------------------------

_named = select(preference.c.template_id).where(
    in_tenant(preference), preference.c.user_id == bindparam("owner_id", type_=Text)
)
_SPECIAL = Read(
    select(template)
    .where(in_tenant(template), or_(not_(_t.enabled_by_default), _t.id.in_(_named)))
    .order_by(_t.name, _t.id)
)
_HOLD = Write(
    select(_t.id)
    .where(in_tenant(template), _t.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .with_for_update(read=True, key_share=True)
)


async def special(reader: Reader, user_id: str) -> list[Row]:
    """Return the templates that a preference of the user names, and those off by default, by name."""
    return await reader.fetch(_SPECIAL, owner_id=user_id)


async def hold(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these exist, and keep them from being deleted until the commit."""
    return {row["id"] for row in await tx.fetch(_HOLD, ids=ids)}
