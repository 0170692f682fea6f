"""Strawberry as it is usually written: FastAPI's router, an ORM session a request, PyJWT, nothing kept.

`python -m bench.naive DATABASE_URL JWT_SECRET POOL_SIZE` prints its port. No row level security and no event log;
the badge is a counter that the mutations keep. Its cursor is strawberry.relay's usual one, an offset.
"""

import base64
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import strawberry
import uvloop
from fastapi import Depends, FastAPI, Request
from sqlalchemy import func, make_url, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry
from strawberry.fastapi import GraphQLRouter
from strawberry.types import Info

from bench.limit import serve
from db import tables


class NotificationRow:
    """A row of the notification table."""

    id: Any
    read_at: Any


class InboxRow:
    """A row of the inbox table."""

    unread: Any


_PLAIN = ("type", "category", "severity", "title", "body", "url", "icon")
_mappers = registry()
_mappers.map_imperatively(NotificationRow, tables.notification)
_mappers.map_imperatively(InboxRow, tables.inbox)
_n: Any = NotificationRow
_i: Any = InboxRow


@strawberry.type
class Action:
    """A button."""

    label: str
    url: str


@strawberry.type
class Notification:
    """A row."""

    id: strawberry.ID
    type: str
    category: str
    severity: str
    title: str
    body: str
    url: str | None
    icon: str | None
    created_at: datetime
    read_at: datetime | None
    actions: list[Action]

    @classmethod
    def of(cls, row: Any) -> "Notification":
        """Return what is shown of a row."""
        texts = {name: getattr(row, name) for name in _PLAIN}
        actions = [Action(**it) for it in row.actions]
        id, created, read = strawberry.ID(str(row.id)), row.created_at, row.read_at
        return cls(id=id, created_at=created, read_at=read, actions=actions, **texts)


@strawberry.type
class PageInfo:
    """Where a page lies."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Connection:
    """A page."""

    nodes: list[Notification]
    page_info: PageInfo
    unread_count: int


@strawberry.type
class Stats:
    """The badge."""

    unread: int


@strawberry.type
class InboxPayload:
    """What was read."""

    changed: int
    notifications: list[Notification]
    stats: Stats


@strawberry.type
class MarkAllReadPayload:
    """How many were read."""

    marked: int
    stats: Stats


async def _unread(info: Info[Any, None]) -> int:
    mine = (_i.tenant_id == info.context["tenant"], _i.user_id == info.context["user"])
    found = await info.context["session"].scalar(select(_i.unread).where(*mine))
    return int(found or 0)


def _mine(info: Info[Any, None]) -> tuple[Any, ...]:
    return (
        _n.tenant_id == info.context["tenant"],
        _n.user_id == info.context["user"],
        _n.deleted_at.is_(None),
    )


async def _count_down(info: Info[Any, None], number: int) -> None:
    mine = (_i.tenant_id == info.context["tenant"], _i.user_id == info.context["user"])
    await info.context["session"].execute(update(_i).where(*mine).values(unread=_i.unread - number))


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    async def stats(self, info: Info[Any, None]) -> Stats:
        """Return the badge."""
        return Stats(unread=await _unread(info))

    @strawberry.field
    async def notifications(self, info: Info[Any, None], first: int, after: str | None = None) -> Connection:
        """Return a page."""
        offset = int(base64.b64decode(after).decode().partition(":")[2]) + 1 if after else 0
        newest = select(_n).where(*_mine(info), _n.dismissed_at.is_(None))
        newest = newest.order_by(_n.created_at.desc(), _n.id.desc()).offset(offset).limit(first + 1)
        rows = list(await info.context["session"].scalars(newest))
        nodes = [Notification.of(row) for row in rows[:first]]
        end = base64.b64encode(f"arrayconnection:{offset + len(nodes) - 1}".encode()).decode()
        return Connection(
            nodes=nodes,
            page_info=PageInfo(has_next_page=len(rows) > first, end_cursor=end),
            unread_count=await _unread(info),
        )


@strawberry.type
class Mutation:
    """What can be changed."""

    @strawberry.mutation
    async def read(self, info: Info[Any, None], ids: list[strawberry.ID]) -> InboxPayload:
        """Mark rows read."""
        session: AsyncSession = info.context["session"]
        wanted = select(_n).where(*_mine(info), _n.id.in_([UUID(id) for id in ids]))
        rows = list(await session.scalars(wanted))
        changed = [row for row in rows if row.read_at is None]
        for row in changed:
            row.read_at = row.updated_at = datetime.now(UTC)
        await _count_down(info, len(changed))
        await session.commit()
        shown = [Notification.of(row) for row in rows]
        return InboxPayload(
            changed=len(changed), notifications=shown, stats=Stats(unread=await _unread(info))
        )

    @strawberry.mutation
    async def mark_all_read(self, info: Info[Any, None]) -> MarkAllReadPayload:
        """Mark everything read."""
        session: AsyncSession = info.context["session"]
        unread = update(_n).where(*_mine(info), _n.read_at.is_(None))
        result: Any = await session.execute(unread.values(read_at=func.now(), updated_at=func.now()))
        await _count_down(info, result.rowcount)
        await session.commit()
        return MarkAllReadPayload(marked=result.rowcount, stats=Stats(unread=await _unread(info)))


def application(url: str, secret: str, size: int) -> FastAPI:
    """Return the application."""
    address = make_url(url).set(drivername="postgresql+asyncpg")
    sessions = async_sessionmaker(
        create_async_engine(address, pool_size=size, max_overflow=0), expire_on_commit=False
    )

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    async def context(request: Request, session: AsyncSession = Depends(session)) -> dict[str, Any]:  # noqa: B008
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, secret, ["HS256"], audience="tocsin", issuer="tocsin")
        return {"session": session, "tenant": claims["tenant"], "user": claims["sub"]}

    app = FastAPI()
    schema = strawberry.Schema(Query, Mutation)
    app.include_router(GraphQLRouter(schema, "/graphql", context_getter=context))
    return app


if __name__ == "__main__":
    uvloop.run(serve(application(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
