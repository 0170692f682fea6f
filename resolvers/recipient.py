"""The tenant's directory of people: who is in it, and who is taken out of everything."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import db.inbox
import db.recipient
import db.removal
from db.session import Row
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import not_found
from resolvers.inputs import Problems, in_range, text_problem
from resolvers.principal import Role
from resolvers.rights import allow

MAX_RECIPIENTS = 1_000
# Only what surely is no address is refused: whether one works is seen by sending to it.
_ATOM = r"[^\s@<>()\[\],;:\\\"]"
_EMAIL = re.compile(rf"(?!\.){_ATOM}{{1,64}}(?<!\.)@(?![.-]){_ATOM}{{1,189}}(?<![.-])")


@allow(Role.ADMIN, Role.AGENT)
async def upsert(ctx: Context, patches: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Store people, all or nothing; each patch has an id, and of email, name and timezone what it sets."""
    check(patches)
    async with ctx.service_write() as tx:
        await db.inbox.add_tenant(tx)
        return await db.recipient.upsert(tx, {patch["id"]: patch for patch in patches})


def check(patches: Sequence[Mapping[str, Any]]) -> None:
    """Raise LIMIT_OUT_OF_RANGE or BAD_USER_INPUT unless these are 1 to 1,000 people, each once."""
    in_range("recipients", len(patches), 1, MAX_RECIPIENTS)
    problems = Problems()
    problems.distinct("recipients", "id", [patch["id"] for patch in patches])
    for number, patch in enumerate(patches):
        problems.name(f"recipients.{number}.id", patch["id"])
        if patch.get("name") is not None:
            problems.name(f"recipients.{number}.name", patch["name"])
        if patch.get("email") is not None:
            problems.unless(is_email(patch["email"]), f"recipients.{number}.email", "is no email address.")
    problems.report()


def is_email(text: str) -> bool:
    """Tell whether a text could be an email address."""
    return text.isprintable() and not text_problem(text) and _EMAIL.fullmatch(text) is not None


@allow(Role.ADMIN)
async def remove(ctx: Context, id: str) -> str:
    """Erase a user and refuse the tokens issued until now; an id never heard of is NOT_FOUND."""
    known = False
    if id and not text_problem(id):
        async with ctx.write_for(id) as tx:
            known = await db.removal.erase(tx)
            if known:
                await audit.record(tx, ctx, "removeRecipient", id)
    if not known:
        raise not_found("User")
    ctx.hub.revoke(ctx.caller.tenant_id)
    return id
