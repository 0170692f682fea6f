"""Notifications: the inbox and what its owner does to it."""

from typing import Any

import strawberry

import resolvers.notification
import resolvers.stats
from resolvers import text
from resolvers.page import PageArgs
from resolvers.text import TextFormat
from resolvers.words import Severity
from schema.action import Action
from schema.delivery import Delivery
from schema.filter import NotificationFilter, domain
from schema.info import Info
from schema.page import PageInfo, row_id
from schema.scalars import JSON, DateTime, SafeUrl
from schema.selection import selected
from schema.stats import NotificationStats
from schema.template import Template


def _title(root: strawberry.Parent[Any], format: TextFormat | None = TextFormat.MARKDOWN) -> str:
    return text.title(root.title, format or TextFormat.MARKDOWN)


def _body(root: strawberry.Parent[Any], format: TextFormat | None = TextFormat.MARKDOWN) -> str:
    return text.body(root.body, format or TextFormat.MARKDOWN)


def _is_read(root: strawberry.Parent[Any]) -> bool:
    return root.read_at is not None


def _is_dismissed(root: strawberry.Parent[Any]) -> bool:
    return root.dismissed_at is not None


async def _template(info: Info, root: strawberry.Parent[Any]) -> Any:
    return root.template_id and await info.context.loaders.template_by_id.load(root.template_id)


async def _deliveries(info: Info, root: strawberry.Parent[Any]) -> Any:
    return await info.context.loaders.deliveries_by_notification.load(root.id)


@strawberry.type(description="A notification in one user's inbox.")
class Notification:
    """A row of the notification table, with at least the columns that were selected."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    type: str = strawberry.field(description="Dotted machine name, e.g. issue.digest.")
    category: str = strawberry.field(description="Coarse group that a user can switch off, e.g. billing.")
    severity: Severity = strawberry.field(description="How much it matters.")
    title: str = strawberry.field(resolver=_title, description="One line.")
    body: str = strawberry.field(resolver=_body, description="HTML is sanitised on the server.")
    url: SafeUrl | None = strawberry.field(description="Where a click leads.")
    icon: str = strawberry.field(description="Falls back to the type's icon; never empty.")
    actions: list[Action] = strawberry.field(description="Its buttons.")
    targets: list[strawberry.ID] = strawberry.field(description="Ids of the things this is about.")
    template: Template | None = strawberry.field(resolver=_template, description="What it was made from.")
    team_id: strawberry.ID | None = strawberry.field(description="The team it concerns.")
    data: JSON | None = strawberry.field(
        description="The producer's structured payload; the column is read only when selected."
    )
    user_id: strawberry.ID = strawberry.field(description="Whose it is.")
    read: bool = strawberry.field(resolver=_is_read, description="Whether it was read.")
    read_at: DateTime | None = strawberry.field(description="When it was first read, unless unread since.")
    unread_seq: int = strawberry.field(
        description="The inbox's seq when it last became unread: at its creation, or when it was marked unread. "
        "See InboxRead."
    )
    dismissed: bool = strawberry.field(resolver=_is_dismissed, description="Whether it was dismissed.")
    dismissed_at: DateTime | None = strawberry.field(description="When it was dismissed.")
    created_at: DateTime = strawberry.field(description="When it happened.")
    updated_at: DateTime = strawberry.field(description="When the row last changed.")
    deliveries: list[Delivery] = strawberry.field(
        resolver=_deliveries, description="What left the building for it, per channel."
    )


@strawberry.type(description="A notification in a page.")
class NotificationEdge:
    """See resolvers.page.Edge."""

    node: Notification = strawberry.field(description="The notification.")
    cursor: str = strawberry.field(description="Continue after, or before, it with this.")


@strawberry.type(description="A page of an inbox; everything in it is of one moment.")
class NotificationConnection:
    """See resolvers.notification.Inbox."""

    edges: list[NotificationEdge] = strawberry.field(description="The notifications with their cursors.")
    nodes: list[Notification] = strawberry.field(description="The notifications.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="Rows that match the filter.")
    unread_count: int = strawberry.field(
        description="The badge: stats.unread without a filter, from the same snapshot as the page."
    )
    event_cursor: str = strawberry.field(
        description="Hand it to inboxEvents(since:) to go on without a gap, or to markAllRead(upTo:). Opaque: "
        "tenant, user, epoch, seq."
    )
    ignored_types: list[str] = strawberry.field(
        description="Types of the filter that the tenant does not know."
    )


@strawberry.type(description="The notifications that a mutation named, as they are now.")
class InboxPayload:
    """See resolvers.notification.InboxPayload."""

    notifications: list[Notification] = strawberry.field(description="In the order of the ids.")
    changed: int = strawberry.field(description="How many were not so before.")
    stats: NotificationStats = strawberry.field(description="The whole inbox, after the change.")


@strawberry.type(description="What markAllRead did.")
class MarkAllReadPayload:
    """See resolvers.notification.MarkAllReadPayload."""

    marked: int = strawberry.field(
        description="Rows that were unread and no longer are, dismissed ones included."
    )
    ignored_types: list[str] = strawberry.field(
        description="Types of the filter that the tenant does not know."
    )
    stats: NotificationStats = strawberry.field(description="The whole inbox, after the change.")


@strawberry.type(description="What delete did.")
class DeletePayload:
    """See resolvers.notification.DeletePayload."""

    ids: list[strawberry.ID] = strawberry.field(description="The ids that are gone.")
    stats: NotificationStats = strawberry.field(description="The whole inbox, after the change.")


@strawberry.type
class NotificationQuery:
    """Root fields that read the inbox."""

    @strawberry.field(
        graphql_type=NotificationConnection | None,
        description="The caller's inbox, newest first: (createdAt, id) descending, keyset cursors. User tokens "
        "only: an agent key gets FORBIDDEN. Never returns deleted rows, nor another user's or tenant's. first: 20 "
        "if neither first nor last is given, both: BAD_USER_INPUT; 1 to 200, else LIMIT_OUT_OF_RANGE. page (from "
        "1, with first as its size) is for clients that cannot use cursors and goes with neither after nor "
        "before. startingBefore: everything older than that id; unknown or foreign id: NOT_FOUND. "
        "Users and admins.",
    )
    async def notifications(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        page: int | None = None,
        starting_before: strawberry.ID | None = None,
        filter: NotificationFilter | None = None,
    ) -> Any:
        """List the caller's inbox."""
        return await resolvers.notification.inbox(
            info.context,
            PageArgs(first, after, last, before, page),
            starting_before,
            domain(filter),
            selected(info, "nodes") | selected(info, "edges", "node"),
            with_total="totalCount" in selected(info),
        )

    @strawberry.field(
        graphql_type=Notification | None,
        description="Absent, deleted and foreign ids are indistinguishable: NOT_FOUND. Users and admins.",
    )
    async def notification(self, info: Info, id: strawberry.ID) -> Any:
        """Return one notification."""
        return await resolvers.notification.notification(info.context, id, selected(info))

    @strawberry.field(
        graphql_type=NotificationStats | None,
        description="Exact counts, never capped, of the rows that match. total = unread + read = "
        "notifications(filter).totalCount. Users and admins.",
    )
    async def stats(self, info: Info, filter: NotificationFilter | None = None) -> Any:
        """Count the caller's inbox."""
        return await resolvers.stats.stats(info.context, domain(filter), selected(info))


