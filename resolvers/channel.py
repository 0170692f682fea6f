"""The tenant's delivery channels. Their secrets are write-only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import db.channel
import db.delivery
import db.inbox
import db.turn
from db.session import Row, Transaction
from db.types import ChannelKind
from resolvers import audit, channel_config
from resolvers.channel_config import Policy
from resolvers.context import Context
from resolvers.errors import bad_input, not_found
from resolvers.inputs import item_checks, refuse, text_problem, uuid_or_none
from resolvers.page import CountedPage, counted_page
from resolvers.principal import Role
from resolvers.rights import allow

MAX_CHANNELS = 50
GRACE = timedelta(hours=24)
"""For how long a signing secret that was rotated out signs along."""
_SECRET, _PREVIOUS = "secret", "previous"


@dataclass(frozen=True, slots=True)
class ChannelPayload:
    """A channel, and the signing secret of a webhook that was just made."""

    channel: Row
    secret: str | None = None


@allow(Role.USER, Role.AGENT)
async def channels(
    ctx: Context, first: int | None, after: str | None, kind: ChannelKind | None, *, with_total: bool
) -> CountedPage:
    """Return a page of the tenant's channels, oldest first."""
    listing, given = db.channel.LISTING, {"kind": kind}
    return await counted_page(ctx.reader, listing, given, first, after, with_total=with_total)


@allow(Role.USER, Role.AGENT)
async def channel(ctx: Context, id: str) -> Row:
    """Return one of the tenant's channels; absent and foreign ids are the same NOT_FOUND."""
    parsed = uuid_or_none(id)
    found = await db.channel.by_ids(ctx.reader, [parsed]) if parsed else []
    if not found:
        raise not_found("Channel")
    return found[0]


def public_config(row: Row) -> dict[str, Any]:
    """Return a channel's config; of a secret it only shows that there is one."""
    return {**row.config, **dict.fromkeys(_secret_names(row), channel_config.REDACTED)}


def _secret_names(row: Row) -> Collection[str]:
    """Return the keys whose values are never shown: those that its kind keeps secret, as far as stored."""
    named = channel_config.KEYS.get(ChannelKind(row.kind), {})
    return [name for name, key in named.items() if key.secret and (name in row.secrets or name in row.config)]


async def last_delivery(ctx: Context, row: Row) -> Row | None:
    """Return the channel's newest delivery to an admin; it may be another user's, so to nobody else."""
    if Role.ADMIN not in ctx.caller.roles:
        return None
    return await ctx.loaders.last_delivery_by_channel.load(row.id)


# -- mutations ---------------------------------------------------------------------------------------------


@allow(Role.ADMIN)
async def create(
    ctx: Context,
    kind: ChannelKind,
    name: str,
    config: Mapping[str, Any],
    *,
    enabled: bool | None = None,
    categories: Sequence[str] | None = None,
) -> ChannelPayload:
    """Make a channel; BAD_USER_INPUT names every wrong field, or says that there are 50 already."""
    categories = categories or ()
    if kind is ChannelKind.IN_APP:
        raise bad_input(("kind", "the inbox needs no channel."))
    read, problems = channel_config.read(kind, config, (), _policy(ctx))
    refuse([*_checks(name, categories), *problems])
    id = uuid4()
    async with ctx.write() as tx:
        await _require_room(tx)
        row = await db.channel.add(
            tx,
            id,
            kind,
            name,
            read.public,
            secrets=_sealed(ctx, id, read.secrets),
            enabled=enabled is not False,
            categories=categories,
        )
        await audit.record(tx, ctx, "createChannel", str(id), name)
    return ChannelPayload(row, read.secrets.get("secret"))


