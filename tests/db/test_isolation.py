"""Row level security is the second lock: what the catalogues say, and what raw SQL can reach."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from db import tables
from tests.db.catalogue import EXEMPT, ROLES, faults
from tests.db.mutants import generated
from tests.db.support import (
    AUDIT,
    HOST,
    PERSONAL,
    SERVICE,
    SHARED,
    USERS,
    WORK,
    Connection,
    add_twins,
    app_connection,
    in_context,
    stable_id,
)
from tests.support import Urls

pytestmark = pytest.mark.usefixtures("twins")

OURS, THEIRS = "isolation-ours", "isolation-theirs"
ALL = (*PERSONAL, *SHARED, *SERVICE, *AUDIT, *WORK)
# Which of the two is missed first is the planner's choice, as statistics go.
NO_CONTEXT = r"^no (tenant|actor) in this transaction$"
# Tables have rows of the tenant itself, or one for each of its users, or both.
ROWS_OF_TENANT = dict.fromkeys(("agent", "channel", "notification_type", "settings", "template"), 1)
ROWS_OF_TENANT["request"] = 3
ROWS_OF_TENANT["audit"] = 1

# Tables whose policies name their roles.
NEW = ("request", "due")
# Each policy and table broken in each way that can be generated, and what is odd.
MUTANTS = generated() | {
    "always true": "alter policy isolation on tocsin.inbox using (true) with check (true)",
    "no user": "alter policy isolation on tocsin.notification"
    " using (tenant_id = (select tocsin.current_tenant()))",
    "WITH CHECK dropped": "drop policy isolation on tocsin.template; create policy isolation on"
    " tocsin.template using (tenant_id = (select tocsin.current_tenant()))",
    "SELECT only": "drop policy isolation on tocsin.template; create policy isolation on"
    " tocsin.template for select using (tenant_id = (select tocsin.current_tenant()))",
    "restrictive only": "drop policy isolation on tocsin.channel; create policy isolation on"
    " tocsin.channel as restrictive using (tenant_id = (select tocsin.current_tenant()))"
    " with check (tenant_id = (select tocsin.current_tenant()))",
    "new table": "create table tocsin.extra (tenant_id text, id int, primary key (tenant_id, id))",
    "materialised": "create materialized view tocsin.extra as select * from tocsin.tenant",
    "view": "create view tocsin.extra as select * from tocsin.notification",
    "view elsewhere": "create view public.extra as select * from tocsin.notification",
    "exclusion without tenant": "alter table tocsin.recipient add constraint extra"
    " exclude using btree (email with =)",
    "definer": "create function tocsin.extra() returns int language sql security definer as 'select 1'",
    "definer elsewhere": "create function public.extra() returns int language sql security definer"
    " as 'select 1'",
    "bypassing app": "alter role tocsin_app bypassrls",
    "app is a member": "create role extra bypassrls; grant extra to tocsin_app",
    "owning worker": "grant create on schema tocsin to tocsin_worker;"
    " alter table tocsin.event owner to tocsin_worker",
    "app may truncate": "grant truncate on tocsin.event to tocsin_app",
    "public reads": "grant select on tocsin.tenant to public",
    "column granted": "grant update (id) on tocsin.tenant to tocsin_app",
    "app may pass it on": "grant select on tocsin.event to tocsin_app with grant option",
    "unique without tenant": "create unique index extra on tocsin.recipient (email)",
    "unique expression": "create unique index extra on tocsin.recipient (lower(email), tenant_id)",
    "key to an id": "alter table tocsin.tenant add column t text unique;"
    " alter table tocsin.inbox add foreign key (user_id) references tocsin.tenant",
    "requests of all tenants": "alter policy isolation on tocsin.request using ((select tocsin.is_service()))",
    "requests for users": "alter policy isolation on tocsin.request"
    " using (tenant_id = (select tocsin.current_tenant()))",
    "users write requests": "alter policy isolation on tocsin.request"
    " with check (tenant_id = (select tocsin.current_tenant()))",
    "users change requests": "create policy own_update on tocsin.request for update to tocsin_app"
    " using (tenant_id = (select tocsin.current_tenant())"
    " and recipient_ids = array[(select tocsin.current_user_id())])",
    "requests to several": "alter policy own_select on tocsin.request"
    " using (tenant_id = (select tocsin.current_tenant())"
    " and recipient_ids @> array[(select tocsin.current_user_id())])",
    "own requests of all tenants": "alter policy own_delete on tocsin.request"
    " using (recipient_ids = array[(select tocsin.current_user_id())])",
    "users read the audit log": "alter policy isolation on tocsin.audit"
    " using (tenant_id = (select tocsin.current_tenant()))",
    "audit of other tenants": "alter policy isolation on tocsin.audit with check (true)",
    "the app forgets": "grant delete on tocsin.audit to tocsin_app",
    "the worker rewrites history": "grant update on tocsin.audit to tocsin_worker",
    "worker's policy for the app": "alter policy worker on tocsin.due to tocsin_worker, tocsin_app",
    "worker's policy moved to the app": "alter policy worker on tocsin.due to tocsin_app",
    "worker's policy elsewhere": "create policy worker on tocsin.delivery to tocsin_worker"
    " using (true) with check (true)",
    "worker held back": "alter policy worker on tocsin.due using (tenant_id = (select tocsin.current_tenant()))",
    "worker may truncate": "grant truncate on tocsin.due to tocsin_worker",
    "hosts tie themselves": "grant insert on tocsin.host to tocsin_host",
    "hosts read what others said": "grant select (title) on tocsin.request to tocsin_host",
    "a host is the server": "grant tocsin_app to tocsin_host",
    "notify is its owner's": "alter function tocsin.notify security definer",
}


@pytest.fixture(scope="module")
async def twins(urls: Urls, superuser: Connection) -> AsyncIterator[Urls]:
    """Two tenants with two users each, and the same rows but for their canaries in every table."""
    await add_twins(superuser, (OURS, THEIRS))
    yield urls
    # Deleting as the owner of the cluster, children first: later tests count rows of the whole database.
    for table in (
        "attempt",
        "delivery",
        "request",
        "event",
        "inbox_count",
        "notification",
        "mark",
        "preference",
        "inbox",
        *ALL,
    ):
        await superuser.execute(f"delete from tocsin.{table} where tenant_id = any($1)", [OURS, THEIRS])
    await superuser.execute("delete from tocsin.tenant where id = any($1)", [OURS, THEIRS])


async def test_the_catalogues_show_no_fault(superuser: Connection) -> None:
    """Tables, policies, roles, functions, keys and grants are exactly as frozen in catalogue.py."""
    assert await faults(superuser) == []


@pytest.fixture(scope="module")
async def breakable(scratch: Urls) -> AsyncIterator[Connection]:
    """Connect to a copy of the database: it has no fault before it is broken, nor when all is rolled back."""
    connection = await asyncpg.connect(scratch.superuser)
    assert await faults(connection) == []
    yield connection
    assert await faults(connection) == []
    await connection.close()


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_the_catalogue_check_catches(breakable: Connection, mutant: str) -> None:
    """Whatever is broken in a copy of the database, the check above sees it."""
    transaction = breakable.transaction()
    await transaction.start()
    try:
        await breakable.execute(MUTANTS[mutant])
        assert await faults(breakable) != []
    finally:
        await transaction.rollback()


def test_the_lists_of_the_code_are_the_frozen_ones() -> None:
    """db.tables files each table as the policies do."""
    assert sorted(table.name for table in tables.PERSONAL) == sorted(PERSONAL)
    assert sorted(table.name for table in tables.SHARED) == sorted(SHARED)
    assert sorted(table.name for table in tables.SERVICE) == sorted(SERVICE)
    assert [table.name for table in tables.AUDIT] == [*AUDIT]
    assert sorted(table.name for table in tables.WORK) == sorted(WORK)
    assert sorted(table.name for table in tables.HOST) == sorted(HOST)
    assert {table.name for table in tables.EXEMPT} | {"alembic_version"} == {*EXEMPT}
    assert len(tables.metadata.tables) == len(ALL) + len(HOST) + 1


@pytest.mark.parametrize("table", ALL)
async def test_without_a_context_a_table_cannot_be_read(app: Connection, table: str) -> None:
    """A forgotten context is an error, not an empty list."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=NO_CONTEXT):
        await app.fetch(f"select * from tocsin.{table}")


