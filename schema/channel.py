"""Delivery channels."""

from typing import Any

import strawberry

import resolvers.channel
from resolvers.words import ChannelKind
from schema.delivery import Delivery
from schema.info import Info
from schema.page import PageInfo, row_id
from schema.scalars import JSON, DateTime
from schema.selection import selected


def _config(root: strawberry.Parent[Any]) -> JSON:
    return JSON(resolvers.channel.public_config(root))


async def _last_delivery(info: Info, root: strawberry.Parent[Any]) -> Any:
    return await resolvers.channel.last_delivery(info.context, root)


@strawberry.type(description="A way out of the building, of one tenant.")
class Channel:
    """A row of the channel table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    kind: ChannelKind = strawberry.field(description="How it delivers.")
    name: str = strawberry.field(description="Its name, for people.")
    enabled: bool = strawberry.field(description="Whether anything leaves here.")
    config: JSON = strawberry.field(resolver=_config, description="Its settings; secrets come back redacted.")
    categories: list[str] = strawberry.field(description="Only these categories leave here; empty: all.")
    last_delivery: Delivery | None = strawberry.field(
        resolver=_last_delivery, description="The newest delivery, for admins; null for others."
    )
    created_at: DateTime = strawberry.field(description="When it was made.")
    updated_at: DateTime = strawberry.field(description="When it was last changed.")


@strawberry.type(description="A channel in a page.")
class ChannelEdge:
    """See resolvers.page.Edge."""

    node: Channel = strawberry.field(description="The channel.")
    cursor: str = strawberry.field(description="Continue after it with this.")


@strawberry.type(description="A page of channels, oldest first.")
class ChannelConnection:
    """See resolvers.channel.Channels."""

    edges: list[ChannelEdge] = strawberry.field(description="The channels with their cursors.")
    nodes: list[Channel] = strawberry.field(description="The channels.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="Channels of this kind in all.")


@strawberry.type
class ChannelQuery:
    """Root fields of channels."""

    @strawberry.field(
        graphql_type=ChannelConnection | None,
        description="The tenant's delivery channels, oldest first. Secrets are write-only: they come back "
        "redacted. first: 20 unless given, 1 to 200. Users, admins and agents.",
    )
    async def channels(
        self, info: Info, first: int | None = None, after: str | None = None, kind: ChannelKind | None = None
    ) -> Any:
        """List the tenant's channels."""
        return await resolvers.channel.channels(
            info.context, first, after, kind, with_total="totalCount" in selected(info)
        )

    @strawberry.field(
        graphql_type=Channel | None,
        description="One of the tenant's channels; absent and foreign ids are the same NOT_FOUND. Users, "
        "admins and agents.",
    )
    async def channel(self, info: Info, id: strawberry.ID) -> Any:
        """Return one of the tenant's channels."""
        return await resolvers.channel.channel(info.context, id)