@allow(Role.ADMIN)
async def update(ctx: Context, id: str, changes: Mapping[str, Any]) -> ChannelPayload:
    """Change what is given: name, config, enabled, categories; null means the same as left out."""
    values = {name: value for name, value in changes.items() if value is not None}
    async with ctx.write() as tx:
        row = await _locked(tx, id)
        checks = _checks(values.get("name", row.name), values.get("categories", ()))
        if "config" in values:
            kind = ChannelKind(row.kind)
            read, problems = channel_config.read(kind, values["config"], row.secrets, _policy(ctx))
            checks = [*checks, *problems]
            values |= {"config": read.public, "secrets": _replaced(ctx, row, read.secrets)}
        refuse(checks)
        return ChannelPayload(await _changed(tx, ctx, "updateChannel", row, values) if values else row)


@allow(Role.ADMIN)
async def rotate_secret(ctx: Context, id: str) -> ChannelPayload:
    """Give a webhook a new signing secret; the one it had signs along for 24 h, one before that no more."""
    async with ctx.write() as tx:
        row = await _locked(tx, id)
        if row.kind != ChannelKind.WEBHOOK:
            raise bad_input(("id", "is no webhook: only these sign."))
        new = channel_config.new_signing_secret()
        secrets = _sealed(ctx, row.id, {_SECRET: new})
        if old := row.secrets.get(_SECRET):
            secrets[_PREVIOUS] = {"box": old, "until": (row.now + GRACE).isoformat()}
        changed = await _changed(tx, ctx, "rotateChannelSecret", row, {"secrets": secrets})
        return ChannelPayload(changed, new)


@allow(Role.ADMIN)
async def delete(ctx: Context, id: str) -> str:
    """Delete a channel and cancel the deliveries that wait on it."""
    async with ctx.write() as tx:
        row = await _locked(tx, id)
        await db.delivery.cancel_waiting(tx, row.id, "The channel was deleted.")
        await db.channel.remove(tx, row.id)
        await audit.record(tx, ctx, "deleteChannel", str(row.id), row.name)
    return str(row.id)


def secret_place(tenant_id: str, channel_id: UUID, name: str) -> tuple[str, str, str]:
    """Return the context that a channel's secret is sealed in, and opens in."""
    return tenant_id, str(channel_id), name


def _sealed(ctx: Context, id: UUID, secrets: Mapping[str, str]) -> dict[str, Any]:
    tenant_id, vault = ctx.caller.tenant_id, ctx.deployment.vault
    return {name: vault.seal(secret_place(tenant_id, id, name), value) for name, value in secrets.items()}


def _replaced(ctx: Context, row: Row, new: Mapping[str, str]) -> dict[str, Any]:
    """Return the boxes with new secrets put in. A signing secret that is given is the only one from now on."""
    kept = {name: box for name, box in row.secrets.items() if not (name == _PREVIOUS and _SECRET in new)}
    return kept | _sealed(ctx, row.id, new)


def _policy(ctx: Context) -> Policy:
    return Policy(allow_http=ctx.deployment.allow_private_webhooks)


async def _changed(tx: Transaction, ctx: Context, action: str, row: Row, values: Mapping[str, Any]) -> Row:
    """Change a channel that is held, and record what became different."""
    after = await db.channel.change(tx, row.id, values)
    if names := audit.differing(row, after):
        await audit.record(tx, ctx, action, str(row.id), after.name, names)
    return after


def _checks(name: str, categories: Sequence[str]) -> list[tuple[str, str | None]]:
    return [("name", text_problem(name, least=1)), *item_checks("categories", categories)]


async def _require_room(tx: Transaction) -> None:
    """Make sure that the tenant is known and has fewer channels than it may have, until the commit."""
    await db.inbox.add_tenant(tx)
    await db.turn.take(tx, "channel")
    if await db.channel.LISTING.count(tx, {}) >= MAX_CHANNELS:
        raise bad_input(("input", f"the tenant has {MAX_CHANNELS} channels, the most there may be."))


async def _locked(tx: Transaction, id: str) -> Row:
    parsed = uuid_or_none(id)
    row = await db.channel.lock(tx, parsed) if parsed else None
    if row is None:
        raise not_found("Channel")
    return row
