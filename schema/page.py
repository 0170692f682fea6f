"""Relay's page info, and what every row shares."""

from typing import Any

import strawberry


@strawberry.type(description="Where a page lies in its list (Relay).")
class PageInfo:
    """See resolvers.page.PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether more follows after endCursor.")
    has_previous_page: bool = strawberry.field(description="Whether more lies before startCursor.")
    start_cursor: str | None = strawberry.field(description="Cursor of the page's first row.")
    end_cursor: str | None = strawberry.field(description="Cursor of the page's last row.")


def row_id(root: strawberry.Parent[Any]) -> strawberry.ID:
    """Return a row's id as GraphQL shows it."""
    return strawberry.ID(str(root.id))
