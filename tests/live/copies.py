"""A client's copy of an inbox: a snapshot, patched with what inboxEvents tells and with nothing else."""

from typing import Any

from tests.resolvers.support import STATS
from tests.support import Feed, Socket

_ROW = "{ id title type category createdAt read readAt dismissed dismissedAt unreadSeq }"
_SNAPSHOT = f"""query($filter: NotificationFilter) {{
  notifications(first: 200, filter: $filter) {{ eventCursor totalCount nodes {_ROW} }}
  stats {STATS}
}}"""
_EVENTS = f"""subscription($since: String, $filter: NotificationFilter) {{
  inboxEvents(since: $since, filter: $filter) {{
    __typename cursor at stats {STATS}
    ... on NotificationCreated {{ notification {_ROW} }}
    ... on NotificationUpdated {{ notification {_ROW} }}
    ... on NotificationRemoved {{ id }}
    ... on InboxRead {{ ids upToSeq readAt }}
    ... on ResyncRequired {{ reason }}
  }}
}}"""

Filter = dict[str, Any] | None


async def snapshot(socket: Socket, filter: Filter) -> Any:
    """Ask for all that a filter shows, and the badge; all events that were sent before it have arrived, too."""
    return await (await socket.subscribe(_SNAPSHOT, filter=filter)).next()


async def follow(socket: Socket, filter: Filter, since: str | None) -> Feed:
    """Follow an inbox from a cursor, or from now on."""
    return await socket.subscribe(_EVENTS, since=since, filter=filter)


class Copy:
    """What a client shows of its inbox."""

    def __init__(self, filter: Filter, taken: Any) -> None:
        page = taken["notifications"]
        assert page["totalCount"] == len(page["nodes"])
        self.filter = filter
        self.cursor: str = page["eventCursor"]
        self.stats = taken["stats"]
        self._rows = {row["id"]: row for row in page["nodes"]}
        self.broken = False
        """It cannot be patched: only another snapshot helps."""

    def rows(self) -> list[Any]:
        """Return its rows as a list would show them, newest first."""
        return sorted(self._rows.values(), key=lambda row: (row["createdAt"], row["id"]), reverse=True)

    def patch(self, event: Any) -> None:
        """Do what the schema says about an event."""
        kind = event["__typename"]
        self.cursor, self.stats = event["cursor"], event["stats"]
        if kind == "InboxRead":
            self._read(event)
        elif kind == "NotificationRemoved":
            self._rows.pop(event["id"], None)
        elif kind == "ResyncRequired":
            self.broken = True
        else:
            self._rows[event["notification"]["id"]] = event["notification"]

    def _read(self, event: Any) -> None:
        for id, row in list(self._rows.items()):
            named = row["unreadSeq"] <= event["upToSeq"] if event["ids"] is None else id in event["ids"]
            if row["read"] or not named:
                continue
            if self.filter and self.filter.get("readState") == "UNREAD":
                del self._rows[id]
            else:
                self._rows[id] = {**row, "read": True, "readAt": event["readAt"]}
