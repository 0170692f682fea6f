"""tocsin.notify(): what a host application's transaction may do, and nothing beside it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from resolvers.errors import TocsinError
from resolvers.url import safe_url
from tests.db.support import Connection
from tests.host import Host, open_host
from tests.support import Urls

_CONTEXT = "select current_setting('tocsin.tenant', true), current_setting('tocsin.actor', true)"
_KEY = "order-17"


@pytest.fixture
async def host(urls: Urls, tenant: str) -> AsyncIterator[Host]:
    """Connect as a host application that is tied to the tenant."""
    async with open_host(urls) as host:
        await host.tie(tenant)
        yield host


@pytest.fixture
async def other(urls: Urls, tenant: str) -> AsyncIterator[Host]:
    """Connect as another host application of the same tenant."""
    async with open_host(urls) as host:
        await host.tie(tenant)
        yield host


async def _stored(superuser: Connection, tenant: str) -> list[dict[str, Any]]:
    """Return a tenant's requests, as they were made, each with what is due for it."""
    rows = await superuser.fetch(
        "select request.*, kind, due_at <= now() as is_due, lease from tocsin.request"
        " left join tocsin.due using (tenant_id, id) where tenant_id = $1 order by request.created_at",
        tenant,
    )
    return [dict(row) for row in rows]


async def _ids(superuser: Connection, tenant: str) -> list[UUID]:
    return [row["id"] for row in await _stored(superuser, tenant)]


# -- what it stores ----------------------------------------------------------------------------------------


async def test_the_least(host: Host, superuser: Connection, tenant: str) -> None:
    """Tenant, type and title say it to everyone; the rest is as in the API, and the work is due at once."""
    id = await host.notify(tenant, title="  Order 17 is paid\n")
    (row,) = await _stored(superuser, tenant)
    row.pop("created_at")
    assert row == {
        **dict.fromkeys(("idempotency_key", "fingerprint", "recipient_ids", "category", "url", "icon")),
        **dict.fromkeys(("template_id", "team_id", "project_id", "environment_id", "data", "channels")),
        **dict.fromkeys(("recipients", "done", "created", "suppressed"), 0),
        "escalate_minutes": None,
        "lease": None,
        "notification_ids": [],
        "targets": [],
        "actions": "[]",
        "tenant_id": tenant,
        "id": id,
        "caller": f"sql:{host.role}",
        "status": "ACCEPTED",
        "position": "",
        "type": "order.paid",
        "title": "Order 17 is paid",
        "body": "",
        "severity": "NORMAL",
        "kind": "REQUEST",
        "is_due": True,
    }


async def test_all_there_is_to_say(host: Host, superuser: Connection, tenant: str) -> None:
    """Each parameter is stored as it is, and named recipients are counted."""
    said = {
        "type": "é" * 255,
        "title": "x" * 1000,
        "body": "y" * 65_536,
        "category": "orders",
        "severity": "CRITICAL",
        "url": "/orders/17",
        "targets": ["order-17"] * 100,
        "channels": ["EMAIL", "IN_APP"],
        "idempotency_key": _KEY,
        "escalate_minutes": 10_080,
    }
    ids = [f"user-{n}" for n in range(1000)]
    await host.notify(tenant, recipients=ids, data={"total": [1.5, None, {"é": True}]}, **said)
    (row,) = await _stored(superuser, tenant)
    assert {name: row[name] for name in said} == said
    assert (row["recipient_ids"], row["recipients"]) == (ids, 1000)
    assert row["data"] == '{"total": [1.5, null, {"é": true}]}'
    assert len(row["fingerprint"]) == 32


async def test_null_means_left_out(host: Host, superuser: Connection, tenant: str) -> None:
    """What has a default may be null, too."""
    await host.notify(tenant, body=None, severity=None, targets=None)
    (row,) = await _stored(superuser, tenant)
    assert (row["body"], row["severity"], row["targets"]) == ("", "NORMAL", [])


async def test_a_rollback_leaves_nothing(host: Host, superuser: Connection, tenant: str) -> None:
    """Neither the request nor the work for it, nor the key."""
    transaction = host.sql.transaction()
    await transaction.start()
    await host.notify(tenant, idempotency_key=_KEY)
    await transaction.rollback()
    assert await _stored(superuser, tenant) == []
    assert await superuser.fetchval("select count(*) from tocsin.due where tenant_id = $1", tenant) == 0
    id = await host.notify(tenant, idempotency_key=_KEY, title="Another input")
    assert await _ids(superuser, tenant) == [id]