@pytest.mark.parametrize("table", ALL)
async def test_after_a_rolled_back_context_a_table_cannot_be_read(app: Connection, table: str) -> None:
    """A rolled-back setting reads as '' and not as NULL, and neither is a tenant."""
    async with in_context(app, OURS, "ada"):
        pass
    assert await app.fetchval("select current_setting('tocsin.tenant', true)") == ""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=NO_CONTEXT):
        await app.fetch(f"select * from tocsin.{table}")


@pytest.mark.parametrize("table", [*PERSONAL, *SERVICE])
async def test_a_tenant_without_an_actor_reads_no_personal_table(app: Connection, table: str) -> None:
    """Half a context is none."""
    async with app.transaction():
        await app.execute("select set_config('tocsin.tenant', $1, true)", OURS)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"^no actor in this transaction$"):
            await app.fetch(f"select * from tocsin.{table}")


@pytest.mark.parametrize("actor", ["Service", "service ", "user", "USER:ada", "ada", "*", "user:", "user:*"])
async def test_an_odd_actor_sees_no_personal_row(app: Connection, actor: str) -> None:
    """Only 'service' and 'user:' with the whole id are somebody."""
    async with in_context(app, OURS, None):
        await app.execute("select set_config('tocsin.actor', $1, true)", actor)
        for table in (*PERSONAL, *SERVICE):
            assert await app.fetch(f"select * from tocsin.{table}") == []


