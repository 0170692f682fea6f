"""Stored preferences."""

import db.preference
import db.recipient
from db.session import Reader, Row
from resolvers.context import Context
from resolvers.errors import bad_input, not_found
from resolvers.inputs import checked_texts
from resolvers.principal import Role
from resolvers.rights import allow


@allow(Role.USER)
async def preferences(
    ctx: Context, user: str, category: str | None, project_id: str | None, environment_id: str | None
) -> list[Row]:
    """Return the stored preferences of `me`, or of another user by id or name: admins only."""
    checked_texts(user=user, category=category, projectId=project_id, environmentId=environment_id)
    reader, user_id = await _whose(ctx, user)
    return await db.preference.of_user(
        reader, user_id, category=category, project_id=project_id, environment_id=environment_id
    )


async def _whose(ctx: Context, user: str) -> tuple[Reader, str]:
    """Say who is meant; the role is checked before anything is looked up."""
    if user in {"me", ctx.caller.user_id}:
        return ctx.reader, ctx.caller.user_id
    ctx.caller.require(Role.ADMIN)
    found = await db.recipient.find(ctx.service_reader, user)
    if not found:
        raise not_found("User")
    if len(found) > 1:
        raise bad_input(("user", "names several users: use an id."))
    return ctx.service_reader, str(found[0].id)
