"""The filter that lists, counts and subscriptions share."""

import strawberry

from resolvers.inputs import uuids
from resolvers.words import Filter, Inclusion, ReadState
from schema.scalars import DateTime


@strawberry.input(
    description="Fields AND together; values in a list OR together, except targets: a row must carry all of "
    "them. An empty list is no restriction. Unread means not read. Only dismissed: EXCLUDE, the default, keeps "
    "dismissed rows out of a list or a count; so the badge, which is stats without a filter, never counts them."
)
class NotificationFilter:
    """See db.types.Filter."""

    read_state: ReadState | None = strawberry.field(default=ReadState.ALL, description="Read, unread or all.")
    dismissed: Inclusion | None = strawberry.field(
        default=Inclusion.EXCLUDE, description="What to do with dismissed rows."
    )
    types: list[str] | None = strawberry.field(
        default=None,
        description="Types that the tenant does not know are dropped and come back in ignoredTypes; if none is "
        "left, a list shows all.",
    )
    categories: list[str] | None = strawberry.field(default=None, description="Any of these categories.")
    templates: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Any of these templates."
    )
    targets: list[strawberry.ID] | None = strawberry.field(default=None, description="All of these targets.")
    teams: list[strawberry.ID] | None = strawberry.field(default=None, description="Any of these teams.")
    created_after: DateTime | None = strawberry.field(default=None, description="Created later than this.")
    created_before: DateTime | None = strawberry.field(default=None, description="Created earlier than this.")


def domain(filter: NotificationFilter | None) -> Filter | None:
    """Return the filter as the resolvers know it; null means the same as omitted."""
    if filter is None:
        return None
    return Filter(
        read_state=filter.read_state or ReadState.ALL,
        dismissed=filter.dismissed or Inclusion.EXCLUDE,
        types=None if filter.types is None else tuple(filter.types),
        categories=tuple(filter.categories or ()),
        templates=uuids(filter.templates or ()),
        targets=tuple(filter.targets or ()),
        teams=tuple(filter.teams or ()),
        created_after=filter.created_after,
        created_before=filter.created_before,
    )
