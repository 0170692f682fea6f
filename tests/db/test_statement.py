"""Every statement of the house: its binds, its plan, and that a Read's context comes before its rows."""

import asyncio
import importlib
import json
import os
import pkgutil
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import combinations, product
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import func, select

import db
import db.audit
import db.channel
import db.delivery
import db.event
import db.notification
import db.notification_type
import db.preference
import db.recipient
import db.removal
import db.stats
from db import tables
from db.draft import create
from db.filter import _WHEN_GIVEN, Shape
from db.listing import Listing, count_statement, page_statement
from db.notification import ALL_COLUMNS, _PageShape
from db.session import Database, Scope, open_database
from db.statement import SET_CONTEXT, Read, Statement, Write
from db.tables import notification
from db.types import Filter, Inclusion, Position, ReadState
from tests.db.support import PERSONAL, Connection, app_connection, holders, literal
from tests.support import Urls, draft

Plan: TypeAlias = dict[str, Any]
TENANTS, RUNS = 50, 2_000
# Row level security alone gives the right rows, but not the plans that predicates make fast.
with_predicates = pytest.mark.skipif("TOCSIN_TEST_RLS_ALONE" in os.environ, reason="plans need predicates")

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ID = UUID(int=1)
SCOPE = {"tenant_id": "statement-1", "user_id": "ada", "actor": "user:ada"}
_TEXTS = (
    "types",
    "categories",
    "targets",
    "teams",
    "names",
    "users_id",
    "types_name",
    "types_category",
    "statuses",
    "mutations",
)
_ONE = (
    *("kind", "status", "severity", "title", "body", "url", "icon", "team_id", "category", "type", "name"),
    *("group", "title_template", "body_template", "reason", "error", "who", "owner_id", "project_id"),
    *("environment_id", "channel_kind", "email", "timezone", "prefix", "admin", "subject", "recipient"),
)
# One value for each bind that any statement names; what comes back does not matter, that it runs does.
VALUES: dict[str, Any] = {
    **SCOPE,
    **{name: ["a"] for name in _TEXTS},
    **dict.fromkeys(_ONE, "a"),
    **{name: [ID] for name in ("ids", "keys", "templates", "unread_id", "events_notification_id")},
    **dict.fromkeys(
        ("id", "mark_id", "at_id", "template_id", "notification_id", "channel_id", "delivery_id"), ID
    ),
    **dict.fromkeys(("at", "created_at", "created_after", "created_before", "next_attempt_at"), NOW),
    **dict.fromkeys(
        ("limit", "offset", "new_epoch", "after", "seq", "up_to_seq", "number", "duration_ms"), 3
    ),
    **dict.fromkeys(("status_code", "unread_seq"), 3),
    **{name: {"a": 1} for name in ("actions", "data", "config", "secrets")},
    **dict.fromkeys(("this", "channel", "notification"), ID),
    **dict.fromkeys(("why", "noun", "method"), "a"),
    **dict.fromkeys(("retention_days", "inbox_days"), 3),
    **dict.fromkeys(("notifier_paused", "enabled_by_default"), True),
    "waiting": ["a"],
    **{f"groups_{name}": ["a"] for name in ("user_id", "type", "category")},
    **{f"events_{name}": ["a"] for name in ("user_id", "kind")},
    **{f"counts_{name}": ["a"] for name in ("user_id", "type", "category")},
    **{
        f"{table}_{name}": [0]
        for table in ("counts", "inboxes")
        for name in ("total", "unread", "dismissed", "dismissed_unread")
    },
    "hash": b"a",
    **dict.fromkeys(("admin", "action", "subject_name"), "a"),
    "changed": ["a"],
    "agent_id": ID,
    **{f"rows_{name}": ["a"] for name in ("id", "email", "name", "timezone", "category", "icon")},
    **{f"rows_has_{name}": [True] for name in ("email", "name", "timezone", "category", "icon")},
    **{f"rows_{name}": [True] for name in ("enabled_by_default", "required")},
    **{f"rows_has_{name}": [True] for name in ("enabled_by_default", "required")},
    "inboxes_user_id": ["a"],
    "inboxes_seq": [1],
    "events_seq": [1],
    "enabled": True,
    "days": 7,
    "users": ["a"],
    **dict.fromkeys(("new_total", "new_unread", "new_dismissed", "new_dismissed_unread"), 0),
    **dict.fromkeys(("subject", "after_user"), "a"),
    **dict.fromkeys(("quiet_start", "quiet_end", "digest", "digest_at")),
    **dict.fromkeys(("request_id", "template", "lease"), ID),
    **dict.fromkeys(("caller", "idempotency_key", "position", "way"), "a"),
    **dict.fromkeys(("recipients", "done", "created", "suppressed", "escalate_minutes", "most"), 3),
    **{name: ["a"] for name in ("recipient_ids", "channels", "tenants")},
    **{name: [ID] for name in ("notification_ids", "leases")},
    "fingerprint": b"a",
    "traceparent": f"00-{'1' * 32}-{'1' * 16}-01",
    "until": NOW,
    "rooms": [3],
    "seconds": 3.0,
    **{f"copies_{name}": ["a"] for name in ("user_id", "category")},
    "copies_id": [ID],
    "copies_unread_seq": [3],
    **{f"planned_{name}": [ID] for name in ("id", "notification_id", "channel_id")},
    **{f"planned_{name}": ["a"] for name in ("user_id", "status", "reason")},
    **{f"planned_{name}": [True] for name in ("is_test", "if_unread", "in_digest")},
    "planned_next_attempt_at": [NOW],
    **{f"r_{name}": [ID] for name in ("id", "lease")},
    **{f"r_{name}": ["a"] for name in ("status", "reason", "error")},
    **{f"r_{name}": [True] for name in ("in_digest", "tried")},
    **{f"r_{name}": [3] for name in ("delay", "duration_ms", "status_code")},
    "r_at": [NOW],
    "wanted_reader": ["a"],
    "wanted_after": [3],
    "bytes": 3,
}
# Names that mean something else in one statement.
OTHERWISE = {
    ("_SET_UNREAD", "unread_seq"): [3],
    ("agent._INSERT", "types"): ["a"],
    ("work._LANES", "after"): "~",  # after all tenants of other tests
    ("work._BACKLOG", "after"): "~",
}
# The worker's search for work, of all tenants: on the pool, in no transaction.
WORK = ("db.work._LANES", "db.work._BACKLOG", "db.work._PICK", "db.work._EXTEND", "db.work._RELEASE")
# All that runs without a scope: beside the search what sets a scope, and what finds the tenants.
WITHOUT_SCOPE = {"db.epoch._NEXT", "db.statement.SET_CONTEXT", "db.tenant._IDS", *WORK}
# Writes that touch no table.
WITHOUT_TABLE = ("_ADD_TENANT", "preference._LOCK", "outbox._TURN")