@strawberry.type
class NotificationMutation:
    """Root fields that change the inbox."""

    @strawberry.field(
        graphql_type=InboxPayload | None,
        description="Mark read, or unread with read: false. 1 to 500 ids, all or nothing: any absent, deleted or "
        "foreign id gives INVALID_NOTIFICATION_IDS with extensions.invalidIds, and nothing changes. A row already "
        "read keeps its readAt. Users and admins.",
    )
    async def read(self, info: Info, ids: list[strawberry.ID], read: bool | None = True) -> Any:
        """Mark read or unread."""
        return await resolvers.notification.read(
            info.context,
            ids,
            read=read is not False,
            fields=selected(info, "notifications"),
            stats_fields=selected(info, "stats"),
        )

    @strawberry.field(
        graphql_type=InboxPayload | None,
        description="Hide from the default list and from every unread count; restorable with dismissed: false. "
        "Same id rules. Users and admins.",
    )
    async def dismiss(self, info: Info, ids: list[strawberry.ID], dismissed: bool | None = True) -> Any:
        """Dismiss or restore."""
        return await resolvers.notification.dismiss(
            info.context,
            ids,
            dismissed=dismissed is not False,
            fields=selected(info, "notifications"),
            stats_fields=selected(info, "stats"),
        )

    @strawberry.field(
        graphql_type=MarkAllReadPayload | None,
        description="Every unread row that matches; without a filter, the whole inbox, dismissed rows too. upTo: "
        "an eventCursor; what became unread after it stays so. Unknown types are ignored and reported; if types "
        "are given and none is known, nothing is marked: a typo never empties a badge. Users and admins.",
    )
    async def mark_all_read(
        self, info: Info, filter: NotificationFilter | None = None, up_to: str | None = None
    ) -> Any:
        """Mark many read."""
        return await resolvers.notification.mark_all_read(
            info.context, domain(filter), up_to, selected(info, "stats")
        )

    @strawberry.field(
        graphql_type=DeletePayload | None,
        description="Soft: gone from lists, counts and events at once. Same id rules. Users and admins.",
    )
    async def delete(self, info: Info, ids: list[strawberry.ID]) -> Any:
        """Delete softly."""
        return await resolvers.notification.delete(info.context, ids, selected(info, "stats"))
