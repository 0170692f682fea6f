"""The inbox row: its lock, its counters that equal count(*), and a log without holes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from db import inbox, notification
from db.draft import Draft, create
from db.inbox import Head, Ledger
from db.notification import PageQuery
from db.session import Database, Hint, Row, Scope, Transaction
from db.types import Counters, Filter, Inclusion, ReadState
from tests.db.support import Connection, drift
from tests.support import draft

Step = Callable[[Transaction, Ledger, Sequence[Row]], Awaitable[object]]

TYPES = {"build.done": "build", "review.asked": "review", "deploy.failed": "build"}
USERS = ("ada", "grace", "zoë")


async def _create(store: Database, tenant: str, drafts: Sequence[Draft]) -> list[Draft]:
    async with store.transaction(Scope(tenant, None)) as tx:
        return await create(tx, drafts)


async def _change(store: Database, scope: Scope, ids: Sequence[UUID], step: Step) -> Head:
    """Do what a resolver does to rows: lock, look, change, write."""
    async with store.transaction(scope) as tx:
        ledger = await inbox.lock(tx)
        await step(tx, ledger, await notification.states(tx, ids))
        return (await ledger.write())[scope.user_id or ""]


async def _set_read(tx: Transaction, ledger: Ledger, rows: Sequence[Row]) -> int:
    return await notification.set_read(tx, ledger, rows, read=True)


async def _set_unread(tx: Transaction, ledger: Ledger, rows: Sequence[Row]) -> int:
    return await notification.set_read(tx, ledger, rows, read=False)


async def _dismiss(tx: Transaction, ledger: Ledger, rows: Sequence[Row]) -> int:
    return await notification.set_dismissed(tx, ledger, rows, dismissed=True)


async def _restore(tx: Transaction, ledger: Ledger, rows: Sequence[Row]) -> int:
    return await notification.set_dismissed(tx, ledger, rows, dismissed=False)


CHANGES = (_set_read, _set_unread, _dismiss, _restore, notification.delete)


async def _read_all(store: Database, scope: Scope, filter: Filter, up_to: int | None = None) -> int:
    """Do what markAllRead does; return how many became read."""
    async with store.transaction(scope) as tx:
        ledger = await inbox.lock(tx)
        seq = ledger.seq(scope.user_id or "") if up_to is None else up_to
        groups = await notification.read_all(tx, filter, seq)
        if groups:
            ids = [id for group in groups for id in group.ids]
            ledger.read_all(scope.user_id or "", groups, ids, seq)
        await ledger.write()
        return sum(group.unread + group.dismissed_unread for group in groups)


async def _head(store: Database, tenant: str, user: str = "ada") -> Head:
    return await inbox.head(store.reader(Scope(tenant, user)))


async def _rows(store: Database, scope: Scope) -> list[Row]:
    query = PageQuery(Filter(), 100, notification.ALL_COLUMNS)
    return (await notification.page(store.reader(scope), query)).rows


async def _events(superuser: Connection, tenant: str, user: str = "ada") -> list[Any]:
    query = "select * from tocsin.event where (tenant_id, user_id) = ($1, $2) order by seq"
    return await superuser.fetch(query, tenant, user)


# -- creating ------------------------------------------------------------------------------------------------


async def test_create_is_idempotent_by_id(store: Database, superuser: Connection, tenant: str) -> None:
    """What is stored already is not stored, counted or logged again, nor returned."""
    first, second = draft("ada"), draft("ada")
    assert await _create(store, tenant, [first]) == [first]
    assert await _create(store, tenant, [first, second]) == [second]
    assert await _create(store, tenant, [first, second]) == []
    assert await _head(store, tenant) == Head(1, 2, Counters(2, 2))
    assert await drift(superuser, tenant) == []


async def test_an_id_twice_in_one_call_is_one_row(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """A batch that repeats an id stores it once."""
    it = draft("ada")
    assert await _create(store, tenant, [it, it]) == [it]
    assert (await _head(store, tenant)).seq == 1
    assert await drift(superuser, tenant) == []


async def test_a_deleted_row_is_not_created_again(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """A late repetition does not bring back what its user deleted."""
    it = draft("ada")
    await _create(store, tenant, [it])
    await _change(store, Scope(tenant, "ada"), [it.id], notification.delete)
    assert await _create(store, tenant, [it]) == []
    assert await _head(store, tenant) == Head(1, 2, Counters())
    assert await drift(superuser, tenant) == []


async def test_concurrent_repetitions_store_one_row(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """Eight transactions with the same id: one stores it and seven find it stored."""
    it = draft("ada")
    stored = await asyncio.gather(*(_create(store, tenant, [it]) for _ in range(8)))
    assert sorted(map(len, stored)) == [0, 0, 0, 0, 0, 0, 0, 1]
    assert await _head(store, tenant) == Head(1, 1, Counters(1, 1))
    assert await drift(superuser, tenant) == []


async def test_the_unread_seq_is_the_seq_of_the_event(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """Creating and marking unread write the same number into the row and the log; nothing else moves it."""
    drafts = [draft("ada") for _ in range(3)]
    scope, ids = Scope(tenant, "ada"), [it.id for it in drafts]

    async def unread_seqs() -> dict[UUID, int]:
        query = "select id, unread_seq from tocsin.notification where tenant_id = $1"
        return {row["id"]: row["unread_seq"] for row in await superuser.fetch(query, tenant)}

    await _create(store, tenant, drafts)
    created = {row["notification_id"]: row["seq"] for row in await _events(superuser, tenant)}
    assert created == dict(zip(ids, (1, 2, 3), strict=True)) == await unread_seqs()
    await _change(store, scope, ids, _set_read)
    await _change(store, scope, ids, _dismiss)
    await _change(store, scope, ids, _restore)
    assert await unread_seqs() == created
    await _change(store, scope, ids[:2], _set_unread)
    logged = {row["notification_id"]: row["seq"] for row in await _events(superuser, tenant)}
    assert await unread_seqs() == {**logged, ids[2]: 3}
    assert sorted(logged[id] for id in ids[:2]) == [13, 14]


async def test_seqs_have_no_holes_under_concurrency(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """Forty writers to two inboxes, of which every fifth fails: 1..seq, and nothing of those that failed."""

    async def write(n: int) -> None:
        async with store.transaction(Scope(tenant, None)) as tx:
            await create(tx, [draft("ada"), draft("grace")][: 1 + n % 2])
            if n % 5 == 0:
                raise ZeroDivisionError

    done = await asyncio.gather(*(write(n) for n in range(40)), return_exceptions=True)
    assert sum(isinstance(it, ZeroDivisionError) for it in done) == 8
    assert sum(it is None for it in done) == 32
    assert (await _head(store, tenant)).seq == 32
    assert (await _head(store, tenant, "grace")).seq == 16
    assert await drift(superuser, tenant) == []


async def test_overlapping_recipients_never_deadlock(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """Fifty rounds of two transactions in opposite order, with recipients and types new and known."""
    for n in range(50):
        users = [f"user-{n // 2}-{m}" for m in range(4)]
        kinds = [f"type-{n // 5}-{m}" for m in range(4)]
        there = [draft(user, type=kind) for user, kind in zip(users, kinds, strict=True)]
        back = [draft(user, type=kind) for user, kind in zip(users[::-1], kinds, strict=True)]
        await asyncio.gather(_create(store, tenant, there), _create(store, tenant, back))
    assert await drift(superuser, tenant) == []
    query = "select count(*), min(seq), max(seq), sum(total) from tocsin.inbox where tenant_id = $1"
    assert tuple(await superuser.fetchrow(query, tenant) or ()) == (100, 4, 4, 400)


async def test_locks_are_taken_in_the_order_of_user_ids(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """Who waits for the first of two inboxes does not hold the second one yet, whichever was named first."""
    await _create(store, tenant, [draft("ada"), draft("ada"), draft("grace")])
    async with store.transaction(Scope(tenant, "ada")) as tx:
        await inbox.lock(tx)
        both = asyncio.create_task(_create(store, tenant, [draft("grace"), draft("ada")]))
        done, _pending = await asyncio.wait([both], timeout=0.1)
        assert not done
        async with asyncio.timeout(20):
            await _create(store, tenant, [draft("grace")])
    assert len(await both) == 2
    assert await drift(superuser, tenant) == []


async def test_several_recipients_are_one_transaction(
    store: Database, superuser: Connection, hints: list[Hint], tenant: str
) -> None:
    """If one row cannot be stored, none is, for nobody, and no inbox has moved."""
    hints.clear()
    bad = draft("grace", severity="LOUD")
    with pytest.raises(asyncpg.CheckViolationError, match="notification_severity_check"):
        await _create(store, tenant, [draft("ada"), bad])
    assert hints == []
    assert await superuser.fetchval("select count(*) from tocsin.tenant where id = $1", tenant) == 0


async def test_what_was_unknown_becomes_known(store: Database, superuser: Connection, tenant: str) -> None:
    """The first row of a tenant, type, recipient and group makes all of these, with exact counters."""
    await _create(store, tenant, [draft("ada", type="new.type", category="new")])
    for query, expected in (
        ("select name, category, icon from tocsin.notification_type", ("new.type", "new", "bell")),
        ("select id, email, name from tocsin.recipient", ("ada", None, None)),
        ("select user_id, epoch, seq, total, unread from tocsin.inbox", ("ada", 1, 1, 1, 1)),
        ("select type, category, total, unread from tocsin.inbox_count", ("new.type", "new", 1, 1)),
    ):
        rows = await superuser.fetch(f"{query} where tenant_id = $1", tenant)
        assert [tuple(row) for row in rows] == [expected]


async def test_nothing_is_created_from_nothing(store: Database, hints: list[Hint], tenant: str) -> None:
    """An empty batch is fine, and tells nobody."""
    hints.clear()
    assert await _create(store, tenant, []) == []
    assert hints == []


async def test_an_inbox_in_which_nothing_happened_is_empty(store: Database, tenant: str) -> None:
    """Reading, and marking all read, needs no row to be there."""
    assert await _head(store, tenant) == Head(1, 0, Counters())
    assert await _read_all(store, Scope(tenant, "ada"), Filter()) == 0
    assert await _rows(store, Scope(tenant, "ada")) == []


# -- changing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "back", "counters"),
    [
        (_set_read, _set_unread, Counters(2, 0)),
        (_dismiss, _restore, Counters(0, 0, 2, 2)),
    ],
)
async def test_a_change_and_its_opposite(
    store: Database, superuser: Connection, tenant: str, change: Step, back: Step, counters: Counters
) -> None:
    """Each changes the counters once, a repetition changes and logs nothing, the opposite takes it back."""
    drafts = [draft("ada"), draft("ada")]
    scope, ids = Scope(tenant, "ada"), [it.id for it in drafts]
    await _create(store, tenant, drafts)
    assert await _change(store, scope, ids, change) == Head(1, 4, counters)
    assert await _change(store, scope, ids, change) == Head(1, 4, counters)
    assert await _change(store, scope, ids, back) == Head(1, 6, Counters(2, 2))
    assert await drift(superuser, tenant) == []


async def test_a_repetition_keeps_the_instant(store: Database, tenant: str) -> None:
    """Marking read what is read leaves its readAt and updatedAt alone, beside one that does change."""
    old, new = draft("ada"), draft("ada")
    scope = Scope(tenant, "ada")
    await _create(store, tenant, [old, new])
    await _change(store, scope, [old.id], _set_read)
    before = {row.id: row for row in await _rows(store, scope)}
    await _change(store, scope, [old.id, new.id], _set_read)
    after = {row.id: row for row in await _rows(store, scope)}
    assert after[old.id].read_at == after[old.id].updated_at == before[old.id].read_at
    assert after[new.id].read_at > after[old.id].read_at


async def test_rows_of_others_are_not_found(store: Database, superuser: Connection, tenant: str) -> None:
    """Another user's ids, another tenant's and unknown ones change nothing and log nothing."""
    own, other = draft("grace"), draft("ada")
    await _create(store, tenant, [own, other])
    await _create(store, f"{tenant}-2", [draft("ada", id=other.id)])
    for change in CHANGES:
        head = await _change(store, Scope(tenant, "grace"), [other.id, uuid4()], change)
        assert head == Head(1, 1, Counters(1, 1))
        head = await _change(store, Scope(f"{tenant}-2", "ada"), [own.id], change)
        assert head == Head(1, 1, Counters(1, 1))
    assert await drift(superuser, tenant) == await drift(superuser, f"{tenant}-2") == []


async def test_mark_all_read_stops_at_a_seq(store: Database, superuser: Connection, tenant: str) -> None:
    """Rows that became unread after the seq stay so, whatever their age, and one event tells it all."""
    drafts = [draft("ada") for _ in range(3)]
    scope, ids = Scope(tenant, "ada"), [it.id for it in drafts]
    await _create(store, tenant, drafts)
    await _change(store, scope, ids[:1], _set_read)
    await _change(store, scope, ids[:1], _set_unread)
    assert await _read_all(store, scope, Filter(), up_to=3) == 2
    assert await _head(store, tenant) == Head(1, 6, Counters(3, 1))
    last = (await _events(superuser, tenant))[-1]
    assert (last["kind"], sorted(last["ids"]), last["up_to_seq"]) == ("READ", sorted(ids[1:]), 3)
    assert await _read_all(store, scope, Filter(), up_to=3) == 0
    assert await drift(superuser, tenant) == []


async def test_two_steps_in_one_ledger_add_up(store: Database, superuser: Connection, tenant: str) -> None:
    """Marking all read after other changes of the same group, in one transaction, counts both."""
    drafts = [draft("ada") for _ in range(3)]
    await _create(store, tenant, drafts)
    async with store.transaction(Scope(tenant, "ada")) as tx:
        ledger = await inbox.lock(tx)
        await _dismiss(tx, ledger, await notification.states(tx, [drafts[0].id]))
        groups = await notification.read_all(tx, Filter(), ledger.seq("ada"))
        ledger.read_all("ada", groups, [id for group in groups for id in group.ids], ledger.seq("ada"))
        await ledger.write()
    assert (await _head(store, tenant)).counters == Counters(2, 0, 1, 1)
    assert await drift(superuser, tenant) == []


@pytest.mark.parametrize(
    ("table", "values", "constraint"),
    [
        ("inbox", "total = -1, unread = -1", "inbox_listed_check"),
        ("inbox", "total = 1, unread = 2", "inbox_listed_check"),
        ("inbox", "dismissed = 1, dismissed_unread = 2", "inbox_hidden_check"),
        ("inbox", "dismissed_unread = -1", "inbox_hidden_check"),
        ("inbox_count", "unread = 9", "inbox_count_listed_check"),
        ("inbox_count", "unread = -1", "inbox_count_listed_check"),
        ("inbox_count", "dismissed_unread = 9", "inbox_count_hidden_check"),
        ("inbox_count", "dismissed = -1, dismissed_unread = -1", "inbox_count_hidden_check"),
        ("event", "kind = 'LOST'", "event_kind_check"),
        ("event", "kind = 'READ'", "event_subject_check"),
        ("event", "notification_id = null", "event_subject_check"),
        ("notification", "severity = 'loud'", "notification_severity_check"),
    ],
)
async def test_the_database_refuses_what_cannot_be(
    store: Database, superuser: Connection, tenant: str, table: str, values: str, constraint: str
) -> None:
    """Counters that do not add up and events without a subject are refused, to a superuser too."""
    await _create(store, tenant, [draft("ada")])
    with pytest.raises(asyncpg.CheckViolationError, match=f'"{constraint}"'):
        await superuser.execute(f"update tocsin.{table} set {values} where tenant_id = $1", tenant)


# -- anything, in any order ----------------------------------------------------------------------------------


class Walk:
    """Random steps by several users, and afterwards a look at all the counters and logs."""

    def __init__(self, store: Database, tenant: str, seed: int) -> None:
        self.store, self.tenant = store, tenant
        self.random = random.Random(seed)
        self.ids: list[UUID] = []

    async def step(self) -> None:
        """Create, change some rows (repeated, foreign and deleted ones among them), or mark all read."""
        scope = Scope(self.tenant, self.random.choice(USERS))
        chosen = self.random.choices(self.ids, k=self.random.randrange(1, 6)) if self.ids else []
        match self.random.randrange(10):
            case 0 | 1 | 2:
                await self._create()
            case 3:
                await _read_all(self.store, scope, self._filter(), self._up_to())
            case _:
                await _change(self.store, scope, chosen, self.random.choice(CHANGES))

    async def _create(self) -> None:
        kinds = self.random.choices([*TYPES.items()], k=self.random.randrange(1, 5))
        drafts = [draft(self.random.choice(USERS), type=kind, category=of) for kind, of in kinds]
        self.ids += [it.id for it in drafts]
        await _create(self.store, self.tenant, drafts)

    def _filter(self) -> Filter:
        return Filter(
            read_state=self.random.choice([*ReadState]),
            dismissed=self.random.choice([*Inclusion]),
            types=self.random.choice([None, ("build.done",), ("build.done", "review.asked")]),
            categories=self.random.choice([(), ("build",)]),
        )

    def _up_to(self) -> int | None:
        return self.random.choice([None, None, self.random.randrange(200)])


@pytest.mark.parametrize("seed", [1, 2])
async def test_counters_and_logs_are_exact_after_each_step(
    store: Database, superuser: Connection, tenant: str, seed: int
) -> None:
    """300 random steps: after each, inbox and inbox_count equal count(*), and events are 1..seq."""
    walk = Walk(store, tenant, seed)
    for n in range(300):
        await walk.step()
        assert await drift(superuser, tenant) == [], n
    heads = [await _head(store, tenant, user) for user in USERS]
    assert all(head.seq > 50 for head in heads)


async def test_counters_and_logs_are_exact_after_concurrent_steps(
    store: Database, superuser: Connection, tenant: str
) -> None:
    """Eight walks over the same rows at once: no deadlock, no drift, no hole."""
    walks = [Walk(store, tenant, seed) for seed in range(8)]
    for walk in walks:
        walk.ids = walks[0].ids

    async def run(walk: Walk) -> None:
        for _ in range(40):
            await walk.step()

    await asyncio.gather(*(run(walk) for walk in walks))
    assert await drift(superuser, tenant) == []
