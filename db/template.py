"""Templates that notifications are made from: the shipped ones, and the tenant's own."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, delete, func, insert, not_, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.system_template import SYSTEM_TEMPLATES, SystemTemplate
from db.tables import preference, template
from db.types import TemplateKind

_t = template.c
_CUSTOM = TemplateKind.CUSTOM.value
_BY_IDS = Read(
    select(template).where(in_tenant(template), _t.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)
_ALL = Read(
    select(template)
    .where(in_tenant(template))
    .order_by(_t.kind.desc(), _t.group.nulls_last(), _t.name, _t.id)  # SYSTEM first
)
_COUNT_CUSTOM = Read(
    select(func.count().label("total")).where(in_tenant(template), _t.kind == _CUSTOM).select_from(template)
)


async def by_ids(source: Source, ids: Sequence[UUID]) -> list[Row]:
    """Return those that exist, in no order."""
    return await source.fetch(_BY_IDS, ids=ids)


async def of_tenant(reader: Reader) -> Sequence[Row | SystemTemplate]:
    """Return all, the shipped ones first, then by group and name.

    A tenant that nothing was ever stored for has the shipped ones too, though no rows yet.
    """
    return await reader.fetch(_ALL) or sorted(SYSTEM_TEMPLATES, key=lambda it: (it.group, it.name))


async def count_custom(source: Source) -> int:
    """Return how many templates of its own the tenant has."""
    row = await source.one(_COUNT_CUSTOM)
    return row["total"] if row else 0


# -- changing ----------------------------------------------------------------------------------------------

_COLUMNS = tuple(column.name for column in template.columns if column.name != "tenant_id")
_INSERT = Write(
    insert(template)
    .values({name: bindparam(name, type_=_t[name].type) for name in _COLUMNS} | {"tenant_id": TENANT_ID})
    .returning(template)
)
_this = (in_tenant(template), _t.id == bindparam("this", type_=Uuid))
_LOCK = Write(select(template).where(*_this).with_for_update())
_DELETE = Write(delete(template).where(*_this))


@lru_cache
def _update_statement(names: tuple[str, ...]) -> Write:
    values = {name: bindparam(name, type_=_t[name].type) for name in names}
    return Write(update(template).where(*_this).values(values).returning(template))


async def add(tx: Transaction, id: UUID, **values: Any) -> Row:
    """Store a new template, by its columns, and return it; it is CUSTOM unless said otherwise."""
    unless_given: dict[str, Any] = {
        "kind": _CUSTOM,
        "group": None,
        "method": None,
        "actions": [],
        "enabled_by_default": True,
    }
    return await tx.only(_INSERT, id=id, **{**unless_given, **values})


async def lock(tx: Transaction, id: UUID) -> Row | None:
    """Return a template, if it exists, and hold it until the commit."""
    return await tx.one(_LOCK, this=id)


async def change(tx: Transaction, id: UUID, values: Mapping[str, Any]) -> Row:
    """Change columns of a template that is there, and return it as it is then."""
    return await tx.only(_update_statement(tuple(sorted(values))), this=id, **values)


async def remove(tx: Transaction, id: UUID) -> None:
    """Delete a template, with the preferences about it; notifications made from it stay, without one."""
    await tx.fetch(_DELETE, this=id)


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
