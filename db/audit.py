"""The audit log: what admins changed, an entry in the transaction of each change."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Text, any_, bindparam, insert
from sqlalchemy.dialects.postgresql import ARRAY

from db.listing import Listing
from db.session import Transaction
from db.statement import TENANT_ID, Write
from db.tables import audit

_a = audit.c


class Entry(NamedTuple):
    """That an admin called a mutation, and what it changed: names of fields, never what is in them."""

    id: UUID
    admin: str
    action: str
    subject: str | None
    subject_name: str | None
    changed: Sequence[str]


_INSERT = Write(
    insert(audit).values({name: bindparam(name) for name in Entry._fields} | {"tenant_id": TENANT_ID})
)


async def add(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Store entries; they are there if, and only if, what else the transaction does is."""
    await tx.many(_INSERT, [entry._asdict() for entry in entries])


LISTING = Listing(
    audit,
    {
        "admin": _a.admin == bindparam("admin", type_=Text),
        "subject": _a.subject == bindparam("subject", type_=Text),
        "mutations": _a.action == any_(bindparam("mutations", type_=ARRAY(Text))),
    },
    newest_first=True,
)
"""The log, newest first, for service scopes."""
