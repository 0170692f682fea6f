"""The one door: a context never outlives its transaction, whatever happens to tasks and backends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import ColumnElement, Text, bindparam, func, insert, literal, select

from db.draft import Draft, create
from db.inbox import head
from db.safety import unsafe_role
from db.session import Database, Hint, Scope, Transaction, open_database
from db.statement import TENANT_ID, USER_ID, Read, Write
from db.tables import notification
from tests.db.storm import CONTEXT, EACH, EVERYTHING, HAPPENS, Chaos, fill
from tests.db.support import Connection
from tests.support import Urls, draft, provision


@pytest.fixture(scope="module")
async def filled(urls: Urls) -> Urls:
    """Fifty tenants with two users each, and as many rows for each user."""
    await fill(urls.server)
    return urls


async def test_no_task_sees_another_tenant_on_one_connection(filled: Urls, superuser: Connection) -> None:
    """200 tasks of 50 tenants, one connection, failures of every kind: 0 wrong rows, no context left."""
    async with open_database(filled.server, size=1) as database, asyncio.timeout(120):
        chaos = Chaos(database, superuser, statements=2_000, seed=17)
        assert await chaos.storm() == []
    assert chaos.wrong == []
    # That the storm was one.
    assert chaos.seen["statements"] >= 2_000
    for happened in HAPPENS:
        assert chaos.seen[happened] > 0, chaos.seen


@pytest.fixture
async def single(filled: Urls) -> AsyncIterator[Database]:
    """Open the database with one connection."""
    async with open_database(filled.server, size=1) as database:
        yield database


async def _left_behind(database: Database) -> list[str]:
    async with database.pool.acquire() as connection:
        return [value for value in await connection.fetchrow(CONTEXT) or () if value]


async def test_a_commit_and_a_rollback_leave_no_context(single: Database) -> None:
    """The setting is transaction-local."""
    async with single.transaction(Scope("pool-1", "ada")) as tx:
        assert len(await tx.fetch(EVERYTHING)) == EACH
    assert await _left_behind(single) == []
    with pytest.raises(ZeroDivisionError):
        async with single.transaction(Scope("pool-1", "ada")):
            raise ZeroDivisionError
    assert await _left_behind(single) == []


async def test_a_read_leaves_no_context(single: Database) -> None:
    """A read outside a transaction is one of its own."""
    assert len(await single.reader(Scope("pool-1", None)).fetch(EVERYTHING)) == 2 * EACH
    assert await _left_behind(single) == []


async def test_a_read_runs_within_a_transaction(store: Database, tenant: str) -> None:
    """A Read sees what its own transaction wrote and not yet committed, and others do not."""
    scope = Scope(tenant, "ada")
    async with store.transaction(Scope(tenant, None)) as tx:
        await create(tx, [draft("ada"), draft("grace")])
        assert len(await tx.fetch(EVERYTHING)) == 2
        assert await store.reader(scope).fetch(EVERYTHING) == []
    assert [tuple(row) for row in await store.reader(scope).fetch(EVERYTHING)] == [(tenant, "ada")]


async def test_a_value_cannot_replace_the_scope(store: Database, tenant: str) -> None:
    """A caller's tenant_id, user_id or actor loses against the scope's."""
    columns: list[ColumnElement[Any]] = [TENANT_ID.label("tenant"), USER_ID.label("user")]
    statement = Read(select(*columns))
    foreign = {"tenant_id": "pool-1", "user_id": "grace", "actor": "service"}
    row = await store.reader(Scope(tenant, "ada")).one(statement, **foreign)
    async with store.transaction(Scope(tenant, "ada")) as tx:
        again = await tx.one(statement, **foreign)
    assert row is not None
    assert row == again
    assert tuple(row) == (tenant, "ada")


async def test_transactions_of_two_scopes_do_not_meet(filled: Urls) -> None:
    """An inner transaction or read of another scope leaves the outer one in its own."""
    async with (
        open_database(filled.server, size=2) as database,
        database.transaction(Scope("pool-1", "ada")) as outer,
    ):
        async with database.transaction(Scope("pool-2", "grace")) as inner:
            assert {(row.tenant_id, row.user_id) for row in await inner.fetch(EVERYTHING)} == {
                ("pool-2", "grace")
            }
        rows = await database.reader(Scope("pool-3", None)).fetch(EVERYTHING)
        assert {row.tenant_id for row in rows} == {"pool-3"}
        assert {(row.tenant_id, row.user_id) for row in await outer.fetch(EVERYTHING)} == {("pool-1", "ada")}


@pytest.mark.parametrize("tenant_id", ["", None])
async def test_a_scope_without_a_tenant_reads_nothing(filled: Urls, single: Database, tenant_id: Any) -> None:
    """An empty tenant is none: every statement of such a transaction fails."""
    assert filled
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
        async with single.transaction(Scope(tenant_id, None)) as tx:
            await tx.fetch(Write(select(notification)))
    assert await _left_behind(single) == []


async def test_a_transaction_needs_a_scope(store: Database) -> None:
    """There is no way to open one without."""
    with pytest.raises(TypeError, match="scope"):
        store.transaction()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="scope"):
        store.reader()  # type: ignore[call-arg]


async def test_a_bind_without_a_value_is_an_error(store: Database, tenant: str) -> None:
    """It is a KeyError in Python and never a null in SQL."""
    statement = Read(select(bindparam("wanted", type_=Text)))
    with pytest.raises(KeyError, match="wanted"):
        await store.reader(Scope(tenant, "ada")).fetch(statement)


async def test_hints_come_after_the_commit(store: Database, hints: list[Hint], tenant: str) -> None:
    """One hint for each inbox that moved, once the block has ended, and the rows are there by then."""
    hints.clear()
    async with store.transaction(Scope(tenant, None)) as tx:
        await create(tx, [draft("ada"), draft("ada"), draft("grace")])
        assert hints == []
    assert sorted(hints) == [Hint(tenant, "ada", 2), Hint(tenant, "grace", 1)]


async def test_a_commit_is_over_when_its_hints_are_told(
    urls: Urls, superuser: Connection, tenant: str
) -> None:
    """Whoever reads on a hint finds the rows, and a connection to read with."""
    counts: list[asyncio.Task[Any]] = []

    def count(_hints: Any) -> None:
        assert database.pool.get_idle_size() == 1
        query = "select count(*) from tocsin.notification where tenant_id = $1"
        counts.append(asyncio.ensure_future(superuser.fetchval(query, tenant)))

    async with open_database(urls.server, size=1, on_commit=count) as database:
        async with database.transaction(Scope(tenant, None)) as tx:
            await create(tx, [draft("ada")])
        assert await counts[0] == 1
    assert len(counts) == 1


async def _fail(_tx: Transaction) -> None:
    raise ZeroDivisionError


async def _dawdle(_tx: Transaction) -> None:
    async with asyncio.timeout(0.01):
        await asyncio.sleep(5)


async def _kill(tx: Transaction) -> None:
    """Kill the transaction's backend: a login may do that to its own."""
    await tx.fetch(Write(select(func.pg_terminate_backend(func.pg_backend_pid()))))


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (_fail, ZeroDivisionError),
        (_dawdle, TimeoutError),
        (_kill, (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)),
    ],
)
async def test_a_rollback_tells_nobody(
    store: Database, hints: list[Hint], tenant: str, end: Any, error: Any
) -> None:
    """No hint and no row after an exception, a cancellation, or a commit that fails."""
    hints.clear()

    async def write() -> None:
        async with store.transaction(Scope(tenant, None)) as tx:
            await create(tx, [draft("ada")])
            await end(tx)

    with pytest.raises(error):
        await write()
    assert hints == []
    assert (await head(store.reader(Scope(tenant, "ada")))).seq == 0


