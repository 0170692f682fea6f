"""Documents and helpers that the tests of the resolvers share."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

import db.channel
import db.delivery
import db.inbox
import db.preference
import db.removal
import db.request
import db.template
from db.delivery import Planned
from db.request import Said
from db.session import Scope
from db.types import ChannelKind, DeliveryStatus
from live.hub import Hub
from resolvers import cursor
from tests.support import Answer, Api

STATS = "{ id total unread read dismissed byType { key total unread } byCategory { key total unread } }"
GET_STATS = f"query($filter: NotificationFilter) {{ stats(filter: $filter) {STATS} }}"
LIST = """
query($first: Int, $after: String, $last: Int, $before: String, $page: Int, $startingBefore: ID,
      $filter: NotificationFilter) {
  notifications(first: $first, after: $after, last: $last, before: $before, page: $page,
                startingBefore: $startingBefore, filter: $filter) {
    nodes { id title read readAt dismissed dismissedAt unreadSeq }
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount unreadCount eventCursor ignoredTypes
  }
}
"""
ROW = "{ id title read readAt dismissed dismissedAt unreadSeq updatedAt }"
GET = f"query($id: ID!) {{ notification(id: $id) {ROW} }}"
READ = f"""mutation($ids: [ID!]!, $read: Boolean) {{
  read(ids: $ids, read: $read) {{ changed notifications {ROW} stats {STATS} }} }}"""
DISMISS = f"""mutation($ids: [ID!]!, $dismissed: Boolean) {{
  dismiss(ids: $ids, dismissed: $dismissed) {{ changed notifications {ROW} stats {STATS} }} }}"""
DELETE = f"mutation($ids: [ID!]!) {{ delete(ids: $ids) {{ ids stats {STATS} }} }}"
MARK_ALL_READ = f"""mutation($filter: NotificationFilter, $upTo: String) {{
  markAllRead(filter: $filter, upTo: $upTo) {{ marked ignoredTypes stats {STATS} }} }}"""
WATCH_STATS = f"subscription($filter: NotificationFilter) {{ stats(filter: $filter) {STATS} }}"
WATCH_EVENTS = """
subscription($since: String, $filter: NotificationFilter) {
  inboxEvents(since: $since, filter: $filter) {
    __typename cursor at stats { total unread dismissed }
    ... on NotificationCreated { notification { id title read dismissed } }
    ... on NotificationUpdated { notification { id title read dismissed } }
    ... on NotificationRemoved { id }
    ... on InboxRead { ids upToSeq readAt }
    ... on ResyncRequired { reason }
  }
}
"""
TABLES = (
    *("inbox", "inbox_count", "notification", "mark", "event", "preference", "channel", "recipient"),
    *("delivery", "settings", "template", "request", "due"),
)

ABSENT = "0f9d3c5e-7a1b-4c2d-8e3f-5a6b7c8d9e0f"
"""An id that nothing has, the same in each process, so that tests have the same names in each."""


@dataclass(frozen=True)
class Nobody:
    """A caller without a token."""

    api: Api

    async def ask(self, document: str, **variables: Any) -> Answer:
        """Run an operation over HTTP."""
        return await self.api.post(document, **variables)


class Vault:
    """What is stored, past row level security."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection

    async def of(self, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
        """Return each row of a tenant, so that two answers are equal if nothing changed."""
        return {
            table: sorted(
                (tuple(row) for row in await self.fetch(f"select * from tocsin.{table}", tenant)), key=repr
            )
            for table in TABLES
        }

    async def fetch(self, query: str, tenant: str) -> list[asyncpg.Record]:
        """Return the rows of a query that are of a tenant."""
        return await self.connection.fetch(f"select * from ({query}) it where tenant_id = $1", tenant)


class Statements:
    """The text of each statement, by tenant."""

    def __init__(self) -> None:
        self._noted: list[tuple[Scope, str]] = []

    def listen(self, monkeypatch: pytest.MonkeyPatch, source: type, name: str) -> None:
        """Note what goes through a method of Reader or Transaction."""
        run = getattr(source, name)

        def noting(it: Any, statement: Any, *args: Any, **values: Any) -> Any:
            # What the edge reads of removals, once in 5 s, is of no operation.
            if statement is not db.removal._NEWEST:
                self._noted.append((it.scope, statement.text))
            return run(it, statement, *args, **values)

        monkeypatch.setattr(source, name, noting)

    def of(self, tenant: str) -> list[str]:
        """Return what ran for a tenant since the last time, oldest first."""
        found = [text for scope, text in self._noted if scope.tenant_id == tenant]
        self._noted = [noted for noted in self._noted if noted[0].tenant_id != tenant]
        return found

    def by_service(self, tenant: str) -> list[str]:
        """Return what ran as a tenant's service, oldest first."""
        return [text for scope, text in self._noted if scope == Scope(tenant, None)]


async def inbox(user: Api.User, **variables: Any) -> Any:
    """Return a page of the user's inbox."""
    return (await user.data(LIST, **variables))["notifications"]


async def titles(user: Api.User, **variables: Any) -> list[str]:
    """Return the titles of a page of the user's inbox."""
    return [node["title"] for node in (await inbox(user, **variables))["nodes"]]


async def stats(user: Api.User, **filter: Any) -> Any:
    """Return the user's counts."""
    return (await user.data(GET_STATS, filter=filter))["stats"]


async def change(user: Api.User, document: str, *ids: str, **variables: Any) -> Any:
    """Run a mutation that must not fail, and return its payload."""
    variables = ({"ids": ids} if ids else {}) | variables
    return next(iter((await user.data(document, **variables)).values()))


async def now(user: Api.User) -> str:
    """Return the event cursor of the user's inbox as it stands."""
    return str((await inbox(user, first=1))["eventCursor"])


def seq_of(event_cursor: str) -> int:
    """Return the seq in an event cursor, which clients cannot see."""
    return int(cursor._decode(event_cursor)[3])


def forged(*parts: object) -> str:
    """Return a cursor made of these parts."""
    return cursor._encode(*parts)


async def add_template(user: Api.User, **values: Any) -> UUID:
    """Store a template in the user's tenant."""
    id = uuid4()
    common: dict[str, Any] = {
        "name": "Digest",
        "kind": "CUSTOM",
        "group": None,
        "title_template": "{n} new",
        "body_template": "",
        "actions": [],
    }
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.template.add(tx, id, **{**common, **values})
    return id


async def add_channel(
    user: Api.User,
    kind: ChannelKind = ChannelKind.WEBHOOK,
    name: str = "A channel",
    config: dict[str, Any] | None = None,
    *,
    enabled: bool = True,
) -> UUID:
    """Store a channel of the user's tenant."""
    id = uuid4()
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.channel.add(tx, id, kind, name, config or {}, enabled=enabled)
    return id


async def add_preference(user: Api.User, **values: Any) -> UUID:
    """Store a preference of the user's."""
    id = uuid4()
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.preference.add(tx, user.id, id, **values)
    return id


async def add_deliveries(
    user: Api.User, pairs: Sequence[tuple[str, UUID]], status: str = "SENT", **values: Any
) -> list[UUID]:
    """Store a request and a delivery for each (notification, channel), in one transaction."""
    request_id = uuid4()
    said = Said(type="build.done", category="build", title="A build")
    rows = [
        Planned(uuid4(), user.id, UUID(id), channel, DeliveryStatus(status), **values)
        for id, channel in pairs
    ]
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await db.request.add(tx, request_id, "test", said, key=None, recipient_ids=[user.id], recipients=1)
        await db.delivery.plan(tx, request_id, rows)
    return [row.id for row in rows]


async def add_attempts(user: Api.User, deliveries: Sequence[UUID], *numbers: int, **values: Any) -> None:
    """Store attempts of these numbers for each delivery."""
    common = {"duration_ms": 12, "status_code": 200, "error": None}
    rows = [
        {"delivery_id": id, "number": number, **common, **values} for id in deliveries for number in numbers
    ]
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await db.delivery.add_attempts(tx, rows)


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for what is about to be so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.01)


def waiters(hub: Hub, user: Api.User) -> int:
    """Return how many subscriptions wait for a user's inbox."""
    return len(hub._waiters.get((user.tenant, user.id), ()))


async def gather(them: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run all at once."""
    return list(await asyncio.gather(*them))


class Stream:
    """A subscription over server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, seconds: float = 5) -> Any:
        """Return the body of the next event."""
        async with asyncio.timeout(seconds):
            async for line in self._lines:
                if line.startswith("data:") and line[5:].strip():
                    return json.loads(line[5:])
        raise AssertionError("The stream ended.")


@asynccontextmanager
async def stream(user: Api.User, document: str, **variables: Any) -> AsyncIterator[Stream]:
    """Subscribe over server-sent events."""
    headers = {"Authorization": f"Bearer {user.token}", "Accept": "text/event-stream"}
    body = {"query": document, "variables": variables}
    async with user.api.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        assert response.status_code == 200
        yield Stream(response)
