"""The caller's inbox: listing it, and what its owner does to it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import db.inbox
import db.mark
import db.notification
from db.inbox import Head, Ledger
from db.notification import PageQuery, PageRows
from db.session import Row, Transaction
from db.types import Filter, Inclusion, Position
from resolvers import cursor
from resolvers.context import Context
from resolvers.errors import bad_input, invalid_cursor, invalid_ids, not_found
from resolvers.filter import known_types_only
from resolvers.inputs import in_range, uuid_or_none
from resolvers.page import Connection, PageArgs, Window, cut, window
from resolvers.principal import Principal, Role
from resolvers.rights import allow
from resolvers.stats import Stats, badge
from resolvers.stats import read as read_stats

MAX_IDS = 500
_WHOLE_INBOX = Filter(dismissed=Inclusion.INCLUDE)

# The columns that answer a GraphQL field; one that is not listed needs none beyond id and created_at.
_COLUMNS = {
    "type": "type",
    "category": "category",
    "severity": "severity",
    "title": "title",
    "body": "body",
    "url": "url",
    "icon": "icon",
    "actions": "actions",
    "targets": "targets",
    "template": "template_id",
    "teamId": "team_id",
    "data": "data",
    "userId": "user_id",
    "read": "read_at",
    "readAt": "read_at",
    "unreadSeq": "unread_seq",
    "dismissed": "dismissed_at",
    "dismissedAt": "dismissed_at",
    "updatedAt": "updated_at",
}


def columns(fields: Collection[str]) -> tuple[str, ...]:
    """Return the columns that these GraphQL fields of Notification need."""
    return _columns(frozenset(fields))


@lru_cache(maxsize=1024)
def _columns(fields: frozenset[str]) -> tuple[str, ...]:
    return db.notification.columns(_COLUMNS[name] for name in fields if name in _COLUMNS)


@dataclass(frozen=True, slots=True)
class Inbox(Connection):
    """A page of an inbox with what is true of it at the same moment."""

    total_count: int
    ignored_types: Sequence[str]
    caller: Principal
    head: Head

    @property
    def unread_count(self) -> int:
        """The badge."""
        return self.head.counters.unread

    @property
    def event_cursor(self) -> str:
        """The moment, from which events go on."""
        return cursor.of_head(self.caller, self.head)


@dataclass(frozen=True, slots=True)
class InboxPayload:
    """The notifications a mutation named, as they are now."""

    notifications: Sequence[Any]
    changed: int
    stats: Stats


@dataclass(frozen=True, slots=True)
class MarkAllReadPayload:
    """How many rows were unread and no longer are."""

    marked: int
    ignored_types: Sequence[str]
    stats: Stats


@dataclass(frozen=True, slots=True)
class DeletePayload:
    """The ids that are gone."""

    ids: Sequence[str]
    stats: Stats


# -- queries -----------------------------------------------------------------------------------------------


@allow(Role.USER)
async def inbox(
    ctx: Context,
    args: PageArgs,
    starting_before: str | None,
    filter: Filter | None,
    fields: Collection[str],
    *,
    with_total: bool,
) -> Inbox:
    """Return a page of the caller's inbox, newest first; fields: what is selected of each row."""
    asked = window(args)
    if starting_before is not None:
        asked = await _from_notification(ctx, asked, args, starting_before)
    known = await known_types_only(ctx.reader, filter)
    found = await db.notification.page(
        ctx.reader,
        PageQuery(
            known.filter,
            asked.size + 1,
            columns(fields),
            asked.backwards,
            asked.position,
            asked.offset,
            with_total,
        ),
    )
    return _inbox(ctx, found, asked, known.ignored_types)


def _inbox(ctx: Context, found: PageRows, asked: Window, ignored_types: Sequence[str]) -> Inbox:
    nodes, has_more = cut(found.rows, asked)
    return Inbox(nodes, asked, has_more, found.total, ignored_types, ctx.caller, found.head)


async def _from_notification(ctx: Context, asked: Window, args: PageArgs, id: str) -> Window:
    """Start the window at a notification that the caller has, or NOT_FOUND."""
    if asked.backwards or asked.position or args.page is not None:
        raise bad_input(("startingBefore", "goes with first only."))
    row = await _one(ctx, id, ())
    return Window(asked.size, position=Position(row.created_at, row.id))


async def _one(ctx: Context, id: str, fields: Collection[str]) -> Row:
    parsed = uuid_or_none(id)
    rows = await db.notification.by_ids(ctx.reader, [parsed] if parsed else [], columns(fields))
    if not rows:
        raise not_found("Notification")
    return rows[0]


@allow(Role.USER)
async def notification(ctx: Context, id: str, fields: Collection[str]) -> Row:
    """Return one of the caller's notifications; absent, deleted and foreign ids are the same NOT_FOUND."""
    return await _one(ctx, id, fields)


