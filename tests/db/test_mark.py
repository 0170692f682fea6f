"""Marks: what a naive inbox would show, for the price of one row."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import db.mark
import db.work
from db import inbox, notification, reconcile, stats
from db.draft import create
from db.inbox import Head
from db.notification import PageQuery
from db.session import Database, Row, Scope
from db.statement import Statement
from db.types import Counters, Filter, Inclusion, ReadState
from tests.db.support import Connection, drift
from tests.support import draft

TYPES = {"build.done": "build", "review.asked": "review"}
EVERYTHING = Filter(dismissed=Inclusion.INCLUDE)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


class Naive(NamedTuple):
    """A row that is changed itself, whatever happens to it; instants are the seqs of events."""

    type: str
    unread_seq: int
    updated: int
    read: int | None = None
    dismissed: bool = False


class Life:
    """One user's inbox, and beside it a naive one that nobody marks as a whole."""

    def __init__(self, store: Database, superuser: Connection) -> None:
        self._store, self._superuser = store, superuser
        self.scope = Scope(f"mark-{uuid4().hex[:12]}", "ada")
        self.seq = 0
        self.rows: dict[UUID, Naive] = {}

    # -- what happens ----------------------------------------------------------------------------------------

    async def create(self, types: Sequence[str]) -> None:
        """New rows."""
        drafts = [draft("ada", type=type, category=TYPES[type]) for type in types]
        async with self._store.transaction(Scope(self.scope.tenant_id, None)) as tx:
            await create(tx, drafts)
        for it in drafts:
            self.seq += 1
            self.rows[it.id] = Naive(it.type, self.seq, self.seq)

    async def set(self, what: str, picks: Sequence[int]) -> None:
        """Some rows are read, unread, dismissed, restored or deleted."""
        ids = [id for number, id in enumerate(self.rows) if number in picks]
        if not ids:
            return
        async with self._store.transaction(self.scope) as tx:
            ledger = await inbox.lock(tx)
            found = {row.id: row for row in await notification.states(tx, ids)}
            rows = [found[id] for id in ids]
            if what == "delete":
                await notification.delete(tx, ledger, rows)
            elif what in {"read", "unread"}:
                await notification.set_read(tx, ledger, rows, read=what == "read")
            else:
                await notification.set_dismissed(tx, ledger, rows, dismissed=what == "dismiss")
            await ledger.write()
        for id in ids:
            self._set(what, id)

    def _set(self, what: str, id: UUID) -> None:
        row, seq = self.rows[id], self.seq + 1
        changed = {
            "delete": row,
            "read": row._replace(read=seq if row.read is None else row.read),
            "unread": row._replace(read=None, unread_seq=row.unread_seq if row.read is None else seq),
            "dismiss": row._replace(dismissed=True),
            "restore": row._replace(dismissed=False),
        }[what]
        if what == "delete":
            del self.rows[id]
        elif changed != row:
            self.rows[id] = changed._replace(updated=seq)
        self.seq += what == "delete" or changed != row

    async def mark(self, back: int, types: tuple[str, ...] | None) -> None:
        """All is read, up to so many events ago, of some types or all."""
        up_to = max(0, self.seq - back)
        async with self._store.transaction(self.scope) as tx:
            ledger = await inbox.lock(tx)
            if types is None:
                groups = await db.mark.add(tx, up_to)
            else:
                groups = await notification.read_all(tx, Filter(types=types), up_to)
            if groups:
                ledger.read_all("ada", groups, None, up_to)
            await ledger.write()
        reached = {
            id: row._replace(read=self.seq + 1, updated=self.seq + 1)
            for id, row in self.rows.items()
            if row.read is None
            and row.unread_seq <= up_to
            and (types is None or (row.type in types and not row.dismissed))
        }
        assert sum(group.unread + group.dismissed_unread for group in groups) == len(reached)
        self.rows |= reached
        self.seq += bool(reached)

    async def settle(self, pick: int, limit: int) -> None:
        """A worker settles a few rows of some mark; not always of the first."""
        query = "select id from tocsin.mark where tenant_id = $1 order by through_seq"
        marks = await self._superuser.fetch(query, self.scope.tenant_id)
        if marks:
            async with self._store.transaction(self.scope) as tx:
                await inbox.lock(tx)
                await db.mark.settle(tx, marks[pick % len(marks)]["id"], limit)

    # -- what must hold --------------------------------------------------------------------------------------

    async def compare(self) -> None:
        """Rows, lists, counts and log are those of the naive inbox."""
        tenant, reader = self.scope.tenant_id, self._store.reader(self.scope)
        events = await self._superuser.fetch("select seq, at from tocsin.event where tenant_id = $1", tenant)
        at = {None: None, **{event["seq"]: event["at"] for event in events}}
        shown = {row.id: row for row in await self._page(EVERYTHING)}
        assert {
            id: (row.unread_seq, row.read_at, row.updated_at, row.dismissed_at is not None)
            for id, row in shown.items()
        } == {
            id: (row.unread_seq, at[row.read], at[row.updated], row.dismissed)
            for id, row in self.rows.items()
        }
        assert await inbox.head(reader) == (Head(1, self.seq, self._counters()) if at else Head())
        assert await drift(self._superuser, tenant) == []
        assert await reconcile.drifts(self._store.reader(Scope(tenant, None)), ["ada"]) == []
        for state in (ReadState.UNREAD, ReadState.READ):
            await self._compare_state(state)

    async def _compare_state(self, state: ReadState) -> None:
        """Lists and counts of a read state, also where the counters cannot answer."""
        of_state = {id for id, row in self.rows.items() if (row.read is None) == (state == ReadState.UNREAD)}
        for since in (None, LONG_AGO):
            filter = Filter(state, Inclusion.INCLUDE, created_after=since)
            assert {row.id for row in await self._page(filter)} == of_state
            groups = await stats.groups(self._store.reader(self.scope), filter)
            assert sum(counters.total for _type, _category, counters in groups) == len(of_state)

    async def _page(self, filter: Filter) -> list[Row]:
        query = PageQuery(filter, 1_000, notification.ALL_COLUMNS, with_total=True)
        page = await notification.page(self._store.reader(self.scope), query)
        assert page.total == len(page.rows)
        return page.rows

    def _counters(self) -> Counters:
        total = Counters()
        for row in self.rows.values():
            total = total.plus(Counters.of_row(unread=row.read is None, dismissed=row.dismissed))
        return total


