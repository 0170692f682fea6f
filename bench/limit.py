"""The limit: what a Python server could do if it knew its five operations by heart.

`python -m bench.limit DATABASE_URL JWT_SECRET POOL_SIZE` prints its port. A bare ASGI application on
uvicorn, as Tocsin is; Tocsin's statements, on asyncpg, with its pool's options; the bytes that Tocsin answers,
written by orjson.
No GraphQL: a document is known by its text. No rights, no limits, no errors.
"""

import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import jwt
import orjson
import uvicorn
import uvloop

from bench import work
from bench.statements import STATEMENTS
from db.pool import Pool
from db.session import open_database
from db.types import Counters
from resolvers import cursor
from schema.scalars import show_datetime

_HEAD = [(b"content-type", b"application/json; charset=utf-8")]
_NOTHING = {f"inboxes_{name}": [0] for name in Counters._fields}
Scope = dict[str, Any]


def _time(at: datetime | None) -> str | None:
    return show_datetime(at) if at else None


async def _run(connection: Any, name: str, values: Scope) -> Any:
    statement = STATEMENTS[name]
    return await connection.fetch(statement.text, *statement.arguments(values))


class Server:
    """Answers what bench.work asks in Tocsin's words."""

    def __init__(self, pool: Pool, secret: str) -> None:
        self._pool, self._secret = pool, secret
        self._scopes: dict[bytes, Scope] = {}
        self._answers: dict[str, Callable[[Scope, Any], Awaitable[Any]]] = {
            work.BADGE: self._badge,
            work.PAGE: self._page,
            work.READ: self._read,
            work.MARK_ALL: self._mark_all,
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        asked = orjson.loads(body)
        caller = self._caller(dict(scope["headers"])[b"authorization"])
        data = await self._answers[asked["query"]](caller, asked.get("variables"))
        answer = orjson.dumps({"data": data})
        headers = [*_HEAD, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _caller(self, authorization: bytes) -> Scope:
        """Verify a token once, and remember it."""
        known = self._scopes.get(authorization)
        if known is None:
            token = authorization.decode().removeprefix("Bearer ")
            claims = jwt.decode(token, self._secret, ["HS256"], audience="tocsin", issuer="tocsin")
            user = claims["sub"]
            known = {"tenant_id": claims["tenant"], "user_id": user, "actor": f"user:{user}"}
            self._scopes[authorization] = known
        return known

    async def _badge(self, caller: Scope, _variables: Any) -> Any:
        async with self._pool.acquire() as connection:
            (head,) = await _run(connection, "badge", caller)
        return {"stats": {"unread": head["inbox_unread"]}}

    async def _page(self, caller: Scope, variables: Any) -> Any:
        first, after = variables["first"], variables.get("after")
        values, name = {**caller, "limit": first + 1}, "page"
        if after:
            name, (values["at"], values["at_id"]) = "page_after", cursor.position(after)
        async with self._pool.acquire() as connection:
            rows = await _run(connection, name, values)
        nodes = rows[:first]
        info = {"hasNextPage": len(rows) > first, "endCursor": cursor.of_row(nodes[-1])}
        shown = [_shown(row) for row in nodes]
        return {"notifications": {"unreadCount": rows[0]["inbox_unread"], "pageInfo": info, "nodes": shown}}

    async def _read(self, caller: Scope, variables: Any) -> Any:
        values = {**caller, "ids": [UUID(id) for id in variables["ids"]]}
        async with self._pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            await _run(connection, "context", caller)
            (head,) = await _run(connection, "lock", caller)
            rows = [row for row in await _run(connection, "states", values) if row["read_at"] is None]
            ids = [row["id"] for row in rows]
            await _run(connection, "set_read", {**caller, "ids": ids})
            groups = Counter((row["type"], row["category"]) for row in rows)
            unread = await _record(connection, caller, head, groups, ids)
            after = await _run(connection, "by_ids", values)
        shown = [{"id": str(row["id"]), "readAt": _time(row["read_at"])} for row in after]
        return {"read": {"changed": len(ids), "notifications": shown, "stats": {"unread": unread}}}

    async def _mark_all(self, caller: Scope, _variables: Any) -> Any:
        async with self._pool.acquire() as connection, connection.transaction(isolation="read_committed"):
            await _run(connection, "context", caller)
            (head,) = await _run(connection, "lock", caller)
            values = {**caller, "up_to_seq": head["inbox_seq"]}
            rows = await _run(connection, "reached", values)
            id = uuid4()
            await _run(connection, "mark", {**values, "mark_id": id})
            await _run(connection, "work", {**caller, "id": id, "kind": "MARK"})
            groups = Counter({(row["type"], row["category"]): row["unread"] for row in rows})
            unread = await _record(connection, caller, head, groups, [])
            await _run(connection, "log_read", {**values, "seq": head["inbox_seq"] + 1, "ids": None})
        return {"markAllRead": {"marked": groups.total(), "stats": {"unread": unread}}}


async def _record(
    connection: Any, caller: Scope, head: Any, groups: Counter[tuple[str, str]], ids: Sequence[UUID]
) -> int:
    """Count down, move the seq on and log an event for each of ids, or leave that to the caller."""
    user, seq, none = [caller["user_id"]], head["inbox_seq"], [0] * len(groups)
    values = caller | _NOTHING | {f"counts_{name}": none for name in Counters._fields}
    values |= {
        "events_user_id": user * len(ids),
        "events_seq": [seq + 1 + it for it in range(len(ids))],
        "events_kind": ["UPDATED"] * len(ids),
        "events_notification_id": ids,
        "counts_user_id": user * len(groups),
        "counts_type": [type for type, _category in groups],
        "counts_category": [category for _type, category in groups],
        "counts_unread": [-number for number in groups.values()],
        "inboxes_user_id": user,
        "inboxes_seq": [seq + max(len(ids), 1)],
        "inboxes_unread": [-groups.total()],
    }
    (after,) = await _run(connection, "record", values)
    return int(after["inbox_unread"])


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "type": row["type"],
        "category": row["category"],
        "severity": row["severity"],
        "title": row["title"],
        "body": row["body"],
        "url": row["url"],
        "icon": row["icon"],
        "createdAt": _time(row["created_at"]),
        "readAt": _time(row["read_at"]),
        "actions": [{"label": it["label"], "url": it["url"]} for it in row["actions"]],
    }


async def _serve(url: str, secret: str, size: str) -> None:
    async with open_database(url, size=int(size)) as database:
        await serve(Server(database.pool, secret))


async def serve(app: Any) -> None:
    """Serve an ASGI application on a free port, which is printed, as fast as uvicorn does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", access_log=False, log_level="warning", server_header=False
        )
        await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    uvloop.run(_serve(*sys.argv[1:]))
