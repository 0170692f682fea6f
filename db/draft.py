"""Notifications before they are stored, and storing them: whole, or copied from a request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, any_, bindparam, func, insert, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.inbox import Ledger, columns_of, open_many, unnest
from db.session import Transaction
from db.statement import TENANT_ID, Write, in_tenant
from db.tables import notification, request
from db.types import Content, Counters, EventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Content):
    """A notification for one user, before it is stored. created_at None: the database's now."""

    id: UUID
    user_id: str
    category: str
    created_at: datetime | None = None


def _bind(name: str) -> Any:
    return bindparam(name, type_=notification.c[name].type)


_PLAIN = (
    "id",
    "user_id",
    "type",
    "category",
    "title",
    "body",
    "severity",
    "url",
    "icon",
    "template_id",
    "team_id",
)
_INSERT = Write(
    insert(notification).values(
        tenant_id=TENANT_ID,
        **{name: _bind(name) for name in _PLAIN if name != "user_id"},
        user_id=bindparam("owner_id", type_=Text),
        targets=_bind("targets"),
        actions=bindparam("actions", type_=JSONB(none_as_null=True)),
        data=bindparam("data", type_=JSONB(none_as_null=True)),
        unread_seq=_bind("unread_seq"),
        created_at=func.coalesce(bindparam("created_at", type_=DateTime(timezone=True)), func.now()),
    )
)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_EXISTING = Write(select(notification.c.id).where(in_tenant(notification), notification.c.id == any_(_IDS)))


def _values(draft: Draft, seq: int) -> dict[str, Any]:
    values = {name: getattr(draft, name) for name in _PLAIN}
    return values | {
        "owner_id": draft.user_id,
        "targets": list(draft.targets),
        "actions": list(draft.actions),
        "data": draft.data,
        "unread_seq": seq,
        "created_at": draft.created_at,
    }


async def create(tx: Transaction, drafts: Iterable[Draft]) -> list[Draft]:
    """Store new unread rows, in a service scope; return those whose ids were not stored before.

    Rows, counters, seqs and events are written under the locks of the inboxes, taken in sorted order.
    """
    by_id = {draft.id: draft for draft in drafts}
    groups = {(draft.user_id, draft.type, draft.category) for draft in by_id.values()}
    ledger = await open_many(tx, groups)
    stored = {row["id"] for row in await tx.fetch(_EXISTING, ids=list(by_id))}
    fresh = [draft for draft in by_id.values() if draft.id not in stored]
    await store(tx, ledger, fresh)
    return fresh


async def store(tx: Transaction, ledger: Ledger, drafts: Sequence[Draft]) -> None:
    """Store new unread rows of inboxes that are held, and write the ledger."""
    unread = Counters.of_row(unread=True, dismissed=False)
    seqs = [ledger.change(EventKind.CREATED, draft, Counters(), unread) for draft in drafts]
    await tx.many(_INSERT, [_values(draft, seq) for draft, seq in zip(drafts, seqs, strict=True)])
    await ledger.write()


class Copy(NamedTuple):
    """A notification that says to one user what a request says to all."""

    id: UUID
    user_id: str
    type: str
    category: str


_COPIED = (
    *("type", "severity", "title", "body", "url", "icon", "actions", "targets"),
    *("template_id", "team_id", "data"),
)
_copies = unnest("copies", id=Uuid, user_id=Text, category=Text, unread_seq=BigInteger)
_COPY = Write(
    insert(notification).from_select(
        ["tenant_id", *_copies.c.keys(), *_COPIED],
        select(TENANT_ID, *_copies.c, *(request.c[name] for name in _COPIED))
        .select_from(_copies.join(request, true()))
        .where(in_tenant(request), request.c.id == bindparam("request_id", type_=Uuid)),
    )
)


async def copy(tx: Transaction, ledger: Ledger, request_id: UUID, copies: Sequence[Copy]) -> None:
    """Store what a request says, unread, in inboxes that are held; write the ledger."""
    unread = Counters.of_row(unread=True, dismissed=False)
    rows = [
        (it.id, it.user_id, it.category, ledger.change(EventKind.CREATED, it, Counters(), unread))
        for it in copies
    ]
    if rows:
        binds = columns_of("copies", ("id", "user_id", "category", "unread_seq"), rows)
        await tx.fetch(_COPY, request_id=request_id, **binds)
    await ledger.write()
