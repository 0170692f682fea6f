"""The templates that every tenant has: shipped with the code, read-only for clients."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql

from db.session import Transaction
from db.statement import TENANT_ID, Write
from db.tables import template
from db.types import TemplateKind


class SystemTemplate(NamedTuple):
    """A shipped template; its id is the same in every tenant and never changes."""

    id: UUID
    name: str
    group: str
    title_template: str
    body_template: str
    kind: str = TemplateKind.SYSTEM.value
    method: str | None = None
    actions: Sequence[Mapping[str, str]] = ()
    enabled_by_default: bool = True


SYSTEM_TEMPLATES = (
    SystemTemplate(
        UUID("6f2a6c1e-5d2b-4f0e-9d3a-1f6f0a2b7c01"),
        "Test notification",
        "Tocsin",
        "A test from Tocsin",
        "If you can read this, the channel **{{ channel }}** works.",
    ),
    SystemTemplate(
        UUID("6f2a6c1e-5d2b-4f0e-9d3a-1f6f0a2b7c02"),
        "Announcement",
        "Tocsin",
        "{{ title }}",
        "{{ body }}",
    ),
    SystemTemplate(
        UUID("6f2a6c1e-5d2b-4f0e-9d3a-1f6f0a2b7c03"),
        "Channel disabled",
        "Tocsin",
        "The channel {{ channel }} was switched off",
        "Its receiver refused every delivery: {{ reason }}",
    ),
)

_insert = postgresql.insert(template).values(
    {name: bindparam(name, type_=template.c[name].type) for name in SystemTemplate._fields}
    | {"tenant_id": TENANT_ID}
)
_UPSERT = Write(
    _insert.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={name: _insert.excluded[name] for name in SystemTemplate._fields if name != "id"},
    )
)


async def install(tx: Transaction) -> None:
    """Give the scope's tenant the shipped templates as this code has them."""
    await tx.many(_UPSERT, [shipped._asdict() for shipped in SYSTEM_TEMPLATES])
