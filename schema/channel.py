"""Delivery channels."""

from typing import Any

import strawberry
from strawberry import UNSET

import resolvers.channel
import resolvers.test_message
from resolvers.words import ChannelKind
from schema.delivery import Delivery
from schema.given import given
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
    """See resolvers.page.CountedPage."""

    edges: list[ChannelEdge] = strawberry.field(description="The channels with their cursors.")
    nodes: list[Channel] = strawberry.field(description="The channels.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="Channels of this kind in all.")


@strawberry.type(description="What createChannel, updateChannel and rotateChannelSecret did.")
class ChannelPayload:
    """See resolvers.channel.ChannelPayload."""

    channel: Channel = strawberry.field(description="The channel as it is now.")
    secret: str | None = strawberry.field(
        description="The signing secret of a webhook that was just made, or that was just rotated; it is never "
        "shown again. Else null."
    )


@strawberry.input(
    description="A new channel. Its config depends on the kind. WEBHOOK: url (https, or http where the "
    "deployment allows it, up to 2,048 characters) and secret (whsec_ and base64 of 24 to 64 bytes, as in "
    "Standard Webhooks; made if left out). SLACK: url, a secret. EMAIL: from, an address, and optionally "
    "to, a fixed one. APPRISE: url, a secret. Secrets are stored encrypted."
)
class ChannelInput:
    """See resolvers.channel.create."""

    kind: ChannelKind = strawberry.field(
        description="How it delivers; not IN_APP: the inbox needs no channel."
    )
    name: str = strawberry.field(description="Its name, for people, 1 to 255 characters.")
    config: JSON = strawberry.field(description="What its kind needs, and nothing else.")
    enabled: bool | None = strawberry.field(default=True, description="Whether anything leaves here.")
    categories: list[str] | None = strawberry.field(
        default_factory=list, description="Only these categories leave here, up to 100; empty: all."
    )


@strawberry.input(description="Changes of a channel: what is left out, or null, stays as it is.")
class ChannelPatch:
    """See resolvers.channel.update."""

    name: str | None = strawberry.field(default=UNSET, description="Its name, 1 to 255 characters.")
    config: JSON | None = strawberry.field(
        default=UNSET,
        description="Replaces the whole config, but a secret that is left out or redacted stays as it is.",
    )
    enabled: bool | None = strawberry.field(default=UNSET, description="Whether anything leaves here.")
    categories: list[str] | None = strawberry.field(
        default=UNSET, description="Only these categories leave here, up to 100; empty: all."
    )


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


@strawberry.type
class ChannelMutation:
    """Root fields that change channels."""

    @strawberry.field(
        graphql_type=ChannelPayload | None,
        description="A webhook's signing secret is shown once, here and in rotateChannelSecret. BAD_USER_INPUT "
        "lists every wrong field, those of the config as config.url; a tenant has at most 50 channels. Admins.",
    )
    async def create_channel(self, info: Info, input: ChannelInput) -> Any:
        """Make a channel."""
        return await resolvers.channel.create(info.context, **given(input))

    @strawberry.field(
        graphql_type=ChannelPayload | None,
        description="An omitted or redacted secret keeps the stored one; one that is given replaces it at once: "
        "none that a webhook had before signs along any more (see rotateChannelSecret). Absent and foreign ids "
        "are the same NOT_FOUND. Admins.",
    )
    async def update_channel(self, info: Info, id: strawberry.ID, input: ChannelPatch) -> Any:
        """Change a channel."""
        return await resolvers.channel.update(info.context, id, given(input))

    @strawberry.field(
        graphql_type=ChannelPayload | None,
        description="A new signing secret for a webhook, shown once, here. The old one signs along with it for "
        "24 h; of a second rotation within them only the last two sign. Another kind of channel is "
        "BAD_USER_INPUT. Absent and foreign ids are the same NOT_FOUND. Admins.",
    )
    async def rotate_channel_secret(self, info: Info, id: strawberry.ID) -> Any:
        """Give a webhook a new secret."""
        return await resolvers.channel.rotate_secret(info.context, id)

    @strawberry.field(
        graphql_type=Delivery | None,
        description="A test to the caller through this channel, on or off, past preferences, quiet hours and a "
        "pause, with one attempt. It comes back PENDING: ask deliveries, or Channel.lastDelivery, a moment later "
        "how it went. 5 a minute per channel, else RATE_LIMITED with extensions.retryAfter, in seconds. Absent "
        "and foreign ids are the same NOT_FOUND. Admins.",
    )
    async def test_channel(self, info: Info, id: strawberry.ID) -> Any:
        """Send a test through a channel."""
        return await resolvers.test_message.to_channel(info.context, id)

    @strawberry.field(
        graphql_type=strawberry.ID | None,
        description="Deliveries that wait on it, PENDING or DEFERRED, become CANCELLED. Absent and foreign "
        "ids are the same NOT_FOUND. Admins.",
    )
    async def delete_channel(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a channel."""
        return await resolvers.channel.delete(info.context, id)