# -- mutations ---------------------------------------------------------------------------------------------


@allow(Role.USER)
async def read(
    ctx: Context, ids: Sequence[str], *, read: bool, fields: Collection[str], stats_fields: Collection[str]
) -> InboxPayload:
    """Mark read or unread, all or nothing."""
    async with ctx.write() as tx:
        ledger, rows, wanted = await _locked(tx, ids)
        changed = await db.notification.set_read(tx, ledger, rows, read=read)
        return await _payload(ctx, tx, ledger, wanted, changed, fields, stats_fields)


@allow(Role.USER)
async def dismiss(
    ctx: Context,
    ids: Sequence[str],
    *,
    dismissed: bool,
    fields: Collection[str],
    stats_fields: Collection[str],
) -> InboxPayload:
    """Dismiss or restore, all or nothing."""
    async with ctx.write() as tx:
        ledger, rows, wanted = await _locked(tx, ids)
        changed = await db.notification.set_dismissed(tx, ledger, rows, dismissed=dismissed)
        return await _payload(ctx, tx, ledger, wanted, changed, fields, stats_fields)


@allow(Role.USER)
async def delete(ctx: Context, ids: Sequence[str], stats_fields: Collection[str]) -> DeletePayload:
    """Delete softly, all or nothing."""
    async with ctx.write() as tx:
        ledger, rows, wanted = await _locked(tx, ids)
        await db.notification.delete(tx, ledger, rows)
        stats = await _recorded(ctx, tx, ledger, stats_fields)
        return DeletePayload([str(id) for id in wanted], stats)


@allow(Role.USER)
async def mark_all_read(
    ctx: Context, filter: Filter | None, up_to: str | None, stats_fields: Collection[str]
) -> MarkAllReadPayload:
    """Mark read what matches, up to a moment; if none of the types given is known, nothing."""
    async with ctx.write() as tx:
        ledger = await db.inbox.lock(tx)
        known = await known_types_only(tx, filter)
        marked = 0
        if filter is None or filter.types is None or known.filter.types:
            marked = await _read_all(ctx, tx, ledger, known.filter if filter else None, up_to)
        return MarkAllReadPayload(marked, known.ignored_types, await _recorded(ctx, tx, ledger, stats_fields))


async def _locked(tx: Transaction, ids: Sequence[str]) -> tuple[Ledger, list[Row], list[UUID]]:
    """Lock the inbox and find the rows, or refuse: 1 to 500 ids, each of which must be the caller's."""
    in_range("ids", len(ids), 1, MAX_IDS)
    parsed = {id: uuid_or_none(id) for id in ids}
    ledger = await db.inbox.lock(tx)
    rows = await db.notification.states(tx, [id for id in parsed.values() if id])
    found = {row.id for row in rows}
    if missing := [id for id, uuid in parsed.items() if uuid not in found]:
        raise invalid_ids(missing)
    return ledger, rows, list(dict.fromkeys(uuid for uuid in parsed.values() if uuid))


async def _recorded(ctx: Context, tx: Transaction, ledger: Ledger, stats_fields: Collection[str]) -> Stats:
    """Write the ledger and return the badge; its groups cost a statement more and only if wanted."""
    heads = await ledger.write()
    stats = badge(ctx.caller, heads[ctx.caller.user_id].counters)
    if {"byType", "byCategory"}.isdisjoint(stats_fields):
        return stats
    return await read_stats(tx, ctx.caller, None, stats_fields)


async def _payload(
    ctx: Context,
    tx: Transaction,
    ledger: Ledger,
    ids: Sequence[UUID],
    changed: int,
    fields: Collection[str],
    stats_fields: Collection[str],
) -> InboxPayload:
    stats = await _recorded(ctx, tx, ledger, stats_fields)
    rows = {row.id: row for row in await db.notification.by_ids(tx, ids, columns(fields))}
    return InboxPayload([rows[id] for id in ids], changed, stats)


async def _read_all(
    ctx: Context, tx: Transaction, ledger: Ledger, filter: Filter | None, up_to: str | None
) -> int:
    user_id = ctx.caller.user_id
    up_to_seq = ledger.seq(user_id)
    if up_to is not None:
        epoch, seq = cursor.moment(up_to, ctx.caller)
        if seq and epoch != ledger.epoch(user_id):
            raise invalid_cursor()
        up_to_seq = min(up_to_seq, seq)
    ids: list[UUID] | None = None
    if filter is None and await db.mark.may_add(tx):
        groups = await db.mark.add(tx, up_to_seq)
    else:
        groups = await db.notification.read_all(tx, filter or _WHOLE_INBOX, up_to_seq)
        ids = [id for group in groups for id in group.ids]
    if groups:
        ledger.read_all(user_id, groups, ids, up_to_seq)
    return sum(group.unread + group.dismissed_unread for group in groups)
