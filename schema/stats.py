"""The badge, and counts of what a filter shows."""

import strawberry


@strawberry.type(description="Rows of one type or category.")
class GroupCount:
    """See resolvers.stats.GroupCount."""

    key: str = strawberry.field(description="The type's or category's name.")
    total: int = strawberry.field(description="Rows of it that match.")
    unread: int = strawberry.field(description="Those of them that are unread.")


@strawberry.type(description="Exact counts of rows; see the stats query.")
class NotificationStats:
    """See resolvers.stats.Stats."""

    id: strawberry.ID = strawberry.field(
        description="Stable for an inbox and a filter, so that a cache keeps one badge."
    )
    total: int = strawberry.field(description="Rows that match: unread + read.")
    unread: int = strawberry.field(description="Those of them that are unread. Without a filter: the badge.")
    read: int = strawberry.field(description="Those of them that were read.")
    dismissed: int = strawberry.field(
        description="Dismissed rows that match the rest of the filter, listed or not."
    )
    by_type: list[GroupCount] = strawberry.field(
        description="The same rows by type, types without any left out."
    )
    by_category: list[GroupCount] = strawberry.field(
        description="The same rows by category, categories without any left out."
    )
