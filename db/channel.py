"""The tenant's delivery channels."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Uuid, any_, bindparam, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import channel
from db.types import ChannelKind, Position

_c = channel.c


@lru_cache
def _conditions(*, of_kind: bool) -> tuple[Any, ...]:
    kind = (_c.kind == bindparam("kind"),) if of_kind else ()
    return (in_tenant(channel), *kind)


@lru_cache
def _page_statement(*, of_kind: bool, keyset: bool) -> Read:
    query = select(channel).where(*_conditions(of_kind=of_kind))
    if keyset:
        at, at_id = bindparam("at", type_=DateTime(timezone=True)), bindparam("at_id", type_=Uuid)
        query = query.where(tuple_(_c.created_at, _c.id) > tuple_(at, at_id))
    return Read(query.order_by(_c.created_at, _c.id).limit(bindparam("limit", type_=Integer)))


@lru_cache
def _count_statement(*, of_kind: bool) -> Read:
    return Read(select(func.count().label("total")).select_from(channel).where(*_conditions(of_kind=of_kind)))


async def page(reader: Reader, kind: ChannelKind | None, after: Position | None, limit: int) -> list[Row]:
    """Return at most `limit` channels after a position, oldest first."""
    statement = _page_statement(of_kind=kind is not None, keyset=after is not None)
    at, at_id = after or (None, None)
    return await reader.fetch(statement, kind=kind, at=at, at_id=at_id, limit=limit)


async def count(reader: Reader, kind: ChannelKind | None) -> int:
    """Return how many channels there are."""
    row = await reader.one(_count_statement(of_kind=kind is not None), kind=kind)
    return row["total"] if row else 0


_BY_IDS = Read(select(channel).where(in_tenant(channel), _c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))))


async def by_ids(reader: Reader, ids: Sequence[UUID]) -> list[Row]:
    """Return those that exist, in no order."""
    return await reader.fetch(_BY_IDS, ids=ids)


_INSERT = Write(
    insert(channel).values(
        {name: bindparam(name) for name in ("id", "kind", "name", "config", "categories", "enabled")}
        | {"tenant_id": TENANT_ID}
    )
)


async def add(
    tx: Transaction, id: UUID, kind: ChannelKind, name: str, config: dict[str, Any], *, enabled: bool = True
) -> None:
    """Store a new channel for all categories."""
    await tx.fetch(_INSERT, id=id, kind=kind, name=name, config=config, categories=[], enabled=enabled)