_picks = st.sets(st.integers(0, 12), min_size=1, max_size=5)
_types = st.sampled_from(sorted(TYPES))
_steps = st.one_of(
    st.tuples(st.just("create"), st.lists(_types, min_size=1, max_size=5)),
    st.tuples(
        st.just("set"), st.sampled_from(["read", "unread", "unread", "dismiss", "restore", "delete"]), _picks
    ),
    st.tuples(st.just("mark"), st.sampled_from([0, 0, 1, 3, 9]), st.none()),
    st.tuples(st.just("mark"), st.sampled_from([0, 2]), st.none() | st.tuples(_types)),
    st.tuples(st.just("settle"), st.integers(0, 3), st.integers(1, 3)),
)


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(_steps, min_size=4, max_size=16))
async def test_marks_against_a_naive_inbox(
    store: Database, superuser: Connection, steps: list[tuple[Any, ...]]
) -> None:
    """Whatever happens, in any order, settled or not: an inbox shows what one without marks would."""
    life = Life(store, superuser)
    await life.create([*TYPES] * 3)
    for name, *arguments in steps:
        await getattr(life, name)(*arguments)
        await life.compare()


async def test_a_mark_of_another_reaches_nobody_else(store: Database, superuser: Connection) -> None:
    """Rows of the tenant's other users stay as they are, for them and for their counters."""
    life = Life(store, superuser)
    tenant = life.scope.tenant_id
    await life.create([*TYPES])
    async with store.transaction(Scope(tenant, None)) as tx:
        await create(tx, [draft("grace")])
    await life.mark(0, None)
    await life.compare()
    grace = store.reader(Scope(tenant, "grace"))
    page = await notification.page(grace, PageQuery(EVERYTHING, 10, notification.ALL_COLUMNS))
    assert [row.read_at for row in page.rows] == [None]
    assert page.head.counters == Counters(1, 1)


