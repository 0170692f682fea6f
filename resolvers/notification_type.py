"""The notification types that a tenant knows."""

from collections.abc import Mapping, Sequence
from typing import Any

import db.audit
import db.inbox
import db.notification_type
import db.turn
from db.session import Row, Transaction
from resolvers import audit
from resolvers.context import Context
from resolvers.inputs import Problems, in_range
from resolvers.layers import ALL_CATEGORIES
from resolvers.principal import Role
from resolvers.rights import allow

MAX_TYPES = 200
_DEFAULTS = {"icon": "bell", "enabled_by_default": True, "required": False}


def default_category(name: str) -> str:
    """Return the category of a type for which none was said: what its name says before the first dot."""
    head = name.split(".", 1)[0]
    return "general" if head in {"", ALL_CATEGORIES} else head


@allow(Role.USER, Role.AGENT)
async def notification_types(ctx: Context) -> list[Row]:
    """Return every type that the tenant knows, by name."""
    return await db.notification_type.all_of_tenant(ctx.reader)


@allow(Role.ADMIN)
async def upsert(ctx: Context, patches: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Store types, all or nothing; each patch has a name and what it sets, None being the default."""
    in_range("types", len(patches), 1, MAX_TYPES)
    _check(patches)
    whole = {patch["name"]: _with_defaults(patch) for patch in patches}
    async with ctx.service_write() as tx:
        await db.inbox.add_tenant(tx)
        await db.turn.take(tx, "notification_type")
        before = {row.name: row for row in await db.notification_type.all_of_tenant(tx)}
        after = await db.notification_type.upsert(tx, whole, [default_category(name) for name in whole])
        await _record(tx, ctx, before, after)
        return after


async def _record(tx: Transaction, ctx: Context, before: Mapping[str, Row], after: Sequence[Row]) -> None:
    """Record each type that is new, with no names, or different, with those of what differs."""
    differing = {
        row.name: audit.differing(before[row.name], row) if row.name in before else [] for row in after
    }
    entries = [
        audit.entry(ctx, "upsertNotificationTypes", name, None, names)
        for name, names in differing.items()
        if names or name not in before
    ]
    await db.audit.add(tx, entries)


def _check(patches: Sequence[Mapping[str, Any]]) -> None:
    problems = Problems()
    problems.distinct("types", "name", [patch["name"] for patch in patches])
    for number, patch in enumerate(patches):
        for field in ("name", "category", "icon"):
            if patch.get(field) is not None:
                problems.name(f"types.{number}.{field}", patch[field])
        problems.unless(
            patch.get("category") != ALL_CATEGORIES, f"types.{number}.category", "means all of them."
        )
    problems.report()


def _with_defaults(patch: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {**_DEFAULTS, "category": default_category(patch["name"])}
    return {field: defaults.get(field) if value is None else value for field, value in patch.items()}