async def test_it_leaves_no_context_and_no_lock_behind(
    host: Host, superuser: Connection, tenant: str
) -> None:
    """The transaction's settings and search path are as before; of Tocsin's tables it holds no inbox."""
    async with host.sql.transaction():
        before = tuple(await host.sql.fetchrow(_CONTEXT) or ()), await host.sql.fetchval("show search_path")
        await host.notify(tenant, recipients=["ada"])
        after = tuple(await host.sql.fetchrow(_CONTEXT) or ()), await host.sql.fetchval("show search_path")
        locked = await superuser.fetch(
            "select distinct relname, mode from pg_locks join pg_class on pg_class.oid = relation"
            " where pid = $1 and relkind = 'r' and relnamespace = 'tocsin'::regnamespace order by 1, 2",
            host.sql.get_server_pid(),
        )
    assert before == after == ((None, None), '"$user", public')
    assert [tuple(row) for row in locked] == [
        ("due", "RowExclusiveLock"),
        ("host", "AccessShareLock"),
        ("request", "AccessShareLock"),
        ("request", "RowExclusiveLock"),
    ]


async def test_a_context_of_the_hosts_own_stays(host: Host, tenant: str) -> None:
    """It does not matter to it either."""
    async with host.sql.transaction():
        await host.sql.execute("select set_config('tocsin.tenant', 'elsewhere', true)")
        await host.notify(tenant)
        assert await host.sql.fetchval("select current_setting('tocsin.tenant')") == "elsewhere"


# -- what is wrong -----------------------------------------------------------------------------------------

_ID = "must have 1 to 255 characters, at most 510 bytes"
_RECIPIENTS = "must be 1 to 1,000 different ids of 1 to 255 characters, at most 510 bytes"
_TARGETS = "must be at most 100 ids of 1 to 255 characters, at most 510 bytes"
_CATEGORY = f"{_ID}, and not mean all"
_BODY = "must have at most 65,536 characters"
_TITLE = "must have 1 to 1,000 characters"
_URL = "must be https:, mailto: or an app-relative /path, at most 2,048 characters, all of ASCII"
_DATA = "must be an object, at most 128 KiB and 100 levels, with numbers that fit a double"
_CHANNELS = "must be some of IN_APP, EMAIL, SLACK, WEBHOOK, APPRISE"
_MINUTES = "must be from 1 to 10,080"
_LONG = "€" * 171  # 513 bytes
WRONG: list[tuple[str, Any, str]] = [
    *(("type", value, _ID) for value in (None, "", "x" * 256, _LONG)),
    *(("title", value, _TITLE) for value in (None, "", " \n", "x" * 1001)),
    *(
        ("recipients", value, _RECIPIENTS)
        for value in ([], [""], ["x" * 256], [_LONG], ["a", "a"], ["a", None])
    ),
    *(("recipients", value, _RECIPIENTS) for value in ([f"user-{n}" for n in range(1001)], [["a"], ["b"]])),
    ("body", "x" * 65_537, _BODY),
    *(("category", value, _CATEGORY) for value in ("", "*", "x" * 256, _LONG)),
    ("severity", "URGENT", "must be LOW, NORMAL, HIGH or CRITICAL"),
    ("url", "javascript:alert(1)", _URL),
    ("url", "/" * 2, _URL),
    ("url", "/" + "x" * 2048, _URL),
    *(("targets", value, _TARGETS) for value in ([""], ["x" * 256], [None], [["a"], ["b"]], ["a"] * 101)),
    *(("data", value, _DATA) for value in ("[]", "null", "1", '"x"', '{"x": 1e309}', '{"x": [-1e309]}')),
    ("data", {"x": "y" * 131_072}, _DATA),
    ("data", '{"x":' * 101 + "1" + "}" * 101, _DATA),
    *(
        ("channels", value, _CHANNELS)
        for value in ([], ["PIGEON"], ["EMAIL", None], ["email"], [["EMAIL"]] * 2)
    ),
    *(("idempotency_key", value, _ID) for value in ("", "x" * 256, _LONG)),
    *(("escalate_minutes", value, _MINUTES) for value in (0, 10_081)),
]


@pytest.mark.parametrize(("name", "value", "rule"), WRONG, ids=lambda it: str(it)[:20].encode().hex()[:24])
async def test_a_wrong_parameter_is_named(
    name: str, value: Any, rule: str, host: Host, superuser: Connection, tenant: str
) -> None:
    """It is refused with a message that says which and what it must be, and nothing is stored."""
    with pytest.raises(asyncpg.InvalidParameterValueError) as caught:
        await host.notify(tenant, **{name: value})
    assert str(caught.value) == f"{name} {rule}."
    assert await _stored(superuser, tenant) == []


