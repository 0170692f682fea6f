"""Stored preferences, changing them, and what they come to."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

import db.inbox
import db.notification_type
import db.preference
import db.recipient
import db.removal
import db.template
from db.session import Reader, Row, Transaction
from resolvers.context import Context
from resolvers.effective import EffectivePreference, Owner, Place, effective
from resolvers.errors import bad_input, not_found, unauthenticated
from resolvers.inputs import checked_texts, in_range
from resolvers.preference_change import Change, identity_of, to_store
from resolvers.principal import Role
from resolvers.rights import allow

MAX_CHANGES = 200
MAX_STORED = 2_000
"""Preferences a user may have; rows that say nothing make room for others."""


@allow(Role.USER)
async def preferences(
    ctx: Context, user: str | None, category: str | None, project_id: str | None, environment_id: str | None
) -> list[Row]:
    """Return the stored preferences of `me`, or of another user by id or name: admins only."""
    checked_texts(category=category, projectId=project_id, environmentId=environment_id)
    whose = await _whose(ctx, user)
    return await db.preference.of_user(
        whose.reader, whose.user_id, category=category, project_id=project_id, environment_id=environment_id
    )


@allow(Role.USER)
async def effective_preferences(
    ctx: Context, user: str | None, project_id: str | None, environment_id: str | None
) -> list[EffectivePreference]:
    """Return what applies to each type, and to each template that differs, on each channel kind."""
    checked_texts(projectId=project_id, environmentId=environment_id)
    whose = await _whose(ctx, user)
    rows = await db.preference.of_user(whose.reader, whose.user_id)
    return effective(
        Owner(rows, await db.recipient.timezone(whose.reader, whose.user_id)),
        Place(project_id, environment_id),
        await db.notification_type.all_of_tenant(whose.reader),
        await db.template.special(whose.reader, whose.user_id),
    )


@allow(Role.USER)
async def update(ctx: Context, changes: Sequence[Change], user: str | None) -> list[Row]:
    """Store 1 to 200 changes, all or nothing, and return all of the user's preferences."""
    in_range("preferences", len(changes), 1, MAX_CHANGES)
    whose = await _whose(ctx, user)
    async with whose.write() as tx:
        await db.inbox.add_tenant(tx)
        await db.preference.lock(tx, whose.user_id)
        await _refuse_if_removed(ctx, tx)
        stored = {identity_of(row): row for row in await db.preference.of_user(tx, whose.user_id)}
        rows = to_store(changes, stored, await _templates(tx, changes))
        await db.preference.store(tx, whose.user_id, rows)
        return await _all_of(tx, whose.user_id)


async def _refuse_if_removed(ctx: Context, tx: Transaction) -> None:
    """Refuse a caller who was removed since the request began, or a row would outlive the removal."""
    removed_at = await db.removal.of(tx, ctx.caller.user_id)
    if removed_at is not None and ctx.caller.is_older_than(removed_at):
        raise unauthenticated()


async def _templates(tx: Transaction, changes: Sequence[Change]) -> set[UUID]:
    ids = [change.template_id for change in changes if isinstance(change.template_id, UUID)]
    return await db.template.hold(tx, ids) if ids else set()


async def _all_of(tx: Transaction, user_id: str) -> list[Row]:
    """Return all of the user's, unless that is too many even without those that say nothing."""
    rows = await db.preference.of_user(tx, user_id)
    if len(rows) > MAX_STORED:
        await db.preference.forget_empty(tx, user_id)
        rows = await db.preference.of_user(tx, user_id)
    if len(rows) > MAX_STORED:
        raise bad_input(("preferences", f"would be more than {MAX_STORED:,} in all: clear some first."))
    return rows


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose preferences are meant, and how they are reached."""

    user_id: str
    reader: Reader
    write: Callable[[], AbstractAsyncContextManager[Transaction]]


async def _whose(ctx: Context, user: str | None) -> _Whose:
    """Say who is meant; the role is checked before anything is looked up."""
    if user in {None, "me", ctx.caller.user_id}:
        return _Whose(ctx.caller.user_id, ctx.reader, ctx.write)
    checked_texts(user=user)
    ctx.caller.require(Role.ADMIN)
    found = await db.recipient.find(ctx.service_reader, str(user))
    if not found:
        raise not_found("User")
    if len(found) > 1:
        raise bad_input(("user", "names several users: use an id."))
    return _Whose(str(found[0].id), ctx.service_reader, ctx.service_write)