async def test_a_read_only_transaction_tells_nobody(store: Database, hints: list[Hint], tenant: str) -> None:
    """Nothing moved, so there is nothing to tell."""
    hints.clear()
    async with store.transaction(Scope(tenant, "ada")) as tx:
        await tx.fetch(EVERYTHING)
    assert hints == []


async def test_many_runs_each_row_in_the_scope(store: Database, superuser: Connection, tenant: str) -> None:
    """A batch cannot leave the scope either, and is one statement's worth of failure."""
    row = Write(
        insert(notification).values(
            tenant_id=TENANT_ID,
            user_id=bindparam("owner", type_=Text),
            unread_seq=1,
            **{name: bindparam(name) for name in ("id", "type", "category", "title", "body")},
        )
    )
    common = {"type": "a", "category": "a", "title": "", "body": "", "tenant_id": "pool-1"}
    async with store.transaction(Scope(tenant, None)) as tx:
        await create(tx, [draft("ada"), draft("grace")])
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with store.transaction(Scope(tenant, "ada")) as tx:
            await tx.many(row, [{**common, "id": uuid4(), "owner": owner} for owner in ("ada", "grace")])
    query = "select count(*) from tocsin.notification where tenant_id = $1"
    assert await superuser.fetchval(query, tenant) == 2