# -- what it costs -------------------------------------------------------------------------------------------

_FILL = """
insert into tocsin.notification (tenant_id, id, user_id, type, category, title, body, unread_seq)
select $1, gen_random_uuid(), 'ada', 'a', 'a', 'title', '', n from generate_series(1, $2) n
"""
_COUNTERS = "(tenant_id, user_id, {} total, unread) values ($1, 'ada', {} $2::int, $2::int)"


async def _filled(superuser: Connection, rows: int) -> Scope:
    """Return an inbox of unread rows."""
    scope = Scope(f"mark-{uuid4().hex[:12]}", "ada")
    await superuser.execute("insert into tocsin.tenant values ($1)", scope.tenant_id)
    for table, names, values in (
        ("inbox", "seq,", "$2::int,"),
        ("inbox_count", "type, category,", "'a', 'a',"),
    ):
        counters = _COUNTERS.format(names, values)
        await superuser.execute(f"insert into tocsin.{table} {counters}", scope.tenant_id, rows)
    await superuser.execute(_FILL, scope.tenant_id, rows)
    await superuser.execute("vacuum analyze tocsin.notification")
    return scope


async def _physically(superuser: Connection, scope: Scope) -> list[Any]:
    """Return where each row is and which transaction wrote it."""
    query = "select ctid, xmin, xmax from tocsin.notification where tenant_id = $1 order by ctid"
    return [tuple(row) for row in await superuser.fetch(query, scope.tenant_id)]


async def test_a_mark_writes_no_notification(store: Database, superuser: Connection) -> None:
    """Not one row is written or locked, and the badge is empty."""
    scope = await _filled(superuser, 1_000)
    before = await _physically(superuser, scope)
    async with store.transaction(scope) as tx:
        ledger = await inbox.lock(tx)
        ledger.read_all("ada", await db.mark.add(tx, 1_000), None, 1_000)
        await ledger.write()
    assert (await inbox.head(store.reader(scope))).counters == Counters(1_000, 0)
    assert len(before) == 1_000
    assert await _physically(superuser, scope) == before


async def _buffers(superuser: Connection, scope: Scope, statement: Statement, **values: Any) -> int:
    """Return how many pages a statement touches, run as the server's role; what it does is rolled back."""
    transaction = superuser.transaction()
    await transaction.start()
    try:
        await superuser.execute("set local role tocsin_app")
        await superuser.execute(
            "select set_config('tocsin.tenant', $1, true), set_config('tocsin.actor', 'user:ada', true)",
            scope.tenant_id,
        )
        found = await superuser.fetchval(
            f"explain (analyze, buffers, format json) {statement.text}",
            *statement.arguments({**values, **scope.binds}),
        )
    finally:
        await transaction.rollback()
    plan = json.loads(found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.skipif("TOCSIN_TEST_RLS_ALONE" in os.environ, reason="plans need predicates")
async def test_a_mark_costs_the_same_for_any_inbox(store: Database, superuser: Connection) -> None:
    """All that depends on the inbox touches as many pages for 20,000 unread rows as for 100, or a few more."""
    assert store
    costs = []
    for rows in (100, 20_000):
        scope = await _filled(superuser, rows)
        costs.append(
            [
                await _buffers(superuser, scope, db.mark._REACHED, up_to_seq=up_to)
                for up_to in (rows, rows - 10)
            ]
            + [await _buffers(superuser, scope, db.mark._ADD, mark_id=uuid4(), up_to_seq=rows)]
        )
    few, many = costs
    assert all(now <= 2 * then for then, now in zip(few, many, strict=True)), costs
