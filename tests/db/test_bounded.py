"""Work is bounded: pages are read in an index's order, badges never look at rows, nothing grows with an inbox."""

import os
from collections.abc import AsyncIterator

import pytest

import db.filter
import db.notification
import db.stats
from db.session import Scope
from db.types import Filter, Position
from tests.db.bounded import (
    HEAVY,
    IN_ORDER,
    MODES,
    OPERATIONS,
    OTHERS,
    PAGE,
    UNORDERED,
    Crowd,
    Watch,
    Watched,
    buffers,
    cost,
    fill,
    middle,
    pages,
)
from tests.db.soak_bounded import growth, lists
from tests.support import Api, provision, running_server, test_settings

pytestmark = pytest.mark.skipif("TOCSIN_TEST_RLS_ALONE" in os.environ, reason="plans need predicates")

SMALL, LARGE = 100, 10_000
CROWD = Crowd(40, 10, 50, {"ada": LARGE, "grace": SMALL})
ADA = Scope(HEAVY, "ada")


@pytest.fixture(scope="module")
async def crowded(superuser_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """Serve a database of 30,100 rows, a third of them in one inbox."""
    async with provision(superuser_url) as urls:
        await fill(urls.superuser, CROWD)
        async with running_server(test_settings(urls, tmp_path_factory.mktemp("data"))) as api:
            yield api


@pytest.fixture(scope="module")
async def place(crowded: Api) -> Position:
    """A row in the middle of the large inbox."""
    return await middle(crowded.database, ADA, LARGE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", IN_ORDER)
async def test_a_page_is_read_in_order(crowded: Api, place: Position, name: str, mode: str) -> None:
    """No sequential scan and no sort, whichever page of it; without a filter no row too many is looked at."""
    for way, query in pages(IN_ORDER[name], place).items():
        watch = Watch(mode)
        page = await db.notification.page(Watched(crowded.database, watch).reader(ADA), query)
        assert len(page.rows) == PAGE, way
        assert {it for it in watch.kinds if it in UNORDERED or it.startswith("Seq Scan")} == set(), way
        assert watch.kinds["Index Scan"] >= 1
        # A seventh is dismissed, half is read, a tenth is of a type and a fifth of a category.
        assert watch.most_rows <= PAGE * 15, way


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OTHERS)
async def test_any_other_filter_costs_a_users_rows(
    crowded: Api, place: Position, name: str, mode: str
) -> None:
    """Not more are looked at than the inbox has, for a page, its total, and the counts of a filter."""
    for way, query in pages(OTHERS[name], place).items():
        watch = Watch(mode)
        reader = Watched(crowded.database, watch).reader(ADA)
        await db.notification.page(reader, query._replace(with_total=True))
        await db.stats.groups(reader, query.filter)
        assert watch.most_rows <= LARGE, way
        assert "Seq Scan on notification" not in watch.kinds, way


@pytest.mark.parametrize("name", ["badge", "groups"])
async def test_a_badge_looks_at_no_row(crowded: Api, name: str) -> None:
    """Nor do counts by type and category."""
    assert (await cost(crowded, name, "ada")).most_rows == 0


@pytest.mark.parametrize("mode", MODES)
async def test_a_total_without_other_filters_looks_at_no_row(crowded: Api, mode: str) -> None:
    """Beside the page's own rows: by read state, dismissed, type and category the counters tell."""
    for name in IN_ORDER:
        watch = Watch(mode)
        reader = Watched(crowded.database, watch).reader(ADA)
        await db.stats.groups(reader, IN_ORDER[name])
        assert watch.most_rows == 0, name


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_large_inbox_costs_what_a_small_one_does(crowded: Api, name: str) -> None:
    """A hundred times the rows are at most twice the pages of memory."""
    small, large = [await buffers(crowded, name, user) for user in ("grace", "ada")]
    assert 0 < large <= 2 * small


async def test_the_soak_finds_no_fault(crowded: Api) -> None:
    """What `make soak` does with a million rows works with these, and tells of each filter and operation."""
    found = [await lists(crowded, LARGE), await growth(crowded, CROWD)]
    assert [it.faults for it in found] == [[], []]
    assert [len(it.lines) for it in found] == [len(IN_ORDER) + len(OTHERS), len(OPERATIONS)]


async def test_the_watch_sees_what_it_is_for(crowded: Api) -> None:
    """Without the index a page is sorted, and the whole inbox is looked at."""
    async with crowded.database.pool.acquire() as connection:
        await connection.execute("set enable_indexscan = off; set enable_bitmapscan = off")
        watch = Watch()
        statement = db.notification._page_statement(
            db.notification._PageShape(
                db.filter.shape_of(Filter()), db.notification.ALL_COLUMNS, False, False, False, False
            )
        )
        await watch.note(connection, statement, statement.arguments({"limit": 20, **ADA.binds}))
        await connection.execute("reset enable_indexscan; reset enable_bitmapscan")
    assert {"Sort", "Seq Scan on notification"} <= watch.kinds.keys()
    assert watch.most_rows >= LARGE
