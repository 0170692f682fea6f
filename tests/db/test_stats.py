"""Counts: the counters' arithmetic and count(*) say the same for every filter."""

import random
from itertools import product
from typing import Any

import pytest

from db import inbox, notification
from db.draft import create
from db.notification import PageQuery, page
from db.session import Database, Scope
from db.stats import groups
from db.types import Counters, Filter, Inclusion, ReadState
from tests.db.support import Connection
from tests.support import draft

TYPES = {"build.done": "build", "review.asked": "review", "deploy.failed": "build"}
# A restriction that every row passes, which only rows can tell: it makes the counts come from these.
EVERY_ROW: dict[str, Any] = {"targets": ("all",)}
STATES = list(product(ReadState, Inclusion))


@pytest.fixture(scope="module")
async def scope(store: Database) -> Scope:
    """One user's rows in every state, among another's, with one group of which all rows were deleted."""
    scope = Scope("stats", "ada")
    some = random.Random(3)
    drafts = [
        draft(user, type=kind, category=category, targets=("all",), team_id=some.choice(("red", "blue")))
        for user in ("ada", "ada", "grace")
        for kind, category in [*TYPES.items()] * 12
    ]
    gone = [draft("ada", type="gone", category="gone", targets=("all",)) for _ in range(3)]
    async with store.transaction(Scope("stats", None)) as tx:
        await create(tx, [*drafts, *gone])
    ids = [it.id for it in drafts]
    async with store.transaction(scope) as tx:
        ledger = await inbox.lock(tx)
        for change in ("read", "dismissed"):
            rows = await notification.states(tx, some.sample(ids, 45))
            if change == "read":
                await notification.set_read(tx, ledger, rows, read=True)
            else:
                await notification.set_dismissed(tx, ledger, rows, dismissed=True)
        await notification.delete(
            tx, ledger, await notification.states(tx, [*some.sample(ids, 15), *(it.id for it in gone)])
        )
        await ledger.write()
    return scope


def _shown(found: list[tuple[str, str, Counters]]) -> list[tuple[str, str, Counters]]:
    """Return the groups in order; one without rows is the same as none."""
    return sorted(group for group in found if any(group[2]))


@pytest.mark.parametrize(("read_state", "dismissed"), STATES)
@pytest.mark.parametrize("more", [{}, {"types": ("build.done", "gone")}, {"categories": ("build",)}])
async def test_counters_say_what_rows_say(
    store: Database, scope: Scope, read_state: ReadState, dismissed: Inclusion, more: dict[str, Any]
) -> None:
    """groups() from the counters equals groups() from the rows, in every state, group by group."""
    filter = Filter(read_state, dismissed, **more)
    reader = store.reader(scope)
    counted = await groups(reader, filter)
    assert _shown(counted) == _shown(await groups(reader, Filter(read_state, dismissed, **more, **EVERY_ROW)))
    assert _shown(counted) != []


_LISTED = {
    Inclusion.EXCLUDE: "dismissed_at is null",
    Inclusion.ONLY: "dismissed_at is not null",
    Inclusion.INCLUDE: "true",
}
_READ = {
    ReadState.ALL: "true",
    ReadState.UNREAD: "read_at is null",
    ReadState.READ: "read_at is not null",
}


@pytest.mark.parametrize(("read_state", "dismissed"), STATES)
async def test_groups_say_what_plain_sql_says(
    store: Database, superuser: Connection, scope: Scope, read_state: ReadState, dismissed: Inclusion
) -> None:
    """`total` and `unread` are of the rows listed; `dismissed` of all dismissed rows of that read state."""
    rows = await superuser.fetch(
        f"""
        select type, category, count(*) filter (where {_LISTED[dismissed]}),
          count(*) filter (where {_LISTED[dismissed]} and read_at is null),
          count(*) filter (where dismissed_at is not null),
          count(*) filter (where dismissed_at is not null and read_at is null)
        from tocsin.notification where (tenant_id, user_id) = ('stats', 'ada') and deleted_at is null
        and {_READ[read_state]} group by type, category
        """
    )
    expected = [(row[0], row[1], Counters(*list(row)[2:])) for row in rows]
    assert _shown(await groups(store.reader(scope), Filter(read_state, dismissed))) == _shown(expected)


@pytest.mark.parametrize(("read_state", "dismissed"), STATES)
@pytest.mark.parametrize(
    "more", [{}, {"types": ("build.done",)}, {"categories": ("build",)}, {"teams": ("red",)}, EVERY_ROW]
)
async def test_the_total_of_a_page_is_the_number_of_its_rows(
    store: Database, scope: Scope, read_state: ReadState, dismissed: Inclusion, more: dict[str, Any]
) -> None:
    """total_of() a filter, by whichever way, is how many rows a page without a limit has."""
    filter = Filter(read_state, dismissed, **more)
    found = await page(store.reader(scope), PageQuery(filter, 1_000, ("id", "created_at"), with_total=True))
    assert found.total == len(found.rows) > 0
    of_groups = [counters.total for _type, _category, counters in await groups(store.reader(scope), filter)]
    assert sum(of_groups) == found.total


@pytest.mark.parametrize(("read_state", "dismissed"), STATES)
def test_matching_is_what_counting_such_rows_gives(read_state: ReadState, dismissed: Inclusion) -> None:
    """Counters.matching() of a sum equals the sum over rows of the right state, for every mix of rows."""
    some = random.Random(5)
    for _ in range(50):
        rows = [(some.random() < 0.5, some.random() < 0.5) for _ in range(some.randrange(8))]
        whole = Counters()
        wanted = Counters()
        for unread, hidden in rows:
            whole = whole.plus(Counters.of_row(unread=unread, dismissed=hidden))
            if read_state == (ReadState.READ if unread else ReadState.UNREAD):
                continue
            listed = {Inclusion.EXCLUDE: not hidden, Inclusion.ONLY: hidden, Inclusion.INCLUDE: True}[
                dismissed
            ]
            hidden_too = (int(hidden), int(hidden and unread))
            wanted = wanted.plus((int(listed), int(listed and unread), *hidden_too))
        assert whole.matching(read_state, dismissed) == wanted


def test_counters_add_and_subtract() -> None:
    """Plus and minus are inverse."""
    one, two = Counters(1, 2, 3, 4), Counters(4, 3, 2, 1)
    assert one.plus(two) == Counters(5, 5, 5, 5)
    assert one.plus(two).minus(two) == one