@pytest.mark.parametrize("wrong", [None, "", "x" * 256])
async def test_a_tenant_that_cannot_be(wrong: str | None, host: Host) -> None:
    """It is a wrong parameter, too."""
    with pytest.raises(asyncpg.InvalidParameterValueError, match=f"^tenant_id {_ID}.$"):
        await host.notify(wrong)


async def test_all_that_is_wrong_is_named_at_once(host: Host, tenant: str) -> None:
    """A sentence each."""
    with pytest.raises(asyncpg.InvalidParameterValueError) as caught:
        await host.notify(tenant, title="", severity="URGENT", channels=["PIGEON"])
    assert str(caught.value) == (
        f"title {_TITLE}. severity must be LOW, NORMAL, HIGH or CRITICAL. channels {_CHANNELS}."
    )


async def test_what_looks_like_too_much_is_not(host: Host, superuser: Connection, tenant: str) -> None:
    """Data of 99 levels and the largest numbers is stored."""
    for data in ('{"x":' * 99 + "1" + "}" * 99, '{"x": [1e308, -1e308, 123456789012345678901234567890]}'):
        await host.notify(tenant, data=data)
    assert len(await _ids(superuser, tenant)) == 2


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://example.com",
            "HTTPS://example.com/x?y=1#z",
            "https://example.com:8443/",
            "https://u@e.com",
        ),
        *(
            "https://u:p@e.com/x",
            "https://[::1]/x",
            "https://[::1]:443",
            "/",
            "/x",
            "/x//y",
            "/x?y=https://z",
        ),
        *("mailto:ada@example.com", "MAILTO:a@b?subject=x", "https://e.com?x", "https://e.com#x@y"),
        *(
            "",
            " /x",
            "/x y",
            "/x\ty",
            "/x\n",
            "//evil.com",
            "/\\evil.com",
            "\\\\evil.com",
            "http://example.com",
        ),
        *("https:", "https://", "https:///x", "https://:443", "https://u@", "https://?x", "https://e.com:0/"),
        *("https://e.com:x/", "https:/x", "https:example.com", "mailto:", "mailto:x", "mailto://a@b"),
        *(
            "mailto:?to=a@b",
            "javascript:alert(1)",
            "data:text/html,x",
            "x",
            "ftp://e.com",
            "https://e.com\x7f",
        ),
        *("https://e.com/\x01", "https://e.com\\@evil.com", "vbscript:x@y", "https://[x]/", "https://e[.com"),
    ],
)
async def test_a_url_is_as_safe_as_in_the_api(url: str, host: Host, tenant: str) -> None:
    """Of ASCII the function takes what the scalar SafeUrl takes, and no more."""
    assert await _takes(host, tenant, url) is _is_safe(url)


@pytest.mark.parametrize("url", ["/caf\u00e9", "/\u202e", "/\u200b", "https://ex\u00e4mple.com", "/\u00a0"])
async def test_a_url_beyond_ascii_is_refused(url: str, host: Host, tenant: str) -> None:
    """Whatever is printable among the rest, a URL (RFC 3986) has it percent-encoded."""
    assert await _takes(host, tenant, url) is False


async def _takes(host: Host, tenant: str, url: str) -> bool:
    try:
        await host.notify(tenant, url=url)
    except asyncpg.InvalidParameterValueError:
        return False
    return True


def _is_safe(url: str) -> bool:
    try:
        safe_url(url)
    except TocsinError:
        return False
    return True


# -- the same thing twice ----------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_request(host: Host, superuser: Connection, tenant: str) -> None:
    """With the same input it returns the first id; without a key each call is one of its own."""
    said = {"recipients": ["ada"], "data": {"a": 1, "b": 2}}
    first = await host.notify(tenant, idempotency_key=_KEY, **said)
    assert await host.notify(tenant, idempotency_key=_KEY, **said | {"data": {"b": 2, "a": 1}}) == first
    assert await _ids(superuser, tenant) == [first]
    assert await host.notify(tenant, **said) != await host.notify(tenant, **said)
    assert len(await _ids(superuser, tenant)) == 3


