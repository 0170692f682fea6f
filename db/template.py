"""Templates that notifications were made from."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import template

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