async def test_rows_have_attributes(store: Database, tenant: str) -> None:
    """A column is an attribute; what is none is an AttributeError, as hasattr expects."""
    row = await store.reader(Scope(tenant, "ada")).one(Read(select(literal(1).label("one"))))
    assert row is not None
    assert row.one == 1
    assert not hasattr(row, "two")


async def test_jsonb_goes_through_unchanged(store: Database, superuser: Connection, tenant: str) -> None:
    """Data comes back as it was given, None as SQL's NULL and not as JSON's."""
    rows = [{"a": [1, 2.5, "ü", None, {"deep": True}]}, {}, None]
    drafts = [Draft(id=uuid4(), user_id="ada", type="a", category="a", title="", data=data) for data in rows]
    async with store.transaction(Scope(tenant, None)) as tx:
        await create(tx, drafts)
    found = await store.reader(Scope(tenant, "ada")).fetch(
        Read(select(notification.c.id, notification.c.data))
    )
    assert {row.id: row.data for row in found} == {it.id: it.data for it in drafts}
    query = "select count(*) from tocsin.notification where tenant_id = $1 and data is null"
    assert await superuser.fetchval(query, tenant) == 1


# -- roles that must not serve -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def roles(superuser_url: str) -> AsyncIterator[tuple[Urls, Connection]]:
    """Make a database whose login may be given rights that it should not have."""
    async with provision(superuser_url) as urls:
        connection = await asyncpg.connect(urls.superuser)
        yield urls, connection
        await connection.close()


async def test_the_servers_roles_are_safe(store: Database) -> None:
    """Neither what logs in nor what runs statements can get around row level security."""
    assert await unsafe_role(store) is None


async def test_a_superuser_is_unsafe(roles: tuple[Urls, Connection]) -> None:
    """A superuser that acts as the application's role could stop acting."""
    async with open_database(roles[0].superuser, size=1) as database:
        assert "is a superuser" in str(await unsafe_role(database))
        assert await unsafe_role(database, login_too=False) is None


async def test_the_owner_is_unsafe(roles: tuple[Urls, Connection]) -> None:
    """The owner could take the policies off."""
    urls, connection = roles
    owner = urls.owner.split("//")[1].split(":")[0]
    await connection.execute(f"grant tocsin_app to {owner}")
    async with open_database(urls.owner, size=1) as database:
        assert "owns Tocsin's tables" in str(await unsafe_role(database))


@pytest.mark.parametrize(
    ("rights", "fault"),
    [
        ("alter role {server} bypassrls", "has BYPASSRLS"),
        ("grant {owner} to {server}", "may become their owner"),
        ("create role {server}_x bypassrls; grant {server}_x to {server}", "BYPASSRLS"),
        ("create role {server}_x superuser; grant {server}_x to {server}", "superuser"),
        (
            (
                "create role {server}_x superuser; create role {server}_y; grant {server}_x to {server}_y;"
                " grant {server}_y to {server}"
            ),
            "superuser",
        ),
        ("alter function tocsin.is_service() owner to {server}", "own"),
        ("alter schema tocsin owner to {server}", "own"),
    ],
)
async def test_a_login_with_such_rights_is_unsafe(
    roles: tuple[Urls, Connection], rights: str, fault: str
) -> None:
    """Having a right and being able to SET ROLE to it are the same."""
    urls, connection = roles
    server = urls.server.split("//")[1].split(":")[0]
    owner = urls.owner.split("//")[1].split(":")[0]
    await connection.execute(rights.format(server=server, owner=owner))
    try:
        async with open_database(urls.server, size=1) as database:
            reason = await unsafe_role(database)
            assert reason is not None
            assert server in reason
            assert fault in reason
            assert await unsafe_role(database, login_too=False) is None
    finally:
        await connection.execute(
            f"alter role {server} nobypassrls; revoke {owner} from {server};"
            f"alter function tocsin.is_service() owner to {owner}; alter schema tocsin owner to {owner};"
            f"drop role if exists {server}_x; drop role if exists {server}_y"
        )