@pytest.mark.parametrize(
    "changes",
    [
        *({"type": "x"}, {"title": "x"}, {"recipients": ["grace"]}, {"recipients": None}, {"body": "x"}),
        *({"category": "x"}, {"severity": "LOW"}, {"url": "/x"}, {"targets": ["x"]}, {"data": {"x": None}}),
        *({"channels": ["EMAIL"]}, {"escalate_minutes": 5}),
    ],
    ids=str,
)
async def test_the_same_key_for_something_else(
    changes: dict[str, Any], host: Host, superuser: Connection, tenant: str
) -> None:
    """Whatever differs, it is a conflict, and nothing changes."""
    said = {"recipients": ["ada"], "data": {}, "idempotency_key": _KEY}
    first = await host.notify(tenant, **said)
    with pytest.raises(asyncpg.UniqueViolationError, match="IDEMPOTENCY_CONFLICT"):
        await host.notify(tenant, **said | changes)
    assert await _ids(superuser, tenant) == [first]


async def test_a_key_is_forgotten_after_24_hours(host: Host, superuser: Connection, tenant: str) -> None:
    """Until then it holds; then it is free for something else, and the old request stays without it."""
    first = await host.notify(tenant, idempotency_key=_KEY)
    age = "update tocsin.request set created_at = now() - $2::interval where tenant_id = $1"
    await superuser.execute(age.replace("$2", "'23:59'"), tenant)
    assert await host.notify(tenant, idempotency_key=_KEY) == first
    await superuser.execute(age.replace("$2", "'24:01'"), tenant)
    second = await host.notify(tenant, idempotency_key=_KEY, title="Another input")
    rows = {row["id"]: row["idempotency_key"] for row in await _stored(superuser, tenant)}
    assert rows == {first: None, second: _KEY}


async def test_keys_are_each_hosts_and_each_tenants_own(
    host: Host, other: Host, superuser: Connection, tenant: str
) -> None:
    """Two applications, or two tenants, may use the same key."""
    elsewhere = f"{tenant}-2"
    await host.tie(elsewhere)
    one = await host.notify(tenant, idempotency_key=_KEY)
    two = await other.notify(tenant, idempotency_key=_KEY, title="Another input")
    three = await host.notify(elsewhere, idempotency_key=_KEY, title="Another input")
    assert {*await _ids(superuser, tenant), *await _ids(superuser, elsewhere)} == {one, two, three}


@pytest.mark.parametrize("commits", [True, False])
async def test_the_same_key_in_two_transactions_at_once(
    commits: bool, host: Host, superuser: Connection, tenant: str
) -> None:
    """The second waits for the first: if that commits they are one, else the second is the only one."""
    rival = await host.again()
    transaction = host.sql.transaction()
    await transaction.start()
    first = await host.notify(tenant, idempotency_key=_KEY)
    waiting = asyncio.create_task(rival.notify(tenant, idempotency_key=_KEY))
    done, _pending = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await (transaction.commit() if commits else transaction.rollback())
    second = await waiting
    await rival.sql.close()
    assert (second == first) is commits
    assert await _ids(superuser, tenant) == [second]


# -- who may -----------------------------------------------------------------------------------------------


async def test_another_tenant_is_refused(host: Host, superuser: Connection, tenant: str) -> None:
    """Tied to one tenant it cannot notify in another, known or not; the message says why."""
    elsewhere = f"{tenant}-2"
    for known in (False, True):
        if known:
            await superuser.execute("insert into tocsin.tenant values ($1)", elsewhere)
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
            await host.notify(elsewhere)
        assert str(caught.value) == f"role {host.role} is not tied to the tenant {elsewhere}"
    assert await _ids(superuser, elsewhere) == []


async def test_without_a_tie_it_is_refused(host: Host, superuser: Connection, tenant: str) -> None:
    """Also once the owner has taken the tie away; what was said before stays."""
    first = await host.notify(tenant)
    await superuser.execute("delete from tocsin.host where role_name = $1", host.role)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is not tied"):
        await host.notify(tenant)
    assert await _ids(superuser, tenant) == [first]
    assert await host.sql.fetch("select id from tocsin.request") == []


@pytest.mark.parametrize("role", ["tocsin_app", "tocsin_worker", None])
async def test_only_hosts_may_call_it(role: str | None, urls: Urls, tenant: str) -> None:
    """The server's roles may not; nor may any other role that can log in."""
    connection = await asyncpg.connect(urls.server)
    if role:
        await connection.execute(f"set role {role}")
    else:
        await connection.execute("reset role")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function notify"):
        await connection.fetch("select tocsin.notify($1, 'x', 'x')", tenant)
    await connection.close()


async def test_the_owner_is_no_host(urls: Urls, tenant: str) -> None:
    """Row level security is forced on the owner of the tables as well."""
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("insert into tocsin.host values ($1, current_user)", tenant)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await owner.fetch("select tocsin.notify($1, 'x', 'x')", tenant)
    await owner.execute("delete from tocsin.host where tenant_id = $1", tenant)
    await owner.close()


