"""The audit log: what admins changed, an entry in the transaction of each change."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Integer, Text, Uuid, any_, bindparam, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import audit
from db.types import Position

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


class LogFilter(NamedTuple):
    """What of the log is wanted: fields AND together, actions OR; None and an empty list: any."""

    admin: str | None = None
    subject: str | None = None
    actions: tuple[str, ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The binds of what restricts."""
        return {name: value for name, value in self._asdict().items() if value not in {None, ()}}


_WHEN_GIVEN = {
    "admin": _a.admin == bindparam("admin", type_=Text),
    "subject": _a.subject == bindparam("subject", type_=Text),
    "actions": _a.action == any_(bindparam("actions", type_=ARRAY(Text))),
}


@lru_cache
def _page_statement(given: tuple[str, ...], *, keyset: bool) -> Read:
    query = select(audit).where(in_tenant(audit), *(_WHEN_GIVEN[name] for name in given))
    if keyset:
        at, at_id = bindparam("at", type_=DateTime(timezone=True)), bindparam("at_id", type_=Uuid)
        query = query.where(tuple_(_a.created_at, _a.id) < tuple_(at, at_id))
    newest_first = query.order_by(_a.created_at.desc(), _a.id.desc())
    return Read(newest_first.limit(bindparam("limit", type_=Integer)))


@lru_cache
def _count_statement(given: tuple[str, ...]) -> Read:
    conditions = [in_tenant(audit), *(_WHEN_GIVEN[name] for name in given)]
    return Read(select(func.count().label("total")).select_from(audit).where(*conditions))


async def page(reader: Reader, filter: LogFilter, after: Position | None, limit: int) -> list[Row]:
    """Return, in a service scope, at most `limit` entries after a position, newest first."""
    given = filter.given
    at, at_id = after or (None, None)
    statement = _page_statement(tuple(given), keyset=after is not None)
    return await reader.fetch(statement, at=at, at_id=at_id, limit=limit, **given)


async def count(reader: Reader, filter: LogFilter) -> int:
    """Return, in a service scope, how many entries match."""
    given = filter.given
    row = await reader.one(_count_statement(tuple(given)), **given)
    return row["total"] if row else 0
