"""The badge, and counts of what a filter shows."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import db.inbox
import db.stats
from db.inbox import Head
from db.session import Source
from db.types import Counters, Filter
from resolvers.context import Context
from resolvers.filter import checked, known_types_only
from resolvers.principal import Principal, Role
from resolvers.reads import CountLane, Groups
from resolvers.rights import allow

MIN_INTERVAL_SECONDS = 0.25
"""A badge is sent at most this often."""

_GROUPED = {"byType", "byCategory"}


class Subject(NamedTuple):
    """What is counted: the inbox, and the filter as it was asked."""

    tenant_id: str
    user_id: str
    filter: Filter


class GroupCount(NamedTuple):
    """Rows of one type or category."""

    key: str
    total: int
    unread: int


class Stats(NamedTuple):
    """Exact counts of the rows that match a filter. The groups are empty unless they were asked for."""

    of: Subject
    total: int
    unread: int
    dismissed: int
    by_type: Sequence[GroupCount] = ()
    by_category: Sequence[GroupCount] = ()

    @property
    def id(self) -> str:
        """The same for an inbox and a filter, wherever they are asked."""
        return sha256(repr(tuple(self.of)).encode()).hexdigest()[:32]

    @property
    def read(self) -> int:
        """Rows that were read."""
        return self.total - self.unread


def _subject(principal: Principal, filter: Filter | None) -> Subject:
    return Subject(principal.tenant_id, principal.user_id, filter or Filter())


def _group(pairs: Iterable[tuple[str, Counters]]) -> list[GroupCount]:
    sums: dict[str, Counters] = defaultdict(Counters)
    for key, counters in pairs:
        sums[key] = sums[key].plus(counters)
    return [GroupCount(key, sums[key].total, sums[key].unread) for key in sorted(sums) if sums[key].total]


def badge(principal: Principal, counters: Counters) -> Stats:
    """Return the stats without a filter from an inbox's counters."""
    return _ungrouped(_subject(principal, None), counters)


def _ungrouped(of: Subject, counters: Counters) -> Stats:
    return Stats(of, counters.total, counters.unread, counters.dismissed)


async def read(source: Source, principal: Principal, filter: Filter | None, wanted: Collection[str]) -> Stats:
    """Count what a filter shows in one statement; groups only if byType or byCategory is wanted."""
    of = _subject(principal, filter)
    known = (await known_types_only(source, filter)).filter
    if known == Filter() and _GROUPED.isdisjoint(wanted):
        return _ungrouped(of, (await db.inbox.head(source)).counters)
    return _summed(of, await db.stats.groups(source, known))


def _summed(of: Subject, groups: Groups) -> Stats:
    total = Counters()
    for _type, _category, counters in groups:
        total = total.plus(counters)
    return Stats(
        of,
        total.total,
        total.unread,
        total.dismissed,
        _group((type, counters) for type, _category, counters in groups),
        _group((category, counters) for _type, category, counters in groups),
    )


@allow(Role.USER)
async def stats(ctx: Context, filter: Filter | None, wanted: Collection[str]) -> Stats:
    """Return the exact counts of what matches; wanted: the GraphQL names selected."""
    return await read(ctx.reader, ctx.caller, filter, wanted)


@allow(Role.USER)
def watch(ctx: Context, filter: Filter | None, wanted: Collection[str]) -> AsyncIterator[Stats]:
    """Follow the counts of what matches; refuse at once a filter that cannot be."""
    return _follow(ctx, filter and checked(filter), wanted)


async def _follow(ctx: Context, filter: Filter | None, wanted: Collection[str]) -> AsyncIterator[Stats]:
    """Yield the counts now and when they have changed, at most 4 times a second; the last always comes.

    Of what changes meanwhile nothing queues: what is sent is what is read then.
    """
    clock = asyncio.get_running_loop().time
    of = _subject(ctx.caller, filter)
    with ctx.hub.register(ctx.caller.tenant_id, ctx.caller.user_id) as waiter:
        last, sent_at = None, 0.0
        while True:
            head = await ctx.reads.heads.load(ctx.caller.tenant_id, ctx.caller.user_id)
            current = await _current(ctx, of, head, filter, wanted)
            waiter.seen = (head.epoch, head.seq)
            if current != last:
                last, sent_at = current, clock()
                yield current
            await waiter.moved()
            # Wait before the read and not before the send, so that what is sent is never old.
            await asyncio.sleep(sent_at + MIN_INTERVAL_SECONDS - clock())


async def _current(
    ctx: Context, of: Subject, head: Head, filter: Filter | None, wanted: Collection[str]
) -> Stats:
    """Count what a filter shows now; without one, and without groups, the inbox's head says it."""
    known = (await known_types_only(ctx.reader, filter)).filter
    if known == Filter() and _GROUPED.isdisjoint(wanted):
        return _ungrouped(of, head.counters)
    lane = CountLane(ctx.caller.tenant_id, ctx.caller.user_id, known)
    return _summed(of, await ctx.reads.groups.load(lane, None))
