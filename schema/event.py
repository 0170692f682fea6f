"""Subscriptions: the badge and the events of an inbox."""

from collections.abc import AsyncIterator
from typing import Any

import strawberry

import resolvers.event
import resolvers.stats
from schema.filter import NotificationFilter, domain
from schema.info import Info
from schema.notification import Notification
from schema.page import row_id
from schema.scalars import DateTime
from schema.selection import selected
from schema.stats import NotificationStats


@strawberry.interface(description="Something that happened in the inbox.")
class InboxEvent:
    """See resolvers.event.InboxEvent."""

    cursor: str = strawberry.field(description="Resume after this event with it: inboxEvents(since:).")
    at: DateTime = strawberry.field(description="When it was committed, by the database's clock.")
    stats: NotificationStats = strawberry.field(description="The whole inbox, as it is now.")


@strawberry.type(description="A new notification that matches the filter.")
class NotificationCreated(InboxEvent):
    """See resolvers.event.NotificationCreated."""

    notification: Notification = strawberry.field(description="The row as it is now.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Tell Strawberry which of the events this is."""
        return isinstance(obj, resolvers.event.NotificationCreated)


@strawberry.type(description="A notification that changed and matches the filter.")
class NotificationUpdated(InboxEvent):
    """See resolvers.event.NotificationUpdated."""

    notification: Notification = strawberry.field(description="The row as it is now.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Tell Strawberry which of the events this is."""
        return isinstance(obj, resolvers.event.NotificationUpdated)


@strawberry.type(description="A notification that was deleted, or that no longer matches the filter.")
class NotificationRemoved(InboxEvent):
    """See resolvers.event.NotificationRemoved."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Tell Strawberry which of the events this is."""
        return isinstance(obj, resolvers.event.NotificationRemoved)


def _ids(root: strawberry.Parent[Any]) -> list[strawberry.ID] | None:
    return None if root.ids is None else [strawberry.ID(str(id)) for id in root.ids]


@strawberry.type(
    description="One event for markAllRead: the rows in ids, or, if it is null, every row you hold with "
    "unreadSeq <= upToSeq, are now read."
)
class InboxRead(InboxEvent):
    """See resolvers.event.InboxRead."""

    ids: list[strawberry.ID] | None = strawberry.field(
        resolver=_ids, description="The rows; null: all up to upToSeq."
    )
    up_to_seq: int = strawberry.field(description="The highest unreadSeq that is read now.")
    read_at: DateTime = strawberry.field(description="The readAt of these rows.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Tell Strawberry which of the events this is."""
        return isinstance(obj, resolvers.event.InboxRead)


@strawberry.type(
    description="Your copy cannot be patched any more: read the inbox again. The subscription goes on from here."
)
class ResyncRequired(InboxEvent):
    """See resolvers.event.ResyncRequired."""

    reason: str = strawberry.field(description="Why, for people.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Tell Strawberry which of the events this is."""
        return isinstance(obj, resolvers.event.ResyncRequired)


EVENTS = (NotificationCreated, NotificationUpdated, NotificationRemoved, InboxRead, ResyncRequired)


@strawberry.type(
    description="graphql-transport-ws and SSE. The socket closes with 4401 when the token expires and 4403 "
    "when access is revoked."
)
class Subscription:
    """Root fields that stay open. They return the resolver's generator itself, so that closing one closes it."""

    @strawberry.subscription(
        graphql_type=NotificationStats,
        description="The badge: the current value at once, then each new one, at most 4 a second. Same fields as "
        "the query. Users and admins.",
    )
    def stats(self, info: Info, filter: NotificationFilter | None = None) -> AsyncIterator[Any]:
        """Follow the counts."""
        return resolvers.stats.watch(info.context, domain(filter), selected(info))

    @strawberry.subscription(
        graphql_type=InboxEvent,
        description="What happens in the inbox. since: an eventCursor; what came after it is replayed in order, "
        "once, with no gap, and then it goes on live. An event carries the row and the stats as they are now; "
        "events of a row since deleted arrive as one NotificationRemoved. A cursor ahead of the log's head, of "
        "another epoch (restores and failovers bump it), or older than the log: ResyncRequired, never a silent "
        "drop. Another inbox's cursor: INVALID_CURSOR. Users and admins.",
    )
    def inbox_events(
        self, info: Info, since: str | None = None, filter: NotificationFilter | None = None
    ) -> AsyncIterator[Any]:
        """Follow the inbox."""
        return resolvers.event.events(
            info.context, since, domain(filter), selected(info, "notification"), selected(info, "stats")
        )