def _module_level() -> dict[str, Statement]:
    """Find each statement that a module of db/ names."""
    modules = [importlib.import_module(f"db.{it.name}") for it in pkgutil.iter_modules(db.__path__)]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Statement) and not (value is SET_CONTEXT and module.__name__ != "db.statement")
    }


def _shapes() -> Iterator[Shape]:
    """Yield each read state and inclusion, with no, each, and all restrictions."""
    names = tuple(_WHEN_GIVEN)
    given = [(), *combinations(names, 1), ("types", "categories"), names]
    yield from (Shape(*them) for them in product(ReadState, Inclusion, given))


def _listed() -> Iterator[tuple[str, Listing, tuple[str, ...]]]:
    """Yield each listing with no, each, and all restrictions."""
    for module in (db.audit, db.channel, db.delivery):
        names = tuple(module.LISTING._restrictions)
        for given in dict.fromkeys([(), *combinations(names, 1), names]):
            yield module.__name__, module.LISTING, given


def _built() -> dict[str, Statement]:
    """Build what depends on a filter, a page or a narrowing, in every shape."""
    flags = list(product((False, True), repeat=4))
    pages = {
        f"page {shape} {page}": db.notification._page_statement(_PageShape(shape, ALL_COLUMNS, *page))
        for shape in _shapes()
        for page in (flags if shape == Shape() else flags[:1] + flags[-1:])
    }
    narrowings = [them for size in range(4) for them in combinations(db.preference._NARROWING, size)]
    return {
        **pages,
        **{f"groups {shape}": db.stats._groups_statement(shape) for shape in _shapes()},
        **{f"after {shape}": db.event._after_statement(shape, ALL_COLUMNS) for shape in _shapes()},
        **{f"read_all {shape}": db.notification._read_all_statement(shape) for shape in _shapes()},
        **{
            f"{name} {given} {keyset}": page_statement(listing, given, keyset=keyset)
            for name, listing, given in _listed()
            for keyset in (False, True)
        },
        **{f"{name} count {given}": count_statement(listing, given) for name, listing, given in _listed()},
        **{f"preferences {them}": db.preference._list_statement(them) for them in narrowings},
        "by ids": db.notification._by_ids_statement(ALL_COLUMNS),
        **{f"erase {number}": it for number, it in enumerate(db.removal._ERASE)},
        "people lock": db.recipient._PATCH._lock,
        "people set": db.recipient._PATCH._set,
        "types lock": db.notification_type._PATCH._lock,
        "types set": db.notification_type._PATCH._set,
    }