async def _visible(connection: Connection, table: str) -> list[str]:
    return [row["row"] for row in await connection.fetch(f"select t::text as row from tocsin.{table} t")]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("table", [*PERSONAL, *SERVICE])
async def test_a_user_sees_only_own_rows(app: Connection, table: str, user: str) -> None:
    """A user's context shows that user's one row, of requests the one that was for nobody else."""
    other = next(name for name in USERS if name != user)
    async with in_context(app, OURS, user):
        rows = await _visible(app, table)
    assert len(rows) == 1
    assert OURS in rows[0]
    assert user in rows[0]
    assert THEIRS not in rows[0]
    assert other not in rows[0]


@pytest.mark.parametrize("user", ["ada", None])
@pytest.mark.parametrize("table", [*SHARED, *WORK])
async def test_shared_rows_are_those_of_the_tenant(app: Connection, table: str, user: str | None) -> None:
    """Of a shared table, user and service see all rows of their tenant and no canary of another."""
    async with in_context(app, OURS, user):
        rows = await _visible(app, table)
    assert len(rows) == ROWS_OF_TENANT.get(table, 2)
    assert all(OURS in row and THEIRS not in row for row in rows)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", [*PERSONAL, *SERVICE])
async def test_the_service_sees_the_whole_tenant_and_no_other(twins: Urls, table: str, role: str) -> None:
    """The service context is one tenant's, for the server and for the worker."""
    async with app_connection(twins, role) as connection, in_context(connection, OURS, None):
        rows = await _visible(connection, table)
    assert len(rows) == ROWS_OF_TENANT.get(table, 2)
    assert all(OURS in row and THEIRS not in row for row in rows)


async def test_a_user_named_service_is_no_service(app: Connection) -> None:
    """The actor's kind is a prefix, so no user id can pose as the service."""
    async with in_context(app, OURS, "service"):
        assert await app.fetch("select * from tocsin.notification") == []


@pytest.mark.parametrize("name", [THEIRS, "%", "isolation_ours", OURS.upper(), f"{OURS} "])
async def test_tenant_names_are_compared_exactly(app: Connection, name: str) -> None:
    """No pattern, case or padding makes one tenant's context another's."""
    async with in_context(app, name, None):
        for table in ALL:
            assert all(OURS not in row for row in await _visible(app, table))


# The columns that a row is copied with; a column of its own makes the copy's key new.
COPIES = {
    "event": "user_id, 2, kind, notification_id",
    "inbox": "user_id",
    "inbox_count": "user_id, 'new', category",
    "mark": "gen_random_uuid(), user_id, 0, 1",
    "notification": "gen_random_uuid(), user_id, type, category, title, body, unread_seq",
    "preference": "gen_random_uuid(), user_id, 'new'",
    "agent": "gen_random_uuid(), name, 'new', key_hash",
    "attempt": "delivery_id, 2, duration_ms",
    "channel": "gen_random_uuid(), kind, name",
    "delivery": "gen_random_uuid(), request_id, user_id",
    "due": "gen_random_uuid()",
    "notification_type": "'new', category",
    "recipient": "'new'",
    "removal": "'new'",
    "request": "gen_random_uuid(), caller, type, title",
    "settings": "retention_days",
    "template": "gen_random_uuid(), name, title_template, body_template",
}
TARGETS = {
    "event": "user_id, seq, kind, notification_id",
    "inbox": "user_id",
    "inbox_count": "user_id, type, category",
    "mark": "id, user_id, after_seq, through_seq",
    "notification": "id, user_id, type, category, title, body, unread_seq",
    "preference": "id, user_id, category",
    "agent": "id, name, key_prefix, key_hash",
    "attempt": "delivery_id, number, duration_ms",
    "channel": "id, kind, name",
    "delivery": "id, request_id, user_id",
    "due": "id",
    "notification_type": "name, category",
    "recipient": "id",
    "removal": "user_id",
    "request": "id, caller, type, title",
    "settings": "retention_days",
    "template": "id, name, title_template, body_template",
}


