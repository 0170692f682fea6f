"""What a tenant has set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import db.inbox
import db.outbox
import db.settings
import db.turn
from db.settings import Settings
from resolvers import audit
from resolvers.context import Context
from resolvers.inputs import refuse
from resolvers.principal import Role
from resolvers.rights import allow

MAX_DAYS = 3_650
_DAYS = {"retention_days": "retentionDays", "inbox_days": "inboxDays"}
_CLEARED_BY_NULL = ("inbox_days",)


@dataclass(frozen=True, slots=True)
class SettingsPayload:
    """The settings as they are now, and whether that is a change."""

    settings: Settings
    changed: bool


@allow(Role.USER, Role.AGENT)
async def settings(ctx: Context) -> Settings:
    """Return the tenant's settings; where nothing was set, the defaults."""
    return await db.settings.of_tenant(ctx.reader)


@allow(Role.ADMIN)
async def update(ctx: Context, changes: Mapping[str, Any]) -> SettingsPayload:
    """Change what is given; null clears inboxDays, and elsewhere means the same as left out."""
    given = {name: it for name, it in changes.items() if it is not None or name in _CLEARED_BY_NULL}
    refuse((field, _days_problem(given.get(name))) for name, field in _DAYS.items())
    async with ctx.write() as tx:
        await db.turn.take(tx, "settings")
        before = await db.settings.of_tenant(tx)
        after = before._replace(**given)
        if after != before:
            await db.inbox.add_tenant(tx)
            await db.settings.store(tx, after)
            changed = audit.differing(before._asdict(), after._asdict())
            await audit.record(tx, ctx, "updateSettings", changed=changed)
        if before.notifier_paused and not after.notifier_paused:
            await db.outbox.unpark(tx)
    return SettingsPayload(after, after != before)


def _days_problem(days: int | None) -> str | None:
    return None if days is None or 1 <= days <= MAX_DAYS else f"must be from 1 to {MAX_DAYS:,}."