MODULE_LEVEL = _module_level()


@cache
def every() -> dict[str, Statement]:
    """Return all statements; not at import, which each process of the tests pays for."""
    return {**MODULE_LEVEL, **_built()}


@cache
def reads() -> dict[str, Read]:
    """Return those that only read."""
    return {name: statement for name, statement in every().items() if isinstance(statement, Read)}


def _arguments(name: str, statement: Statement) -> list[Any]:
    own = {bind: value for (of, bind), value in OTHERWISE.items() if name.endswith(of)}
    return statement.arguments({**VALUES, **own})


def test_the_statements_are_found() -> None:
    """What follows is about all statements, so their number is known; it changes when one is added."""
    assert (len(MODULE_LEVEL), sum(isinstance(it, Read) for it in MODULE_LEVEL.values())) == (130, 35)


def test_what_has_no_scope_is_known() -> None:
    """Each statement is a Read or a Write, but for a few: nothing else runs without a tenant's context."""
    reads_and_writes = {name for name, it in every().items() if isinstance(it, Read | Write)}
    assert every().keys() - reads_and_writes == WITHOUT_SCOPE


@pytest.mark.parametrize("name", MODULE_LEVEL)
def test_every_bind_is_covered(name: str) -> None:
    """Each placeholder has a name, each name one placeholder and a value; nothing is left to SQLAlchemy."""
    statement = MODULE_LEVEL[name]
    for number in range(1, len(statement.names) + 1):
        assert f"${number}" in statement.text
    assert f"${len(statement.names) + 1}" not in statement.text
    assert "POSTCOMPILE" not in statement.text
    assert len(_arguments(name, statement)) == len(statement.names)


async def test_every_statement_prepares_with_the_types_of_its_values(app: Connection) -> None:
    """Postgres accepts each text as the application's role, and takes as many binds as there are names."""
    for name, statement in every().items():
        prepared = await app.prepare(statement.text)
        assert len(prepared.get_parameters()) == len(statement.names), name


async def test_every_read_runs(store: Database) -> None:
    """Each Read, in every shape, runs with a value of the right type for each bind."""
    reader = store.reader(Scope("statement-1", "ada"))
    for name, statement in reads().items():
        rows = await reader.fetch(statement, **{**VALUES, "kind": "SLACK"})
        assert len(rows) <= 1, name


# -- plans ---------------------------------------------------------------------------------------------------


async def _plan(connection: Connection, mode: str, statement: Statement, values: Sequence[Any]) -> Plan:
    """Return the plan that a prepared statement gets."""
    await connection.execute(f"set plan_cache_mode = {mode}")
    await connection.execute(f"prepare it as {statement.text}")
    execute = f"execute it({', '.join(literal(value) for value in values)})" if values else "execute it"
    plan = json.loads(await connection.fetchval(f"explain (format json) {execute}"))[0]["Plan"]
    await connection.execute("deallocate it")
    assert isinstance(plan, dict)
    return plan


