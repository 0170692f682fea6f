"""A state machine: an inbox changes in any order while two tabs of its user come, go and follow it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from db.draft import create
from db.session import Scope
from live.hub import Hub
from resolvers import cursor
from tests.live.copies import Copy, Filter, follow, snapshot
from tests.resolvers.support import DELETE, DISMISS, MARK_ALL_READ, READ, now
from tests.support import Api, Feed, Socket, draft

_START = datetime(2025, 1, 1, tzinfo=UTC)
_NOON = (_START + timedelta(hours=12)).isoformat()
_FILTERS: tuple[Filter, ...] = (
    None,
    {},
    {"readState": "UNREAD"},
    {"readState": "READ"},
    {"dismissed": "INCLUDE"},
    {"dismissed": "ONLY"},
    {"types": ["x"]},
    {"types": ["x"], "readState": "UNREAD", "dismissed": "INCLUDE"},
    {"categories": ["one"], "createdBefore": _NOON},
)
_PATIENCE = 20


class Person:
    """A user, the notifications they have, and the moments at which somebody looked."""

    def __init__(self, caller: Api.User) -> None:
        self.caller = caller
        self.ids: list[str] = []
        self.moments: list[str] = []


class Create(NamedTuple):
    """Notifications made in one transaction, some with a past; `other` gets one in it, too."""

    kinds: list[tuple[str, str]]
    hours: int | None
    then: str | None

    async def run(self, person: Person, other: Person) -> None:
        """Store them, then read or dismiss them at once."""
        at = None if self.hours is None else _START + timedelta(hours=self.hours)
        caller, theirs = person.caller, draft(other.caller.id, type="x")
        drafts = [draft(caller.id, type=type, category=it, created_at=at) for type, it in self.kinds]
        async with caller.api.database.transaction(Scope(caller.tenant, None)) as tx:
            await create(tx, [*drafts, theirs])
        other.ids.append(str(theirs.id))
        ids = [str(it.id) for it in drafts]
        person.ids += ids
        if self.then:
            await _ask(person, self.then, ids=ids)


class Set(NamedTuple):
    """Some rows read, unread, dismissed, restored or deleted."""

    document: str
    variables: dict[str, bool]
    rows: list[int]

    async def run(self, person: Person, _other: Person) -> None:
        """Do so, if there are rows."""
        if not person.ids:
            return
        ids = sorted({person.ids[row % len(person.ids)] for row in self.rows})
        if self.document == DELETE:
            person.ids = [id for id in person.ids if id not in ids]
        await _ask(person, self.document, ids=ids, **self.variables)


class MarkAll(NamedTuple):
    """All that matches marked read, up to a moment that somebody remembers."""

    filter: Filter
    moment: int | None

    async def run(self, person: Person, _other: Person) -> None:
        """Mark them."""
        up_to = None
        if self.moment is not None and person.moments:
            up_to = person.moments[self.moment % len(person.moments)]
        await _ask(person, MARK_ALL_READ, filter=self.filter, upTo=up_to)


Change = Create | Set | MarkAll


async def _ask(person: Person, document: str, **variables: Any) -> None:
    """Run a mutation. At once with a deletion it may be refused, and then it changes nothing."""
    answer = await person.caller.ask(document, **variables)
    assert answer.codes in ([], ["INVALID_NOTIFICATION_IDS"]), answer


_rows = st.lists(st.integers(0, 30), min_size=1, max_size=6)
_kinds = st.tuples(st.sampled_from("xy"), st.sampled_from(["one", "two"]))
_creations = st.builds(
    Create,
    st.lists(_kinds, min_size=1, max_size=3),
    st.none() | st.integers(0, 23),
    st.sampled_from([None, None, READ, DISMISS]),
)
_marks = st.builds(MarkAll, st.none() | st.sampled_from(_FILTERS), st.none() | st.integers(0, 30))


def _sets(document: str, **variables: bool) -> st.SearchStrategy[Set]:
    return st.builds(Set, st.just(document), st.just(variables), _rows)


_reads, _unreads = _sets(READ), _sets(READ, read=False)
_dismissals, _restorations, _deletions = _sets(DISMISS), _sets(DISMISS, dismissed=False), _sets(DELETE)
_changes = st.one_of(_creations, _reads, _unreads, _dismissals, _restorations, _deletions, _marks)
_tabs = st.integers(0, 1)


class Tab:
    """A client with one copy, which it keeps when it has no connection."""

    def __init__(self, caller: Api.User) -> None:
        self._caller = caller
        self._stack = AsyncExitStack()
        self.socket: Socket | None = None
        self.copy: Copy | None = None
        self._feed: Feed | None = None

    async def open(self, filter: Filter, settle: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        """Connect and follow from a snapshot's cursor; or, if there is a `settle`, from now on, and look then."""
        await self.drop()
        self.socket = await self._stack.enter_async_context(self._caller.socket())
        if settle:
            self._feed = await follow(self.socket, filter, None)
            await settle()
        self.copy = Copy(filter, await snapshot(self.socket, filter))
        if not settle:
            self._feed = await follow(self.socket, filter, self.copy.cursor)

    async def drop(self) -> None:
        """Lose the connection without a word; what had arrived is in the copy."""
        if self.socket:
            self.socket.abort()
            await self._stack.aclose()
            self.patch()
            self.socket = None

    async def resume(self) -> None:
        """Connect again and go on where the copy is."""
        if self.copy and not self.socket:
            self.socket = await self._stack.enter_async_context(self._caller.socket())
            self._feed = await follow(self.socket, self.copy.filter, self.copy.cursor)

    def patch(self) -> None:
        """Patch the copy with what has arrived."""
        if self._feed and self.copy:
            for message in self._feed.arrived():
                self.copy.patch(message["inboxEvents"])

    async def compare(self) -> bool:
        """Compare the copy, all events being sent, with a fresh snapshot; tell whether there was one."""
        if not (self.socket and self.copy):
            return False
        taken = await snapshot(self.socket, self.copy.filter)
        self.patch()
        fresh = Copy(self.copy.filter, taken)
        if self.copy.broken:
            self.copy = fresh
        assert self.copy.rows() == fresh.rows()
        assert self.copy.stats == fresh.stats or self.copy.cursor != fresh.cursor
        return True


