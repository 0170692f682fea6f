"""What happens in the caller's inbox: replayed from the log, then live, in order, once, without a gap."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.event import After, Log
from db.inbox import Head
from db.session import Row
from db.types import EventKind, Filter, ReadState
from resolvers import cursor
from resolvers.context import Context
from resolvers.filter import checked
from resolvers.notification import columns
from resolvers.principal import Role
from resolvers.reads import LogLane
from resolvers.rights import allow
from resolvers.stats import Stats, badge
from resolvers.stats import read as read_stats


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """An event and the badge as it is now. `cursor` resumes after it."""

    cursor: str
    at: datetime
    stats: Stats


@dataclass(frozen=True, slots=True)
class NotificationCreated(InboxEvent):
    """A new row that matches."""

    notification: Row


@dataclass(frozen=True, slots=True)
class NotificationUpdated(InboxEvent):
    """A row that changed and matches."""

    notification: Row


@dataclass(frozen=True, slots=True)
class NotificationRemoved(InboxEvent):
    """A row that was deleted, or no longer matches."""

    id: UUID


@dataclass(frozen=True, slots=True)
class InboxRead(InboxEvent):
    """Many rows read at once: those in ids, or (None) all with unreadSeq <= upToSeq."""

    ids: Sequence[UUID] | None
    up_to_seq: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ResyncRequired(InboxEvent):
    """The client's copy cannot be patched: read the inbox again, then go on from this cursor."""

    reason: str


@dataclass(slots=True)
class _Place:
    """How far a subscription has got in one epoch of the inbox."""

    epoch: int
    seq: int


@allow(Role.USER)
def events(
    ctx: Context,
    since: str | None,
    filter: Filter | None,
    fields: Collection[str],
    stats_fields: Collection[str],
) -> AsyncIterator[InboxEvent]:
    """Follow the caller's inbox; refuse at once what is not a cursor of it, or a filter that cannot be."""
    start = _Place(*cursor.moment(since, ctx.caller)) if since is not None else None
    return _Feed(ctx, filter and checked(filter), columns(fields), stats_fields).follow(start)


class _Feed:
    """One subscription: what it wants to see of the log, and how it tells of it."""

    def __init__(
        self, ctx: Context, filter: Filter | None, names: tuple[str, ...], stats_fields: Collection[str]
    ) -> None:
        self._ctx = ctx
        self._filter = filter
        # To such a copy rows are new that an InboxRead only names.
        self._wants_read = filter is not None and filter.read_state == ReadState.READ
        self._names = names
        self._stats_fields = stats_fields

    async def follow(self, start: _Place | None) -> AsyncIterator[InboxEvent]:
        """Register, then read from the start, or from the head, then follow the hints."""
        caller, logs = self._ctx.caller, self._ctx.reads.logs
        lane = LogLane(caller.tenant_id, self._filter, self._names)
        with self._ctx.hub.register(caller.tenant_id, caller.user_id) as waiter:
            place = start or await self._head()
            while True:
                log = await logs.load(lane, After(caller.user_id, place.seq))
                async for event in self._tell(log, place):
                    self._ctx.forget()
                    yield event
                waiter.seen = (place.epoch, place.seq)
                if place.seq == log.head.seq:
                    await waiter.moved()

    async def _head(self) -> _Place:
        caller = self._ctx.caller
        head = await self._ctx.reads.heads.load(caller.tenant_id, caller.user_id)
        return _Place(head.epoch, head.seq)

    async def _tell(self, log: Log, place: _Place) -> AsyncIterator[InboxEvent]:
        if reason := _broken(log, place):
            place.epoch, place.seq = log.head.epoch, log.head.seq
            yield ResyncRequired(**await self._common(log.head, place, log.now), reason=reason)
            return
        place.epoch = log.head.epoch
        for row in log.rows:
            place.seq = row.event_seq
            if not _is_silent(row):
                yield await self._event(log.head, place, row)

    async def _event(self, head: Head, place: _Place, row: Row) -> InboxEvent:
        common = await self._common(head, place, row.event_at)
        if row.event_kind == EventKind.READ and self._wants_read:
            return ResyncRequired(**common, reason="Many rows were read: they match only now.")
        if row.event_kind == EventKind.READ:
            return InboxRead(**common, ids=row.event_ids, up_to_seq=row.event_up_to_seq, read_at=row.event_at)
        if row.event_kind == EventKind.REMOVED or not row.matches:
            return NotificationRemoved(**common, id=row.event_notification_id)
        kind = NotificationCreated if row.event_kind == EventKind.CREATED else NotificationUpdated
        return kind(**common, notification=row)

    async def _common(self, head: Head, place: _Place, at: datetime) -> dict[str, Any]:
        caller = self._ctx.caller
        stats = badge(caller, head.counters)
        if not {"byType", "byCategory"}.isdisjoint(self._stats_fields):
            stats = await read_stats(self._ctx.reader, caller, None, self._stats_fields)
        return {
            "cursor": cursor.of_head(caller, head._replace(epoch=place.epoch, seq=place.seq)),
            "at": at,
            "stats": stats,
        }


def _is_silent(row: Row) -> bool:
    """Tell whether an event needs no telling: a later one, or none, says all there is to know.

    Of a row since deleted only the deletion is told; a new row that does not match was never seen.
    """
    kind = row.event_kind
    if kind in {EventKind.READ, EventKind.REMOVED}:
        return False
    return row.deleted is not False or (kind == EventKind.CREATED and not row.matches)


def _broken(log: Log, place: _Place) -> str | None:
    """Tell why the log cannot take the client from its place to the head, if it cannot.

    Seqs have no holes, so a first event that is not the next one means that the log was cut.
    """
    # At seq 0 a copy is empty, in whichever epoch: also the one that an inbox gets when it is made.
    if place.seq and place.epoch != log.head.epoch:
        return "The inbox was restored since."
    if place.seq > log.head.seq:
        return "The cursor is ahead of the inbox."
    if place.seq < log.head.seq and (not log.rows or log.rows[0].event_seq != place.seq + 1):
        return "The events since were already dropped from the log."
    return None