def _nodes(plan: Plan) -> Iterator[Plan]:
    """Yield a node and all below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _tables_of(plan: Plan) -> list[str]:
    return [node["Relation Name"] for node in _nodes(plan) if "Relation Name" in node]


def _is_context(node: Plan) -> bool:
    return (node["Node Type"], node.get("CTE Name")) == ("CTE Scan", "context")


def _outside_the_fence(plan: Plan) -> list[Plan]:
    """Return the nodes that may run before the context is set; fail where the fence is not to be seen.

    The fence is the inner side of a nested loop that has the context, and nothing else, as its outer one.
    """
    above: list[Plan] = []
    node = plan
    while node["Node Type"] != "Nested Loop" or not _is_context(node["Plans"][-2]):
        above.append(node)
        (node,) = [child for child in node["Plans"] if child.get("Parent Relationship") != "InitPlan"]
    outer, inner = node["Plans"][-2:]
    assert (outer["Parent Relationship"], inner["Parent Relationship"]) == ("Outer", "Inner")
    before = [
        *node["Plans"][:-2],
        *(child for it in above for child in it.get("Plans", ()) if child is not node),
    ]
    before = [it for it in before if node not in list(_nodes(it))]
    gates = [it for it in _nodes(inner) if "context.tenant_id IS NOT NULL" in it.get("One-Time Filter", "")]
    assert gates
    assert sorted(_tables_of(gates[0])) == sorted(_tables_of(inner))
    return before


@pytest.fixture(scope="module")
async def planner(filled: Urls) -> AsyncIterator[Connection]:
    """Connect as the application's role, for plans of statements as they are prepared."""
    async with app_connection(filled) as connection:
        yield connection


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_the_context_is_set_before_any_table_is_scanned(planner: Connection, mode: str) -> None:
    """In every plan of every Read all tables are behind the fence, and the context is its outer side."""
    for name, statement in reads().items():
        plan = await _plan(planner, mode, statement, _arguments(name, statement))
        for node in _outside_the_fence(plan):
            assert _tables_of(node) == [], name


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_no_plan_is_parallel(planner: Connection, mode: str) -> None:
    """set_config keeps workers away, even where they cost nothing: a context is one backend's."""
    await planner.execute(
        "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;"
        "set min_parallel_index_scan_size = 0"
    )
    for name, statement in reads().items():
        plan = await _plan(planner, mode, statement, _arguments(name, statement))
        assert not [node for node in _nodes(plan) if node["Node Type"].startswith("Gather")], name
    await planner.execute("reset all")


async def test_the_fence_is_needed(planner: Connection) -> None:
    """Without LIMIT ALL OFFSET 0 the planner pulls the rows up and the check above notices."""
    fenced = Read(select(notification.c.id))
    fenced.text = fenced.text.replace("LIMIT ALL OFFSET 0", "")
    with pytest.raises((AssertionError, ValueError, KeyError)):
        _outside_the_fence(await _plan(planner, "force_custom_plan", fenced, _arguments("", fenced)))


_KEEPS_ORDER = {"Nested Loop", "Subquery Scan", "Result", "Limit", "Materialize", "LockRows"}


def _path_to_the_page(plan: Plan) -> list[Plan]:
    """Return the nodes from the top down to the last sort or index scan that orders the page."""
    path = [plan]
    while path[-1]["Node Type"] not in {"Sort", "Incremental Sort", "Index Scan", "Index Only Scan"}:
        children = [
            it for it in path[-1]["Plans"] if it["Parent Relationship"] not in {"InitPlan", "SubPlan"}
        ]
        path.append(children[-1])
    return path


