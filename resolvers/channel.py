"""The tenant's delivery channels. Their secrets are write-only."""

from dataclasses import dataclass
from typing import Any

import db.channel
from db.session import Row
from db.types import ChannelKind
from resolvers.context import Context
from resolvers.errors import not_found
from resolvers.inputs import uuid_or_none
from resolvers.page import Connection, PageArgs, cut, window
from resolvers.principal import Role
from resolvers.rights import allow

REDACTED = "••••••••"
_SECRETS = {
    ChannelKind.WEBHOOK: {"secret"},
    ChannelKind.SLACK: {"url"},
    ChannelKind.APPRISE: {"url"},
}


@dataclass(frozen=True, slots=True)
class Channels(Connection):
    """A page of channels and how many there are in all."""

    total_count: int


@allow(Role.USER, Role.AGENT)
async def channels(
    ctx: Context, first: int | None, after: str | None, kind: ChannelKind | None, *, with_total: bool
) -> Channels:
    """Return a page of the tenant's channels, oldest first."""
    asked = window(PageArgs(first=first, after=after))
    rows = await db.channel.page(ctx.reader, kind, asked.position, asked.size + 1)
    nodes, has_more = cut(rows, asked)
    total = await db.channel.count(ctx.reader, kind) if with_total else 0
    return Channels(nodes, asked, has_more, total)


@allow(Role.USER, Role.AGENT)
async def channel(ctx: Context, id: str) -> Row:
    """Return one of the tenant's channels; absent and foreign ids are the same NOT_FOUND."""
    parsed = uuid_or_none(id)
    found = await db.channel.by_ids(ctx.reader, [parsed]) if parsed else []
    if not found:
        raise not_found("Channel")
    return found[0]


def public_config(row: Row) -> dict[str, Any]:
    """Return a channel's config with its secrets redacted."""
    secrets = _SECRETS.get(ChannelKind(row.kind), set())
    return {key: REDACTED if key in secrets else value for key, value in row.config.items()}


async def last_delivery(ctx: Context, row: Row) -> Row | None:
    """Return the channel's newest delivery to an admin; it may be another user's, so to nobody else."""
    if Role.ADMIN not in ctx.caller.roles:
        return None
    return await ctx.loaders.last_delivery_by_channel.load(row.id)
