"""Tabs that keep a copy of their inbox by its events alone, whatever happens to their connections."""

import asyncio
import random
import socket
import struct
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.live.two_servers import ask
from tests.resolvers.support import seq_of
from tests.support import Api

_PAGE = """query($after: String, $filter: NotificationFilter) {
  notifications(first: 200, after: $after, filter: $filter) {
    nodes { id readAt dismissed unreadSeq } pageInfo { hasNextPage endCursor } eventCursor } }"""
_STATS = "subscription { stats { total unread dismissed } }"
_EVENTS = """subscription($since: String!, $filter: NotificationFilter) {
  inboxEvents(since: $since, filter: $filter) {
    __typename cursor stats { total unread dismissed }
    ... on NotificationCreated { notification { id readAt dismissed unreadSeq } }
    ... on NotificationUpdated { notification { id readAt dismissed unreadSeq } }
    ... on NotificationRemoved { id }
    ... on InboxRead { ids upToSeq readAt }
  } }"""
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing sends RST
_ELSEWHERE = 0.3
"""How likely a tab comes back to the other server."""


class Row(NamedTuple):
    """What a tab shows of a notification."""

    read_at: str | None
    dismissed: bool
    unread_seq: int

    @classmethod
    def of(cls, node: dict[str, Any]) -> "Row":
        """Return what GraphQL says of it."""
        return cls(node["readAt"], node["dismissed"], node["unreadSeq"])


class Badge(NamedTuple):
    """The counts of an inbox."""

    total: int
    unread: int
    dismissed: int


def _filter(shows_all: bool) -> dict[str, str]:
    return {"dismissed": "INCLUDE"} if shows_all else {}


async def inbox_of(user: Api.User, *, shows_all: bool) -> tuple[str, dict[str, Row]]:
    """Return an inbox by queries, and the event cursor from before."""
    filter = _filter(shows_all)
    after, cursor, rows = None, "", dict[str, Row]()
    while True:
        answer = await ask(user, _PAGE, after=after, filter=filter)
        assert not answer.errors, answer
        page = answer.data["notifications"]
        cursor = cursor or page["eventCursor"]
        rows |= {node["id"]: Row.of(node) for node in page["nodes"]}
        if not page["pageInfo"]["hasNextPage"]:
            return cursor, rows
        after = page["pageInfo"]["endCursor"]


class Tab:
    """One user's client with one socket at a time: `inboxEvents` from its last cursor, and `stats`.

    One that shows dismissed rows, too, gets other events than one that does not. It begins at the first server.
    """

    def __init__(self, user: Api.User, servers: Sequence[Api], *, shows_all: bool, jitter: float) -> None:
        self.user = user
        self.shows_all = shows_all
        self.copy: dict[str, Row] = {}
        self.cursor = ""
        self.start = 0
        """The seq of its snapshot."""
        self.told: list[int] = []
        """The seq of each event that it got."""
        self.badge: Badge | None = None
        self.badge_of_event: Badge | None = None
        self.resyncs = 0
        self.lost = 0
        """How often it lost a connection that nobody had dropped."""
        self._servers = servers
        self._server = servers[0]
        self._jitter = jitter
        self._connection: ClientConnection | None = None

    async def live(self) -> None:
        """Read the inbox once; then follow it until cancelled, and come back after each drop."""
        self.cursor, self.copy = await inbox_of(
            replace(self.user, api=self._server), shows_all=self.shows_all
        )
        self.start = seq_of(self.cursor)
        while True:
            with suppress(OSError, WebSocketException):
                await self._follow()
            self.lost += self._connection is not None
            self._connection = None
            await asyncio.sleep(random.uniform(0, self._jitter))
            if random.random() < _ELSEWHERE:
                self._server = random.choice(self._servers)

    async def _follow(self) -> None:
        async with connect(
            f"{self._server.url.replace('http', 'ws', 1)}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            compression=None,
            open_timeout=None,
            ping_interval=None,
        ) as connection:
            payload = {"authorization": f"Bearer {self.user.token}"}
            await _send(connection, type="connection_init", payload=payload)
            await connection.recv()
            self._connection = connection
            since = {"since": self.cursor, "filter": _filter(self.shows_all)}
            for id, query, variables in (("events", _EVENTS, since), ("stats", _STATS, {})):
                operation = {"query": query, "variables": variables}
                await _send(connection, type="subscribe", id=id, payload=operation)
            async for text in connection:
                self._take(orjson.loads(text))

    def drop(self) -> None:
        """Reset the connection, if there is one, without a word."""
        if self._connection:
            transport, self._connection = self._connection.transport, None
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()

    def _take(self, message: dict[str, Any]) -> None:
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        data = message["payload"]["data"]
        if "stats" in data:
            self.badge = Badge(**data["stats"])
        else:
            self._patch(data["inboxEvents"])

    def _patch(self, event: dict[str, Any]) -> None:
        self.cursor = event["cursor"]
        self.told.append(seq_of(self.cursor))
        self.badge_of_event = Badge(**event["stats"])
        match event["__typename"]:
            case "NotificationRemoved":
                self.copy.pop(event["id"], None)
            case "InboxRead":
                self._read(event["ids"], event["upToSeq"], event["readAt"])
            case "ResyncRequired":
                self.resyncs += 1
            case _:
                self.copy[event["notification"]["id"]] = Row.of(event["notification"])

    def _read(self, ids: Sequence[str] | None, up_to_seq: int, read_at: str) -> None:
        for id in self.copy.keys() if ids is None else self.copy.keys() & ids:
            row = self.copy[id]
            if row.read_at is None and (ids is not None or row.unread_seq <= up_to_seq):
                self.copy[id] = row._replace(read_at=read_at)

    @property
    def seq(self) -> int:
        """How far it has come."""
        return self.told[-1] if self.told else self.start

    def missed(self, must: set[int]) -> int:
        """Count the events after its start that it must have got, and did not."""
        return len({seq for seq in must if seq > self.start}.difference(self.told))

    def doubled(self) -> int:
        """Count the events that came again, or out of order."""
        return sum(later <= earlier for earlier, later in pairwise([self.start, *self.told]))


async def _send(connection: ClientConnection, **message: Any) -> None:
    await connection.send(orjson.dumps(message).decode())


class Crowd:
    """All the tabs."""

    def __init__(self, tabs: Sequence[Tab]) -> None:
        self.tabs = tabs
        self.of_user: dict[Api.User, list[Tab]] = defaultdict(list)
        for tab in tabs:
            self.of_user[tab.user].append(tab)

    async def live(self) -> None:
        """Let them all live until cancelled."""
        async with asyncio.TaskGroup() as group:
            for tab in self.tabs:
                group.create_task(tab.live())

    def drop(self) -> None:
        """Reset all connections at once."""
        for tab in self.tabs:
            tab.drop()

    def cursor(self, user: Api.User) -> str | None:
        """Return where one of a user's tabs is, if it has begun."""
        return random.choice(self.of_user[user]).cursor or None

    def alike(self) -> dict[tuple[Api.User, bool], list[Tab]]:
        """Return the tabs by what they show: whose inbox, and whether with dismissed rows."""
        found: dict[tuple[Api.User, bool], list[Tab]] = defaultdict(list)
        for tab in self.tabs:
            found[tab.user, tab.shows_all].append(tab)
        return found