@with_predicates
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_the_order_of_a_page_survives_the_fence(planner: Connection, mode: str) -> None:
    """From what orders the rows up to the client, no node could reorder: one-row outer sides only."""
    for name, statement in reads().items():
        if not name.startswith("page"):
            continue
        *above, orderer = _path_to_the_page(
            await _plan(planner, mode, statement, _arguments(name, statement))
        )
        assert {node["Node Type"] for node in above} <= _KEEPS_ORDER, name
        if orderer["Node Type"].startswith("Index"):
            assert orderer["Index Name"] in {"notification_inbox_idx", "notification_unread_idx"}, name
        else:
            assert [key.split(".")[-1] for key in orderer["Sort Key"]] in (
                ["created_at DESC", "id DESC"],
                ["created_at", "id"],
            ), name
        outer_sides = [node["Plans"][-2] for node in above if node["Node Type"] == "Nested Loop"]
        for outer in outer_sides:
            assert _is_one_row(outer), (name, outer)


@pytest.mark.parametrize(
    ("backwards", "order"), [(False, "created_at DESC, {}id DESC"), (True, "created_at, {}id")]
)
def test_a_page_is_ordered_by_its_whole_key(*, backwards: bool, order: str) -> None:
    """Rows of one transaction share their createdAt, so the id decides, whichever plan is taken."""
    statement = db.notification._page_statement(
        _PageShape(Shape(), ALL_COLUMNS, backwards, False, False, False)
    )
    assert f"ORDER BY tocsin.notification.{order.format('tocsin.notification.')} \n LIMIT" in statement.text


def _is_one_row(plan: Plan) -> bool:
    """Tell whether a node yields at most one row: the context, a constant, the inbox by its key."""
    if plan["Node Type"] == "Nested Loop":
        return all(_is_one_row(side) for side in plan["Plans"][-2:])
    key = plan.get("Index Cond", "")
    by_key = plan.get("Index Name") == "inbox_pkey" and "tenant_id = " in key and "user_id = " in key
    return _is_context(plan) or plan["Node Type"] == "Result" or by_key


# -- what comes back -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def filled(urls: Urls) -> Urls:
    """Fifty tenants with two users each, with one row for each user."""
    async with open_database(urls.server, size=1) as database:
        for n in range(TENANTS):
            async with database.transaction(Scope(f"plan-{n}", None)) as tx:
                await create(tx, [draft("ada", title=f"plan-{n}"), draft("grace", title=f"plan-{n}")])
    return urls


# None of these names the tenant: what they show is the policies' doing alone.
BARE = {
    "all rows": Read(select(notification.c.tenant_id, notification.c.user_id)),
    "ordered and limited": Read(
        select(notification.c.tenant_id, notification.c.user_id).order_by(notification.c.id).limit(5)
    ),
    "aggregated": Read(
        select(func.min(notification.c.tenant_id), func.max(notification.c.user_id)).having(func.count() == 1)
    ),
    "scalar subqueries": Read(
        select(
            select(notification.c.tenant_id).limit(1).scalar_subquery(),
            select(notification.c.user_id).scalar_subquery(),
        )
    ),
    "CTE": Read(select(select(notification.c.tenant_id, notification.c.user_id).cte("own"))),
    "self join": Read(
        select(notification.c.tenant_id, tables.event.c.user_id).select_from(
            notification.join(tables.event, tables.event.c.notification_id == notification.c.id)
        )
    ),
    "distinct": Read(select(notification.c.tenant_id, notification.c.user_id).distinct()),
}


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan"])
async def test_prepared_reads_show_only_their_scope(filled: Urls, mode: str) -> None:
    """2,000 runs over 50 tenants on two connections, without any predicate: 0 wrong rows."""
    statements = list(BARE.values())
    wrong: list[Any] = []

    async def run(first: int) -> None:
        for n in range(first, RUNS, 8):
            scope = Scope(f"plan-{n % TENANTS}", "ada" if n % 3 else "grace")
            rows = await database.reader(scope).fetch(statements[n % len(statements)])
            if [tuple(row) for row in rows] != [(scope.tenant_id, scope.user_id)]:
                wrong.append((n, rows))

    async with open_database(filled.server, size=2) as database:
        await database.pool.execute("select 1")
        for holder in holders(database):
            if holder._con:
                await holder._con.execute(f"set plan_cache_mode = {mode}")
        await asyncio.gather(*(run(first) for first in range(8)))
    assert wrong == []


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_bare_reads_have_the_fence(planner: Connection, mode: str) -> None:
    """The fence does not depend on the application's predicates."""
    for name, statement in BARE.items():
        plan = await _plan(planner, mode, statement, _arguments(name, statement))
        for node in _outside_the_fence(plan):
            assert _tables_of(node) == [], name


