"""What tabs have come to hold, compared with the tables and the log, past row level security."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import asyncpg

from db.types import EventKind
from tests.live.crowd import Badge, Crowd, Tab, inbox_of
from tests.support import ROWS

_TRUTH = f"""
select tenant_id, user_id, seq,
  count(notification.id) filter (where dismissed_at is null) as total,
  count(notification.id) filter (where dismissed_at is null and notification.unread) as unread,
  count(notification.id) filter (where dismissed_at is not null) as dismissed
from tocsin.inbox left join ({ROWS}) notification
  using (tenant_id, user_id)
where tenant_id = any($1) group by tenant_id, user_id, seq
"""
_LOG = """
select tenant_id, user_id, seq, kind, notification_id from tocsin.event
where tenant_id = any($1) order by seq desc
"""
_PATIENCE_SECONDS = 120.0
_LATE_SECONDS = 0.5

Inbox = tuple[str, str]


class Figures(NamedTuple):
    """What was done to so many tabs, and what came of it."""

    sockets: int
    delivered: int
    missed: int
    doubled: int
    wrong_badges: int
    wrong_copies: int
    resyncs: int
    lost_connections: int
    writes: int = 0
    drops: int = 0
    troubles: int = 0
    seconds: float = 0

    @property
    def is_fine(self) -> bool:
        """Whether nothing is as it must not be."""
        return not any((self.missed, self.doubled, self.wrong_badges, self.wrong_copies, self.resyncs))

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {value:,.6g}" for name, value in self._asdict().items())


class _Truth(NamedTuple):
    """Where an inbox stands, and its rows counted one by one."""

    seq: int
    badge: Badge


class _Log(NamedTuple):
    """All seqs of an inbox, and those that a tab must be told of, whether it shows dismissed rows or not."""

    all: set[int]
    must: Mapping[bool, set[int]]


async def audit(url: str, tenants: Sequence[str], crowd: Crowd) -> Figures:
    """Wait until all tabs are up to date, but not for ever; then count what is wrong."""
    connection = await asyncpg.connect(url)
    try:
        truth = await _truth(connection, tenants)
        await _settled(crowd, truth)
        logs = await _logs(connection, tenants)
    finally:
        await connection.close()
    tabs = [(tab, (tab.user.tenant, tab.user.id)) for tab in crowd.tabs]
    return Figures(
        sockets=len(tabs),
        delivered=sum(len(tab.told) for tab, _inbox in tabs),
        missed=sum(tab.missed(logs[inbox].must[tab.shows_all]) for tab, inbox in tabs),
        doubled=sum(tab.doubled() + len({*tab.told} - logs[inbox].all) for tab, inbox in tabs),
        wrong_badges=sum(not _is_right(tab, truth[inbox].badge) for tab, inbox in tabs),
        wrong_copies=await _wrong_copies(crowd),
        resyncs=sum(tab.resyncs for tab, _inbox in tabs),
        lost_connections=sum(tab.lost for tab, _inbox in tabs),
    )


async def _truth(connection: Any, tenants: Sequence[str]) -> dict[Inbox, _Truth]:
    return {
        (row["tenant_id"], row["user_id"]): _Truth(
            row["seq"], Badge(row["total"], row["unread"], row["dismissed"])
        )
        for row in await connection.fetch(_TRUTH, tenants)
    }


def _is_right(tab: Tab, badge: Badge) -> bool:
    """Tell whether both badges of a tab are right: that of `stats`, and that of the last event, if any came."""
    return tab.badge == badge and tab.badge_of_event in {None, badge}


async def _settled(crowd: Crowd, truth: Mapping[Inbox, _Truth]) -> None:
    """Return when all have come to the last seq and the right badge, and had time for what they must not get."""

    def is_behind(tab: Tab) -> bool:
        inbox = truth[tab.user.tenant, tab.user.id]
        return tab.seq != inbox.seq or not _is_right(tab, inbox.badge)

    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while any(map(is_behind, crowd.tabs)):  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.05)
    await asyncio.sleep(_LATE_SECONDS)


async def _logs(connection: Any, tenants: Sequence[str]) -> dict[Inbox, _Log]:
    lines: dict[Inbox, list[Any]] = defaultdict(list)
    for line in await connection.fetch(_LOG, tenants):
        lines[line["tenant_id"], line["user_id"]].append(line)
    return {
        inbox: _Log({line["seq"] for line in found}, {it: _must(found, shows_all=it) for it in (True, False)})
        for inbox, found in lines.items()
    }


def _must(lines: Sequence[Any], *, shows_all: bool) -> set[int]:
    """Return the seqs of a log, read backwards, of which a tab must be told.

    Of a row since deleted only the deletion must be, and where dismissed rows are hidden nothing says that
    one has come which has changed since: it may have been hidden by then.
    """
    must, deleted, changed = set(), set(), set()
    for line in lines:
        id, kind = line["notification_id"], line["kind"]
        hidden = not shows_all and kind == EventKind.CREATED and id in changed
        if id not in deleted and not hidden:
            must.add(line["seq"])
        if kind == EventKind.REMOVED:
            deleted.add(id)
        elif kind == EventKind.UPDATED:
            changed.add(id)
    return must


async def _wrong_copies(crowd: Crowd) -> int:
    """Count the tabs whose copy is not what a query returns."""
    wrong = 0
    for (user, shows_all), tabs in crowd.alike().items():
        _cursor, rows = await inbox_of(user, shows_all=shows_all)
        wrong += sum(tab.copy != rows for tab in tabs)
    return wrong