def _insert(table: str, tenant: str, **replaced: str) -> str:
    """Return an INSERT of a visible row's copy for another tenant, or with another user."""
    columns = COPIES[table]
    for name, value in replaced.items():
        columns = columns.replace(name, value)
    return (
        f"insert into tocsin.{table} (tenant_id, {TARGETS[table]})"
        f" select '{tenant}', {columns} from tocsin.{table} limit 1"
    )


# Users write no requests, the outbox is open to the worker, and nobody changes the audit log: see the tests
# of their own below.
WRITERS = [
    (table, user, role)
    for table, user, role in product(ALL, ("ada", None), ROLES)
    if table not in AUDIT
    and not (table in SERVICE and user)
    and not (table in WORK and role == "tocsin_worker")
]


@pytest.mark.parametrize(("table", "user", "role"), WRITERS)
async def test_nobody_writes_into_another_tenant(
    twins: Urls, table: str, user: str | None, role: str
) -> None:
    """INSERT into and UPDATE towards another tenant are refused; UPDATE and DELETE there touch 0 rows."""
    async with app_connection(twins, role) as connection:
        for statement in (
            _insert(table, THEIRS),
            f"update tocsin.{table} set tenant_id = '{THEIRS}'",
        ):
            async with in_context(connection, OURS, user):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(statement)
        theirs = f"where tenant_id = '{THEIRS}'"
        async with in_context(connection, OURS, user):
            done = await connection.execute(f"update tocsin.{table} set tenant_id = tenant_id {theirs}")
            assert done == "UPDATE 0"
            await _delete_nothing(connection, table, theirs)


async def _delete_nothing(connection: Connection, table: str, where: str) -> None:
    may = await connection.fetchval("select has_table_privilege($1, 'delete')", f"tocsin.{table}")
    if may:
        assert await connection.execute(f"delete from tocsin.{table} {where}") == "DELETE 0"
        return
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"^permission denied for table"):
        await connection.execute(f"delete from tocsin.{table} {where}")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", PERSONAL)