@pytest.mark.parametrize(
    "table",
    [it.name for it in tables.metadata.sorted_tables if it not in (*tables.EXEMPT, *tables.HOST)],
)
async def test_a_bare_read_of_any_table_is_right(store: Database, filled: Urls, table: str) -> None:
    """Without a predicate of its own, a Read of any table shows the scope's rows."""
    assert filled
    owner = [tables.metadata.tables[f"tocsin.{table}"].c[name] for name in _owner_of(table)]
    rows = await store.reader(Scope("plan-7", "ada")).fetch(Read(select(*owner)))
    assert {row.tenant_id for row in rows} <= {"plan-7"}
    if table in PERSONAL:
        assert {row.user_id for row in rows} <= {"ada"}


def _owner_of(table: str) -> list[str]:
    return ["tenant_id", "user_id"] if table in PERSONAL else ["tenant_id"]


async def test_a_read_with_an_empty_context_fails_closed(store: Database) -> None:
    """An empty tenant raises. A null one does, too: to set_config it is the same."""
    statement = BARE["all rows"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
        await store.reader(Scope("", "ada")).fetch(statement)
    nobody: Any = None
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
        await store.reader(Scope(nobody, "ada")).fetch(statement)


async def test_a_write_outside_a_transaction_fails_closed(app: Connection) -> None:
    """Run without its context, each Write on a guarded table is refused, whatever its predicates say."""
    for name, statement in every().items():
        if not isinstance(statement, Write) or name.endswith(WITHOUT_TABLE):
            continue
        values = await _fitting(app, statement, _arguments(name, statement))
        # The worker alone may shorten the audit log.
        refusal = (
            r"denied for table audit$" if name == "db.cleanup._DROP_AUDIT" else r"no (tenant|actor) in this"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=refusal):
            await app.fetch(statement.text, *values)


_WAITING = """
insert into tocsin.due (tenant_id, id, due_at, lease)
select tenant_id, gen_random_uuid(), now() - ahead * interval '1 second', $2::uuid
from unnest($1::text[]) tenant_id, generate_series(-1, 1, 2) ahead
"""


@pytest.mark.parametrize("name", WORK)
async def test_the_search_for_work_is_the_workers(
    urls: Urls, superuser: Connection, app: Connection, name: str
) -> None:
    """It runs without a context, touches the outbox only, and is refused to the server's role."""
    statement = every()[name]
    arguments = _arguments(name, statement)
    async with app_connection(urls, "tocsin_worker") as worker:
        plan = await _plan(worker, "force_generic_plan", statement, arguments)
        assert {*_tables_of(plan)} == {"due"}
        assert await worker.fetch(statement.text, *arguments) == []
    # No policy is asked about a row that is not there.
    tenants = ["a", "~~"]
    await superuser.execute("insert into tocsin.tenant select unnest($1::text[])", tenants)
    await superuser.execute(_WAITING, tenants, ID)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
            await app.fetch(statement.text, *arguments)
    finally:
        for table, key in (("due", "tenant_id"), ("tenant", "id")):
            await superuser.execute(f"delete from tocsin.{table} where {key} = any($1)", tenants)


async def _fitting(app: Connection, statement: Statement, values: list[Any]) -> list[Any]:
    """Return the values with documents as the text that a bare connection expects."""
    kinds = [it.name for it in (await app.prepare(statement.text)).get_parameters()]
    return [
        json.dumps(value) if kind == "jsonb" else value for kind, value in zip(kinds, values, strict=True)
    ]


# -- a large inbox -------------------------------------------------------------------------------------------

LARGE = 50_000


@pytest.fixture(scope="module")
async def large(urls: Urls, superuser: Connection) -> AsyncIterator[Scope]:
    """One user with 50,000 rows, in a tenant that has 10,000 more of another user."""
    scope = Scope(f"large-{uuid4().hex[:8]}", "ada")
    assert urls
    await superuser.execute("insert into tocsin.tenant values ($1)", scope.tenant_id)
    for user, rows in (("ada", LARGE), ("grace", 10_000)):
        await superuser.execute(
            "insert into tocsin.inbox (tenant_id, user_id) values ($1, $2)", scope.tenant_id, user
        )
        await superuser.execute(
            "insert into tocsin.notification"
            " (tenant_id, id, user_id, type, category, title, body, unread_seq, created_at)"
            " select $1, gen_random_uuid(), $2, 'a', 'a', 'title', '', n, now() - (n / 3) * interval '1 s'"
            " from generate_series(1, $3) n",
            scope.tenant_id,
            user,
            rows,
        )
    await superuser.execute("analyze tocsin.notification, tocsin.inbox")
    yield scope
    await superuser.execute("delete from tocsin.notification where tenant_id = $1", scope.tenant_id)
    await superuser.execute("vacuum analyze tocsin.notification")


@with_predicates
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("keyset", [False, True])
async def test_a_page_of_a_large_inbox_is_read_off_the_index(
    planner: Connection, large: Scope, mode: str, *, backwards: bool, keyset: bool
) -> None:
    """Without a filter, in each direction, from the top or a position: the index, no sort, 20 rows read."""
    shape = _PageShape(Shape(dismissed=Inclusion.INCLUDE), ALL_COLUMNS, backwards, keyset, False, False)
    statement = db.notification._page_statement(shape)
    here = {"at": datetime.now(UTC), "at_id": ID, "limit": 20}
    binds = {**VALUES, **here, "tenant_id": large.tenant_id, "user_id": large.user_id}
    plan = await _plan(planner, mode, statement, statement.arguments(binds))
    scans = [node for node in _nodes(plan) if node.get("Relation Name") == "notification"]
    assert [(scan["Node Type"], scan["Index Name"]) for scan in scans] == [
        ("Index Scan", "notification_inbox_idx")
    ]
    assert "tenant_id = " in scans[0]["Index Cond"]
    assert "user_id = " in scans[0]["Index Cond"]
    assert ("ROW(created_at, id)" in scans[0]["Index Cond"]) is keyset
    assert not [node for node in _nodes(plan) if "Sort" in node["Node Type"]]


@with_predicates
async def test_a_page_of_a_large_inbox_reads_no_more_than_it_shows(
    store: Database, superuser: Connection, large: Scope
) -> None:
    """EXPLAIN ANALYZE: the scan returns 20 rows and throws none away."""
    assert store
    shape = _PageShape(Shape(), ALL_COLUMNS, False, False, False, False)
    statement = db.notification._page_statement(shape)
    binds = {**VALUES, "limit": 20, "tenant_id": large.tenant_id, "user_id": "ada", "actor": "user:ada"}
    async with superuser.transaction():
        await superuser.execute("set local role tocsin_app")
        found = await superuser.fetchval(
            f"explain (analyze, format json) {statement.text}", *statement.arguments(binds)
        )
    (scan,) = [it for it in _nodes(json.loads(found)[0]["Plan"]) if it.get("Relation Name") == "notification"]
    assert (scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == (20, 0)


async def test_pages_of_a_large_inbox_come_in_order(store: Database, large: Scope) -> None:
    """Following positions downwards gives each row once, newest first; upwards the same."""
    query = db.notification.PageQuery(Filter(), 700, ("id", "created_at"))
    reader = store.reader(large)
    first = (await db.notification.page(reader, query)).rows
    again = []
    for start in (None, first[99], first[199], first[299], first[399], first[499], first[599]):
        position = Position(start.created_at, start.id) if start else None
        again += (await db.notification.page(reader, query._replace(limit=100, position=position))).rows
    assert first == again
    assert first == sorted(first, key=lambda row: (row.created_at, row.id), reverse=True)
    last = Position(first[-1].created_at, first[-1].id)
    upwards = query._replace(limit=699, position=last, backwards=True)
    assert (await db.notification.page(reader, upwards)).rows == first[:-1]
