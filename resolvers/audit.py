"""The audit log: who changed what in a tenant, for its admins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import db.audit
from db.audit import Entry
from db.session import Row, Transaction
from resolvers.context import Context
from resolvers.inputs import checked_texts
from resolvers.page import CountedPage, counted_page
from resolvers.principal import Role
from resolvers.rights import allow

# When a row was touched says nothing about what became of it.
_UNTOLD = frozenset({"updated_at"})


@allow(Role.ADMIN)
async def log(
    ctx: Context, first: int | None, after: str | None, filter: Mapping[str, Any], *, with_total: bool
) -> CountedPage:
    """Return a page of what the tenant's admins changed, newest first; filter: admin, subject, action."""
    listing, given = db.audit.LISTING, _restrictions(**filter)
    return await counted_page(ctx.service_reader, listing, given, first, after, with_total=with_total)


def _restrictions(
    admin: str | None = None, subject: str | None = None, action: Sequence[str] | None = None
) -> dict[str, Any]:
    checked_texts(admin=admin, subject=subject, action=action)
    return {"admin": admin, "subject": subject, "mutations": [*(action or ())]}


async def record(
    tx: Transaction,
    ctx: Context,
    action: str,
    subject: str | None = None,
    name: str | None = None,
    changed: Iterable[str] = (),
) -> None:
    """Write into the transaction of a change that the caller made it; action: the mutation's name."""
    await db.audit.add(tx, [entry(ctx, action, subject, name, changed)])


def entry(
    ctx: Context, action: str, subject: str | None, name: str | None, changed: Iterable[str] = ()
) -> Entry:
    """Return an entry that the caller did something, as the log stores it."""
    return Entry(uuid4(), ctx.caller.user_id, action, subject, name, [*changed])


def differing(before: Mapping[str, Any] | Row, after: Mapping[str, Any] | Row) -> list[str]:
    """Return, as the API spells them, the names of the columns of `after` that differ from before."""
    names = [name for name in after.keys() if name not in _UNTOLD]  # noqa: SIM118  a Record iterates its values
    return sorted(_spelled(name) for name in names if before[name] != after[name])


def _spelled(column: str) -> str:
    first, *rest = column.split("_")
    return first + "".join(map(str.capitalize, rest))