async def test_nobody_writes_into_another_users_rows(twins: Urls, table: str, role: str) -> None:
    """Within a tenant, too, a user inserts, moves, changes and deletes own rows only."""
    async with app_connection(twins, role) as connection:
        for statement in (
            _insert(table, OURS, user_id="'grace'"),
            f"update tocsin.{table} set user_id = 'grace'",
        ):
            async with in_context(connection, OURS, "ada"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(statement)
        async with in_context(connection, OURS, "ada"):
            own = await connection.execute(f"update tocsin.{table} set user_id = user_id")
            assert own == "UPDATE 1"
            theirs = "where user_id = 'grace'"
            assert (
                await connection.execute(f"update tocsin.{table} set user_id = 'ada' {theirs}") == "UPDATE 0"
            )
            await _delete_nothing(connection, table, theirs)


@pytest.mark.parametrize("table", [it for it in ALL if it not in AUDIT])
async def test_a_write_without_a_context_fails(twins: Urls, table: str) -> None:
    """INSERT, UPDATE and DELETE fail like SELECT, even for the worker, who may do them all.

    Of the outbox they fail for the server only: the worker's own test is below.
    """
    async with app_connection(twins, "tocsin_app" if table in WORK else "tocsin_worker") as connection:
        for statement in (
            f"update tocsin.{table} set tenant_id = tenant_id",
            f"delete from tocsin.{table}",
            f"insert into tocsin.{table} (tenant_id) values ('{OURS}')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match=NO_CONTEXT):
                await connection.execute(statement)


_ADD_TO_AUDIT = (
    "insert into tocsin.audit (tenant_id, id, admin, action) values ('{}', gen_random_uuid(), 'ada', 'a')"
)


@pytest.mark.parametrize("role", ROLES)
async def test_nobody_changes_the_audit_log(twins: Urls, role: str) -> None:
    """The app adds to its own tenant's and does no more; the worker takes from its own tenant's and no more."""
    denied = {"tocsin_app": ("update", "delete"), "tocsin_worker": ("update", "insert")}[role]
    statements = {
        "update": "update tocsin.audit set action = 'b'",
        "delete": "delete from tocsin.audit",
        "insert": _ADD_TO_AUDIT.format(OURS),
    }
    async with app_connection(twins, role) as connection:
        for word, statement in statements.items():
            refusal = "permission denied for table audit" if word in denied else NO_CONTEXT
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match=refusal):
                await connection.execute(statement)
        for user in (*USERS, None):
            async with in_context(connection, OURS, user):
                assert len(await _visible(connection, "audit")) == (0 if user else 1)
                if role == "tocsin_worker":
                    assert await connection.execute(statements["delete"]) == f"DELETE {0 if user else 1}"
                    continue
                await connection.execute("savepoint before")
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(_ADD_TO_AUDIT.format(THEIRS))
                await connection.execute("rollback to savepoint before")
                assert await connection.execute(statements["insert"]) == "INSERT 0 1"


async def test_an_upsert_on_anothers_key_neither_changes_nor_shows_it(app: Connection) -> None:
    """ON CONFLICT DO UPDATE against another user's row is refused, not applied."""
    async with in_context(app, OURS, "ada"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await app.execute(
                "insert into tocsin.notification (tenant_id, id, user_id, type, category, title, body,"
                " unread_seq) values ($1, $2, 'ada', 'a', 'a', 'mine', '', 1)"
                " on conflict (tenant_id, id) do update set title = 'mine'",
                OURS,
                stable_id("grace"),
            )


async def test_the_same_id_in_another_tenant_is_no_conflict(app: Connection) -> None:
    """Keys start with the tenant, so a failed insert cannot tell what ids another tenant has."""
    async with in_context(app, f"{OURS}-new", "ada"):
        await app.execute("insert into tocsin.tenant values ($1)", f"{OURS}-new")
        await app.execute("insert into tocsin.inbox (tenant_id, user_id) values ($1, 'ada')", f"{OURS}-new")
        done = await app.execute(
            "insert into tocsin.notification (tenant_id, id, user_id, type, category, title, body,"
            " unread_seq) values ($1, $2, 'ada', 'a', 'a', '', '', 1)",
            f"{OURS}-new",
            stable_id("ada"),
        )
    assert done == "INSERT 0 1"


async def test_a_foreign_key_does_not_reach_into_another_tenant(app: Connection) -> None:
    """A template that only another tenant has cannot be referred to."""
    async with in_context(app, THEIRS, None):
        theirs = await app.fetchval(
            "insert into tocsin.template (tenant_id, id, name, title_template, body_template)"
            " values ($1, gen_random_uuid(), '', '', '') returning id",
            THEIRS,
        )
        await app.execute("select set_config('tocsin.tenant', $1, true)", OURS)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await app.execute("update tocsin.notification set template_id = $1", theirs)


async def test_copy_out_obeys_the_policies(app: Connection, tmp_path: Path) -> None:
    """COPY without a context fails like SELECT."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=NO_CONTEXT):
        await app.copy_from_table("notification", schema_name="tocsin", output=tmp_path / "copy")


async def test_the_owner_is_held_back_too(twins: Urls) -> None:
    """FORCE: a migration that forgets the context fails instead of touching every tenant."""
    owner = await asyncpg.connect(twins.owner)
    try:
        for table in (*PERSONAL, *SHARED):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match=NO_CONTEXT):
                await owner.execute(f"update tocsin.{table} set tenant_id = tenant_id")
    finally:
        await owner.close()


@pytest.mark.parametrize("table", NEW)
async def test_the_owner_sees_nothing_of_what_is_for_roles(twins: Urls, table: str) -> None:
    """Where policies name their roles none is the owner's: there it finds no row, whatever the context."""
    owner = await asyncpg.connect(twins.owner)
    try:
        assert await owner.execute(f"update tocsin.{table} set tenant_id = tenant_id") == "UPDATE 0"
        async with in_context(owner, OURS, None):
            assert await _visible(owner, table) == []
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await owner.execute(_values(table, OURS))
    finally:
        await owner.close()


# -- requests ------------------------------------------------------------------------------------------------


def _values(table: str, tenant: str) -> str:
    """Return an INSERT of a row that could be anybody's."""
    values = {"request": f"'{uuid4()}', 'a', 'a', 'a'", "due": f"'{uuid4()}'"}[table]
    return f"insert into tocsin.{table} (tenant_id, {TARGETS[table]}) values ('{tenant}', {values})"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("tenant", [OURS, THEIRS])
async def test_a_user_writes_no_request(twins: Urls, role: str, tenant: str) -> None:
    """A user can neither say anything in a tenant nor change what was said, not even to them alone."""
    async with app_connection(twins, role) as connection:
        async with in_context(connection, OURS, "ada"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await connection.execute(_values("request", tenant))
        async with in_context(connection, OURS, "ada"):
            assert await connection.execute("update tocsin.request set title = 'mine'") == "UPDATE 0"


async def test_a_user_deletes_what_was_said_to_nobody_else(app: Connection) -> None:
    """As the server, to be erased; what was said to others too, to others, and elsewhere stays."""
    async with in_context(app, OURS, "ada"):
        gone = await app.fetch("delete from tocsin.request returning tenant_id, recipient_ids")
    assert [tuple(row) for row in gone] == [(OURS, ["ada"])]


async def test_what_was_said_to_everyone_is_the_services(app: Connection) -> None:
    """A request that names nobody is no user's own, and neither is one that names a user twice."""
    async with in_context(app, OURS, None):
        await app.execute(
            "insert into tocsin.request (tenant_id, id, caller, type, title, recipient_ids)"
            " values ($1, gen_random_uuid(), 'a', 'a', 'a', null),"
            " ($1, gen_random_uuid(), 'a', 'a', 'a', array['ada', 'ada'])",
            OURS,
        )
        assert len(await _visible(app, "request")) == 5
        await app.execute("select set_config('tocsin.actor', 'user:ada', true)")
        assert len(await _visible(app, "request")) == 1


async def test_a_user_is_nobody_to_the_worker(twins: Urls) -> None:
    """The worker acts for the service only: in a user's context it sees and deletes no request."""
    async with app_connection(twins, "tocsin_worker") as worker, in_context(worker, OURS, "ada"):
        assert await _visible(worker, "request") == []
        assert await worker.execute("delete from tocsin.request") == "DELETE 0"


async def test_a_delivery_does_not_refer_to_another_tenants_request(app: Connection) -> None:
    """A request that only another tenant has cannot be referred to."""
    async with in_context(app, THEIRS, None):
        theirs = await app.fetchval(_values("request", THEIRS) + " returning id")
        await app.execute("select set_config('tocsin.tenant', $1, true)", OURS)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await app.execute("update tocsin.delivery set request_id = $1", theirs)


# -- the outbox ----------------------------------------------------------------------------------------------


async def test_the_worker_finds_work_without_a_context(twins: Urls) -> None:
    """It alone sees the outbox of all tenants, and may take rows of any; there are only ids in it."""
    async with app_connection(twins, "tocsin_worker") as worker:
        found = await worker.fetch("select * from tocsin.due where tenant_id = any($1)", [OURS, THEIRS])
        assert {(row["tenant_id"], row["id"]) for row in found} == {
            (tenant, stable_id(user)) for tenant in (OURS, THEIRS) for user in USERS
        }
        assert list(found[0].keys()) == ["tenant_id", "id", "kind", "due_at", "lease"]
        async with in_context(worker, OURS, None):
            assert await worker.execute(_values("due", THEIRS)) == "INSERT 0 1"
            taken = f"set lease = gen_random_uuid() where tenant_id = '{THEIRS}'"
            assert await worker.execute(f"update tocsin.due {taken}") == "UPDATE 3"
            gone = await worker.execute(f"delete from tocsin.due where tenant_id = '{THEIRS}'")
            assert gone == "DELETE 3"


@pytest.mark.parametrize("table", [it for it in ALL if it not in WORK])
async def test_the_worker_sees_nothing_else_without_a_context(twins: Urls, table: str) -> None:
    """With an id in hand it must enter the tenant to learn what the work is."""
    async with app_connection(twins, "tocsin_worker") as worker:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=NO_CONTEXT):
            await worker.fetch(f"select * from tocsin.{table}")
