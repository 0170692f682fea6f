"""What every contender is asked, each in its own words, and what their answers have in common."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from bench.fill import Place
from resolvers import cursor

_FIELDS = "type category severity title body url icon createdAt readAt"
BADGE = "query Badge { stats { unread } }"
PAGE = (
    "query Page($first: Int!, $after: String) { notifications(first: $first, after: $after) {"
    " unreadCount pageInfo { hasNextPage endCursor }"
    f" nodes {{ id {_FIELDS} actions {{ label url }} }} }} }}"
)
READ = (
    "mutation Read($ids: [ID!]!) { read(ids: $ids) { changed notifications { id readAt } stats { unread } } }"
)
MARK_ALL = "mutation MarkAll { markAllRead { marked stats { unread } } }"

# PostGraphile's own words for the same; its rows have ids of its own, its jsonb no fields.
_GRAPHILE_PAGE = (
    "query Page($tenant: String!, $user: String!, $first: Int!, $after: Cursor) { stats { unread }"
    " notifications: allNotifications(first: $first, after: $after, orderBy: [CREATED_AT_DESC, ROW_ID_DESC],"
    " condition: {tenantId: $tenant, userId: $user, deletedAt: null, dismissedAt: null})"
    f" {{ pageInfo {{ hasNextPage endCursor }} nodes {{ id: rowId {_FIELDS} actions }} }} }}"
)
_GRAPHILE_READ = (
    "mutation Read($tenant: String!, $id: UUID!, $at: Datetime!) { read: updateNotificationByTenantIdAndRowId("
    "input: {tenantId: $tenant, rowId: $id, notificationPatch: {readAt: $at, updatedAt: $at}})"
    " { notification { id: rowId readAt } } }"
)

FIRST = 20


class Target(NamedTuple):
    """Whose inbox is asked for, and which row of it."""

    tenant: str
    user: str
    id: str = ""
    after: str | None = None


class Words(NamedTuple):
    """The operations of one contender: (document, variables) for a target; None: it has no such thing."""

    badge: Callable[[Target], tuple[str, Any]]
    page: Callable[[Target], tuple[str, Any]]
    read: Callable[[Target], tuple[str, Any]]
    mark_all: Callable[[Target], tuple[str, Any]] | None
    cursor: Callable[[Place, int], str] | None
    """The cursor of the heavy user's row, and how many rows are up to it; None: ask for it."""

    def body(self, kind: str, target: Target) -> bytes:
        """Return a request's body."""
        name = "page" if kind == "deep" else kind
        document, variables = getattr(self, name)(target)
        return orjson.dumps({"query": document, **({"variables": variables} if variables else {})})


KINDS = ("badge", "page", "deep", "read", "mark_all")
CHANGING = ("read", "mark_all")
OURS = Words(
    lambda _: (BADGE, None),
    lambda it: (PAGE, {"first": FIRST} | ({"after": it.after} if it.after else {})),
    lambda it: (READ, {"ids": [it.id]}),
    lambda _: (MARK_ALL, None),
    lambda row, _depth: cursor.of_row(row),
)
MERCURIUS = OURS._replace(cursor=lambda row, _depth: _base64([_show(row.created_at), str(row.id)]))
# What strawberry.relay has: the place in the list.
NAIVE = OURS._replace(
    cursor=lambda _row, depth: base64.b64encode(b"arrayconnection:%d" % (depth - 1)).decode()
)


def _graphile_page(target: Target) -> tuple[str, Any]:
    variables = {"tenant": target.tenant, "user": target.user, "first": FIRST}
    return _GRAPHILE_PAGE, variables | ({"after": target.after} if target.after else {})


def _graphile_read(target: Target) -> tuple[str, Any]:
    now = datetime.now(UTC).isoformat()
    return _GRAPHILE_READ, {"tenant": target.tenant, "id": target.id, "at": now}


GRAPHILE = Words(lambda _: (BADGE, None), _graphile_page, _graphile_read, None, None)
_DEEP_CURSOR = (
    "query Deep($tenant: String!, $user: String!, $offset: Int!) { allNotifications(first: 1, offset: $offset,"
    " orderBy: [CREATED_AT_DESC, ROW_ID_DESC],"
    " condition: {tenantId: $tenant, userId: $user, deletedAt: null, dismissedAt: null})"
    " { pageInfo { endCursor } } }"
)


def ask_cursor(tenant: str, user: str, depth: int) -> bytes:
    """Return the body of a request for PostGraphile's cursor of a row that has so many rows up to it."""
    variables = {"tenant": tenant, "user": user, "offset": depth - 1}
    return orjson.dumps({"query": _DEEP_CURSOR, "variables": variables})


def cursor_in(answer: bytes) -> str:
    """Return what it answered."""
    end: str = orjson.loads(answer)["data"]["allNotifications"]["pageInfo"]["endCursor"]
    return end


def gist(kind: str, answer: bytes) -> dict[str, Any]:
    """Return what of an answer must be the same in all that have it; none of the times just made."""
    data = orjson.loads(answer)["data"]
    if kind == "badge":
        return {"unread": data["stats"]["unread"]}
    if kind in {"page", "deep"}:
        page = data["notifications"]
        unread = page["unreadCount"] if "unreadCount" in page else data["stats"]["unread"]
        nodes = [_node(node) for node in page["nodes"]]
        return {"unread": unread, "more": page["pageInfo"]["hasNextPage"], "nodes": nodes}
    if kind == "mark_all":
        marked = data["markAllRead"]
        return {"marked": marked["marked"], "unread": marked["stats"]["unread"]}
    read = data["read"]
    rows = read["notifications"] if "notifications" in read else [read["notification"]]
    shown = {"rows": [(row["id"], row["readAt"] is not None) for row in rows]}
    return shown | (
        {"changed": read["changed"], "unread": read["stats"]["unread"]} if "stats" in read else {}
    )


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: node[name] and datetime.fromisoformat(node[name]) for name in ("createdAt", "readAt")}
    return {**node, **times}


def _show(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _base64(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")