async def test_a_host_that_could_act_as_the_server_is_refused(
    host: Host, superuser: Connection, tenant: str
) -> None:
    """As a member of tocsin_app it has the server's policies, too, and these want a tenant's context."""
    await superuser.execute(f"grant tocsin_app to {host.role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant in this transaction"):
        await host.notify(tenant, idempotency_key=_KEY)


# -- beside the function -----------------------------------------------------------------------------------


async def test_what_it_can_read(host: Host, other: Host, tenant: str) -> None:
    """Of its own requests what a key needs; its own ties; nothing else."""
    mine, _others = await host.notify(tenant), await other.notify(tenant)
    assert [row["id"] for row in await host.sql.fetch("select id from tocsin.request")] == [mine]
    assert [tuple(row) for row in await host.sql.fetch("select * from tocsin.host")] == [(tenant, host.role)]
    for column in ("title", "body", "data", "recipient_ids", "status", "*"):
        await _refused(host, f"select {column} from tocsin.request")


async def test_no_other_table_is_for_it(host: Host, superuser: Connection) -> None:
    """It can neither read nor delete from any table but its requests and ties; nor update the outbox."""
    tables = await superuser.fetch(
        "select relname from pg_class where relnamespace = 'tocsin'::regnamespace and relkind = 'r'"
        " and relname <> all('{request,host}') order by 1"
    )
    assert len(tables) == 19
    for (table,) in tables:
        await _refused(host, f"select * from tocsin.{table}")
        await _refused(host, f"delete from tocsin.{table}")
    await _refused(host, "update tocsin.due set due_at = now()")


async def _refused(host: Host, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await host.sql.execute(statement)


async def test_what_it_can_write(host: Host, other: Host, superuser: Connection, tenant: str) -> None:
    """No ties, no deletions, no progress, no date, no other caller, no tenant that is not its own."""
    id = await other.notify(tenant, idempotency_key=_KEY)
    insert = "insert into tocsin.request (tenant_id, id, caller, type, title, recipients{}) values"
    values = f"('{tenant}', '{uuid4()}', 'sql:{host.role}', 'x', 'x', 0{{}})"
    for column in ("status", "position", "done", "created_at", "actions", "icon", "template_id"):
        await _refused(host, insert.format(f", {column}") + values.format(", default"))
    for wrong in (
        values.format("").replace(f"sql:{host.role}", f"sql:{other.role}"),
        values.format("").replace(f"'{tenant}'", f"'{tenant}-2'"),
        values.format("").replace("'x', 'x', 0", "'x', '', 0"),
        values.format("").replace("'x', 'x', 0", "'x', 'x', 7"),
    ):
        await _refused(host, insert.format("") + wrong)
    await _refused(host, "delete from tocsin.request")
    await _refused(host, f"insert into tocsin.host values ('{tenant}-2', '{host.role}')")
    await _refused(host, "update tocsin.host set tenant_id = 'x'")
    await _refused(host, f"update tocsin.request set title = 'x' where id = '{id}'")
    assert await host.sql.execute("update tocsin.request set idempotency_key = null") == "UPDATE 0"
    assert await _ids(superuser, tenant) == [id]


async def test_its_own_keys_can_only_be_forgotten(host: Host, superuser: Connection, tenant: str) -> None:
    """A key is taken away, never changed."""
    await host.notify(tenant, idempotency_key=_KEY)
    await _refused(host, "update tocsin.request set idempotency_key = 'x'")
    assert await host.sql.execute("update tocsin.request set idempotency_key = null") == "UPDATE 1"
    assert [row["idempotency_key"] for row in await _stored(superuser, tenant)] == [None]


async def test_work_is_only_for_its_own_requests(host: Host, other: Host, tenant: str) -> None:
    """It can put neither deliveries nor requests of others into the outbox, nor hold anything there."""
    mine, others = await host.notify(tenant), await other.notify(tenant)
    insert = "insert into tocsin.due (tenant_id, id, kind{}) values ('{}', '{}', '{}'{})"
    for id, kind in ((uuid4(), "REQUEST"), (others, "REQUEST"), (mine, "DELIVERY")):
        await _refused(host, insert.format("", tenant, id, kind, ""))
    for column in ("due_at", "lease"):
        await _refused(host, insert.format(f", {column}", tenant, mine, "REQUEST", ", default"))
    with pytest.raises(asyncpg.UniqueViolationError):  # its own is there already
        await host.sql.execute(insert.format("", tenant, mine, "REQUEST", ""))
