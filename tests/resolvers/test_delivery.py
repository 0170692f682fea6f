"""The delivery log as an admin reads it, and trying again what did not arrive."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

import db.delivery
from db.listing import page_statement
from db.session import OUTBOX, Database, Scope
from resolvers.principal import Role
from tests.resolvers.support import (
    ABSENT,
    DELETE,
    Nobody,
    Statements,
    Vault,
    add_attempts,
    add_channel,
    add_deliveries,
    change,
    forged,
)
from tests.support import Api

LIST = """query($first: Int, $after: String, $filter: DeliveryFilter) {
  deliveries(first: $first, after: $after, filter: $filter) {
    nodes { id } edges { cursor node { id } } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
WHOLE = """{ deliveries { nodes { id status reason nextAttemptAt createdAt notification { id } channel { id }
  attempts { number statusCode } } } }"""
RETRY = """mutation($id: ID!) { retryDelivery(id: $id) {
  id status reason nextAttemptAt attempts { number } channel { id } } }"""
STATUSES = ("PENDING", "DEFERRED", "SENDING", "SENT", "FAILED", "SUPPRESSED", "CANCELLED")
WAITING = "select tenant_id, id, kind, lease, due_at, due_at <= now() as is_due from tocsin.due"
STORED = "select * from tocsin.delivery"


async def page(user: Api.User, **arguments: Any) -> Any:
    """Return a page of the log."""
    return (await user.data(LIST, **arguments))["deliveries"]


async def found(caller: Api.User, **filter: Any) -> list[str]:
    """Return the ids of what a filter lets through, which are as many as are counted."""
    shown = await page(caller, filter=filter)
    assert shown["totalCount"] == len(shown["nodes"])
    return [node["id"] for node in shown["nodes"]]


async def one(user: Api.User, status: str = "SENT", **values: Any) -> UUID:
    """Store a delivery of the user's, on a channel of its own."""
    (row,) = await user.receive("a")
    (id,) = await add_deliveries(user, [(row, await add_channel(user))], status=status, **values)
    return id


# -- the log -----------------------------------------------------------------------------------------------


async def test_newest_first_page_by_page(admin: Api.User, ada: Api.User) -> None:
    """A walk gives each delivery once, newest first, also those of one instant, and counts all on each page."""
    channels = [await add_channel(ada) for _ in range(3)]
    rows = await ada.receive("a", "b")
    ids: list[UUID] = []
    for row in rows:
        together = await add_deliveries(ada, [(row, channel) for channel in channels])
        ids = [*sorted(together, reverse=True), *ids]
    seen: list[str] = []
    after, more = None, True
    while more:
        shown = await page(admin, first=4, after=after)
        assert shown["totalCount"] == 6
        assert shown["pageInfo"]["hasPreviousPage"] == bool(seen)
        assert [edge["node"] for edge in shown["edges"]] == shown["nodes"]
        seen += [node["id"] for node in shown["nodes"]]
        after, more = shown["pageInfo"]["endCursor"], shown["pageInfo"]["hasNextPage"]
    assert seen == [str(id) for id in ids]


async def test_every_field(admin: Api.User, ada: Api.User) -> None:
    """What is stored comes back; a notification is shown to its owner alone, and one without a row is null."""
    (mine,), (theirs,) = await admin.receive("mine"), await ada.receive("theirs")
    channel = await add_channel(ada)
    (first,) = await add_deliveries(admin, [(mine, channel)], status="FAILED", reason="It said no.")
    (second,) = await add_deliveries(ada, [(theirs, channel)])
    (third,) = await add_deliveries(ada, [(theirs, channel)], status="DEFERRED", reason="Quiet hours.")
    async with admin.api.database.transaction(Scope(admin.tenant, None)) as tx:
        await tx._connection.execute(
            "update tocsin.delivery set notification_id = null where tenant_id = $1 and id = $2",
            admin.tenant,
            third,
        )
    await add_attempts(admin, [first], 1, 2, status_code=503)
    nodes = (await admin.data(WHOLE))["deliveries"]["nodes"]
    assert all(node.pop("createdAt") for node in nodes)
    common = {"nextAttemptAt": None, "channel": {"id": str(channel)}}
    attempts = [{"number": number, "statusCode": 503} for number in (1, 2)]
    assert nodes == [
        {"id": str(id), "status": status, "reason": reason, "notification": row, "attempts": tried, **common}
        for id, status, reason, row, tried in (
            (third, "DEFERRED", "Quiet hours.", None, []),
            (second, "SENT", None, None, []),
            (first, "FAILED", "It said no.", {"id": mine}, attempts),
        )
    ]


async def test_each_field_of_a_filter(admin: Api.User, ada: Api.User) -> None:
    """Fields AND together, statuses OR; an empty list and null are no restriction."""
    channels = [await add_channel(ada) for _ in range(2)]
    (mine,), (theirs,) = await admin.receive("mine"), await ada.receive("theirs")
    stored = {}
    for user, row in ((admin, mine), (ada, theirs)):
        for way in channels:
            for status in ("SENT", "FAILED"):
                (id,) = await add_deliveries(user, [(row, way)], status=status)
                stored[id] = (row, str(way), status, user.id)
    newest = [*reversed(stored)]
    cases: list[tuple[dict[str, Any], dict[int, set[str]]]] = [
        ({}, {}),
        ({"notification": None, "channel": None, "status": None, "user": None}, {}),
        ({"status": []}, {}),
        ({"notification": mine}, {0: {mine}}),
        ({"channel": str(channels[0])}, {1: {str(channels[0])}}),
        ({"status": ["FAILED", "FAILED"]}, {2: {"FAILED"}}),
        ({"status": ["FAILED", "SENT"]}, {}),
        ({"user": "ada"}, {3: {"ada"}}),
        ({"user": "ada", "notification": mine}, {3: {"ada"}, 0: {mine}}),
        (
            {"user": "root", "channel": str(channels[1]), "status": ["SENT"], "notification": mine},
            {3: {"root"}, 1: {str(channels[1])}, 2: {"SENT"}},
        ),
    ]
    for filter, wanted in cases:
        expected = [
            str(id) for id in newest if all(stored[id][place] in values for place, values in wanted.items())
        ]
        assert await found(admin, **filter) == expected, filter


@pytest.mark.parametrize("field", ["notification", "channel", "user"])
@pytest.mark.parametrize("value", [ABSENT, "", "nonsense", "x" * 200, "foreign"])
async def test_what_is_not_here_matches_nothing(
    admin: Api.User, stranger: Api.User, rival: Api.User, field: str, value: str
) -> None:
    """Absent, foreign and impossible ids are an empty list, byte for byte the same."""
    await one(admin)
    id = await one(stranger)
    if value == "foreign":
        (node,) = (await rival.data(WHOLE.replace("notification { id }", "")))["deliveries"]["nodes"]
        assert node["id"] == str(id)
        value = {"notification": str(id), "channel": node["channel"]["id"], "user": stranger.id}[field]
    answer = await admin.ask(LIST, filter={field: value})
    assert answer.content == (await admin.ask(LIST, filter={field: str(uuid4())})).content
    assert (answer.data["deliveries"]["nodes"], answer.data["deliveries"]["totalCount"]) == ([], 0)


async def test_the_total_is_counted_only_when_asked_for(admin: Api.User, statements: Statements) -> None:
    """A page alone is one statement, with its total two."""
    await one(admin)
    statements.of(admin.tenant)
    await admin.data("{ deliveries { nodes { id } } }")
    assert len(statements.of(admin.tenant)) == 1
    await admin.data("{ deliveries { nodes { id } totalCount } }")
    assert len(statements.of(admin.tenant)) == 2


@pytest.mark.parametrize("first", [0, -1, 201])
async def test_sizes_out_of_range(admin: Api.User, first: int) -> None:
    """A page of the log has 1 to 200."""
    error = await admin.refusal(LIST, first=first)
    assert error["extensions"] == {"code": "LIMIT_OUT_OF_RANGE", "argument": "first", "min": 1, "max": 200}


@pytest.mark.parametrize("after", ["", "x", forged(1, 2)])
async def test_a_malformed_cursor(admin: Api.User, after: str) -> None:
    """Whatever is not a cursor of a list is INVALID_CURSOR."""
    assert (await admin.refusal(LIST, after=after))["extensions"] == {"code": "INVALID_CURSOR"}


async def test_a_user_that_cannot_be(admin: Api.User) -> None:
    """An id of more than 255 characters is named."""
    error = await admin.refusal(LIST, filter={"user": "x" * 256})
    assert error["extensions"]["fields"] == [{"field": "user", "detail": "is longer than 255 characters."}]


_MANY = """
with said as (
  insert into tocsin.request (tenant_id, id, caller, type, title)
  values ($1, gen_random_uuid(), 'test', 'build.done', 'A build') returning id
)
insert into tocsin.delivery (tenant_id, id, request_id, user_id, status, created_at)
select $1, gen_random_uuid(), said.id, 'user-' || number % 10, 'SENT', now() - make_interval(secs => number)
from said, generate_series(1, 3000) number
"""


@pytest.mark.parametrize("keyset", [False, True])
async def test_a_page_comes_off_the_index(admin: Api.User, vault: Vault, keyset: bool) -> None:
    """EXPLAIN ANALYZE as the server's role: of 3,000 rows the log's index gives 20, with no sort."""
    await one(admin)
    await vault.connection.execute(_MANY, admin.tenant)
    await vault.connection.execute("analyze tocsin.delivery")
    statement = page_statement(db.delivery.LISTING, (), keyset=keyset)
    binds = {"at": datetime.now(UTC) - timedelta(minutes=10), "at_id": uuid4(), "limit": 20}
    scope = Scope(admin.tenant, "root")
    async with vault.connection.transaction():
        await vault.connection.execute("set local role tocsin_app")
        plan = await vault.connection.fetchval(
            f"explain (analyze, format json) {statement.text}", *statement.arguments(binds | scope.binds)
        )
    nodes = _nodes(json.loads(plan)[0]["Plan"])
    (scan,) = [node for node in nodes if node.get("Relation Name") == "delivery"]
    assert (scan["Index Name"], scan["Actual Rows"]) == ("delivery_log_idx", 20)
    assert [node for node in nodes if "Sort" in node["Node Type"]] == []


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a node and all below it."""
    return [plan, *(node for below in plan.get("Plans", ()) for node in _nodes(below))]


# -- again -------------------------------------------------------------------------------------------------


async def _outbox(vault: Vault, tenant: str) -> dict[UUID, tuple[Any, ...]]:
    """Return (kind, lease, is_due) of what waits, by id."""
    rows = await vault.fetch(WAITING, tenant)
    return {row["id"]: (row["kind"], row["lease"], row["is_due"]) for row in rows}


async def _row(vault: Vault, tenant: str, id: UUID) -> Any:
    (row,) = [row for row in await vault.fetch(STORED, tenant) if row["id"] == id]
    return row


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
async def test_what_is_over_begins_anew(admin: Api.User, ada: Api.User, vault: Vault, status: str) -> None:
    """It is PENDING and due at once, without strikes, digest or escalation; its attempts stay."""
    id = await one(ada, status, reason="It said no.", if_unread=True, in_digest=True)
    await add_attempts(ada, [id], 1, 2)
    await vault.connection.execute("update tocsin.delivery set strikes = 9 where id = $1", id)
    assert await _outbox(vault, ada.tenant) == {}
    shown = await change(admin, RETRY, id=str(id))
    assert (shown["id"], shown["status"], shown["reason"]) == (str(id), "PENDING", None)
    assert [it["number"] for it in shown["attempts"]] == [1, 2]
    assert await _outbox(vault, ada.tenant) == {id: ("DELIVERY", None, True)}
    row = await _row(vault, ada.tenant, id)
    assert (row["strikes"], row["attempts"], row["if_unread"], row["in_digest"]) == (0, 2, False, False)


async def test_what_waits_is_brought_forward(admin: Api.User, ada: Api.User, vault: Vault) -> None:
    """It is due now and not in 2030, with the strikes it has; who had picked it and died no longer counts."""
    id = await one(
        ada, "PENDING", reason="503", next_attempt_at=datetime(2030, 1, 1, tzinfo=UTC), in_digest=True
    )
    await vault.connection.execute("update tocsin.delivery set strikes = 3 where id = $1", id)
    expired = "update tocsin.due set lease = $2, due_at = now() - interval '1 s' where id = $1"
    await vault.connection.execute(expired, id, uuid4())
    shown = await change(admin, RETRY, id=str(id))
    assert (shown["status"], shown["reason"]) == ("PENDING", "503")
    assert datetime.fromisoformat(shown["nextAttemptAt"]) <= datetime.now(UTC)
    assert await _outbox(vault, ada.tenant) == {id: ("DELIVERY", None, True)}
    row = await _row(vault, ada.tenant, id)
    assert (row["strikes"], row["in_digest"]) == (3, True)


async def test_workers_hear_of_it(admin: Api.User, hub: Any) -> None:
    """A worker that waits for work is woken, and not by what was refused."""
    failed, sent = await one(admin, "FAILED"), await one(admin, "SENT")
    with hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter:
        for id, woken in ((sent, False), (failed, True)):
            heard = asyncio.create_task(waiter.moved(30))
            await admin.ask(RETRY, id=str(id))
            await asyncio.wait([heard], timeout=0.3 + 5 * woken)
            assert heard.done() is woken
            heard.cancel()


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ("SENDING", "is being sent."),
        ("PENDING", "is being sent."),  # a worker holds it
        ("SENT", "was sent."),
        ("DEFERRED", "waits for what its reason says, and then goes by itself."),
        ("SUPPRESSED", "was not to be sent: see its reason."),
    ],
)
async def test_what_is_not_tried_again(admin: Api.User, vault: Vault, status: str, detail: str) -> None:
    """The refusal says why, and nothing changes: not even the lease of who is sending it."""
    id = await one(admin, status)
    lease = None if status == "DEFERRED" else uuid4()
    await vault.connection.execute(
        "insert into tocsin.due (tenant_id, id, due_at, lease) values ($1, $2, now() + interval '1 hour', $3) "
        "on conflict (tenant_id, id) do update set due_at = excluded.due_at, lease = excluded.lease",
        admin.tenant,
        id,
        lease,
    )
    before = await vault.of(admin.tenant)
    error = await admin.refusal(RETRY, id=str(id))
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "fields": [{"field": "id", "detail": detail}]}
    assert await vault.of(admin.tenant) == before


@pytest.mark.parametrize("status", ["PENDING", "FAILED", "CANCELLED"])
async def test_without_a_channel(admin: Api.User, vault: Vault, status: str) -> None:
    """What has lost its channel is refused."""
    id = await one(admin, status)
    await vault.connection.execute("update tocsin.delivery set channel_id = null where id = $1", id)
    before = await vault.of(admin.tenant)
    (field,) = (await admin.refusal(RETRY, id=str(id)))["extensions"]["fields"]
    assert field == {"field": "id", "detail": "has no channel any more."}
    assert await vault.of(admin.tenant) == before


async def test_a_test_is_not_tried_again(admin: Api.User, vault: Vault) -> None:
    """Else more than 5 a minute could go past everything."""
    id = await one(admin, "FAILED", is_test=True)
    before = await vault.of(admin.tenant)
    (field,) = (await admin.refusal(RETRY, id=str(id)))["extensions"]["fields"]
    assert field == {"field": "id", "detail": "was a test: send another."}
    assert await vault.of(admin.tenant) == before


async def test_a_deleted_notification_does_not_matter(admin: Api.User) -> None:
    """Whether it is still in the inbox is no reason not to send it."""
    (row,) = await admin.receive("a")
    (id,) = await add_deliveries(admin, [(row, await add_channel(admin))], status="FAILED")
    await change(admin, DELETE, row)
    assert (await change(admin, RETRY, id=str(id)))["status"] == "PENDING"


async def test_ten_at_once(admin: Api.User, vault: Vault) -> None:
    """Retried ten times at once it is due once, and none of them fails."""
    id = await one(admin, "FAILED")
    answers = await asyncio.gather(*(admin.ask(RETRY, id=str(id)) for _ in range(10)))
    assert [answer.codes for answer in answers] == [[]] * 10
    assert await _outbox(vault, admin.tenant) == {id: ("DELIVERY", None, True)}


async def test_while_a_worker_settles_it(admin: Api.User, vault: Vault, database: Database) -> None:
    """A retry waits for who holds it, in the order in which workers lock, and then sees what became of it."""
    id = await one(admin, "PENDING")
    async with database.transaction(Scope(admin.tenant, None)) as tx:
        await tx._connection.execute("select from tocsin.due where id = $1 for update", id)
        retry = asyncio.create_task(admin.refusal(RETRY, id=str(id)))
        await asyncio.sleep(0.3)
        assert not retry.done()
        await tx._connection.execute("update tocsin.delivery set status = 'SENT' where id = $1", id)
        await tx._connection.execute("delete from tocsin.due where id = $1", id)
    assert (await retry)["extensions"]["fields"] == [{"field": "id", "detail": "was sent."}]
    assert await _outbox(vault, admin.tenant) == {}


# -- who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [LIST, RETRY])
async def test_admins_only(
    ada: Api.User, agent: Api.User, nobody: Nobody, vault: Vault, document: str
) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, whatever is there; nothing changes."""
    id = await one(ada, "FAILED")
    before = await vault.of(ada.tenant)
    wrong: list[dict[str, Any]] = [{"first": 0, "filter": {"user": "x" * 256}}, {}]
    for variables in ({"id": str(id)}, {"id": ABSENT}) if document == RETRY else wrong:
        for user in (ada, agent):
            assert (await user.refusal(document, **variables))["extensions"] == {"code": "FORBIDDEN"}
        assert (await nobody.ask(document, **variables)).codes == ["UNAUTHENTICATED"]
    assert await vault.of(ada.tenant) == before


async def test_another_tenants_log(api: Api, ada: Api.User, stranger: Api.User, rival: Api.User) -> None:
    """An admin sees nothing of another tenant's, and what is stored there changes no answer."""
    await one(stranger)
    before = (await rival.ask(WHOLE)).content
    await one(ada)
    assert (await rival.ask(WHOLE)).content == before
    namesake = api.user(ada.tenant, rival.id, Role.ADMIN)
    assert (await namesake.ask(WHOLE)).content != before


@pytest.mark.parametrize("status", STATUSES)
async def test_a_foreign_delivery_is_an_absent_one(
    ada: Api.User, rival: Api.User, vault: Vault, status: str
) -> None:
    """Byte for byte, wherever it stands; and it stays as it is."""
    id = await one(ada, status)
    before = await vault.of(ada.tenant)
    answers = [await rival.ask(RETRY, id=it) for it in (str(id), ABSENT, "nonsense", "")]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].codes == ["NOT_FOUND"]
    assert await vault.of(ada.tenant) == before
    assert await vault.of(rival.tenant) == {table: [] for table in before}