class InboxMachine(RuleBasedStateMachine):
    """What a stale snapshot and its events say is what a fresh snapshot says, whatever happens in between.

    The machine runs in a thread; the server and its clients in the loop that is given.
    """

    steps = compared = 0

    def __init__(self, api: Api, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._tenant = f"tenant-{uuid4().hex[:12]}"
        self._hub: Hub = api.database._on_commit.__self__  # type: ignore[attr-defined]
        self._ada, self._grace = (Person(api.user(self._tenant, name)) for name in ("ada", "grace"))
        self._tabs = [Tab(self._ada.caller) for _ in range(2)]
        # A type that the tenant does not know yet is no restriction, and later it is one.
        self._wait_for(Create([("x", "one"), ("y", "one")], None, None).run(self._grace, self._ada))

    def _wait_for(self, it: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(it, self._loop).result(3 * _PATIENCE)

    def _step(self, it: Coroutine[Any, Any, None]) -> None:
        type(self).steps += 1
        self._wait_for(it)

    async def _settle(self) -> None:
        """Return when the server has sent to each tab all that there is, and forgotten those that are gone."""
        self._ada.moments.append(await now(self._ada.caller))
        place = tuple(cursor._decode(self._ada.moments[-1])[2:])
        inbox = (self._tenant, self._ada.caller.id)
        connected = sum(tab.socket is not None for tab in self._tabs)
        async with asyncio.timeout(_PATIENCE):
            while [it.seen for it in self._hub._waiters.get(inbox, ())] != [place] * connected:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    # -- tabs --------------------------------------------------------------------------------------------------

    @rule(tab=_tabs, filter=st.sampled_from(_FILTERS), from_now=st.booleans())
    def open(self, tab: int, filter: Filter, from_now: bool) -> None:
        """A tab opens: with the cursor of its snapshot, or without one and before its snapshot."""
        self._step(self._tabs[tab].open(filter, self._settle if from_now else None))

    @rule(tab=_tabs)
    def drop(self, tab: int) -> None:
        """A tab loses its connection."""
        self._step(self._tabs[tab].drop())

    @rule(tab=_tabs)
    def resume(self, tab: int) -> None:
        """A tab comes back."""
        self._step(self._tabs[tab].resume())

    @rule(tab=_tabs, changes=st.lists(_changes, min_size=1, max_size=4))
    def drop_meanwhile(self, tab: int, changes: list[Change]) -> None:
        """A tab loses its connection while events are on their way."""

        async def meanwhile() -> None:
            for change in changes:
                await change.run(self._ada, self._grace)
            await self._tabs[tab].drop()

        self._step(meanwhile())

    # -- changes -----------------------------------------------------------------------------------------------

    @rule(change=_creations)
    def create(self, change: Change) -> None:
        """Notifications arrive."""
        self._step(change.run(self._ada, self._grace))

    @rule(change=_reads)
    def read(self, change: Change) -> None:
        """Some are read."""
        self._step(change.run(self._ada, self._grace))

    @rule(change=_unreads)
    def unread(self, change: Change) -> None:
        """Some become unread."""
        self._step(change.run(self._ada, self._grace))

    @rule(change=_dismissals)
    def dismiss(self, change: Change) -> None:
        """Some are dismissed."""
        self._step(change.run(self._ada, self._grace))

    @rule(change=_restorations)
    def restore(self, change: Change) -> None:
        """Some come back."""
        self._step(change.run(self._ada, self._grace))

    @rule(change=_deletions)
    def delete(self, change: Change) -> None:
        """Some are deleted."""
        self._step(change.run(self._ada, self._grace))

    @rule(change=_marks)
    def mark_all_read(self, change: Change) -> None:
        """All that a filter shows is read, or all up to a moment."""
        self._step(change.run(self._ada, self._grace))

    @rule(changes=st.lists(_changes, min_size=2, max_size=6))
    def at_once(self, changes: list[Change]) -> None:
        """Several things happen at the same time."""

        async def together() -> None:
            await asyncio.gather(*(change.run(self._ada, self._grace) for change in changes))

        self._step(together())

    @rule(change=_changes)
    def elsewhere(self, change: Change) -> None:
        """Another user of the tenant changes her own."""
        self._step(change.run(self._grace, self._ada))

    # -- what holds --------------------------------------------------------------------------------------------

    @invariant()
    def copies_are_right(self) -> None:
        """Each tab that follows shows what a fresh snapshot shows, and the badge."""
        self._wait_for(self._compare())

    async def _compare(self) -> None:
        if any(tab.socket for tab in self._tabs):
            await self._settle()
            done = await asyncio.gather(*(tab.compare() for tab in self._tabs))
            type(self).compared += sum(done)

    def teardown(self) -> None:
        """Let those who are away come back, compare for the last time, and part."""
        self._wait_for(self._end())

    async def _end(self) -> None:
        try:
            for tab in self._tabs:
                await tab.resume()
            await self._compare()
        finally:
            for tab in self._tabs:
                await tab.drop()
