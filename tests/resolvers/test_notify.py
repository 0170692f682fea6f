"""Notify: all of it or nothing, once for each key, and to each recipient what their preferences say."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from db.system_template import SYSTEM_TEMPLATES
from db.types import ChannelKind
from resolvers.principal import Role
from tests.resolvers.support import (
    ABSENT,
    Nobody,
    Statements,
    Vault,
    add_channel,
    add_preference,
    add_template,
    inbox,
    stats,
    titles,
)
from tests.support import Api

PAYLOAD = "{ request { id status recipients done createdAt } notifications created suppressed replayed }"
NOTIFY = f"""mutation($input: NotifyInput!, $key: String) {{
  notify(input: $input, idempotencyKey: $key) {PAYLOAD} }}"""
REQUEST = "query($id: ID!) { notifyRequest(id: $id) { id status recipients done } }"
DELIVERIES = """query($id: ID!) { notification(id: $id) {
  deliveries { status reason nextAttemptAt channel { id } attempts { number } } } }"""


async def notify(sender: Api.User, *recipients: str, key: str | None = None, **input: Any) -> Any:
    """Send something that must be accepted, and return the payload."""
    whole = {"type": "build.done", "title": "A build", **input}
    if recipients:
        whole["recipients"] = [{"id": id} for id in recipients]
    return (await sender.data(NOTIFY, input=whole, key=key))["notify"]


async def refused(sender: Api.User, **input: Any) -> Any:
    """Send something that must be refused, and return the error's extensions."""
    whole = {"type": "build.done", "title": "A build", "recipients": [{"id": "ada"}], **input}
    given = {name: value for name, value in whole.items() if value is not ...}
    return (await sender.refusal(NOTIFY, input=given))["extensions"]


async def deliveries(user: Api.User, id: str) -> list[Any]:
    """Return the deliveries of a notification, as its owner sees them."""
    found: list[Any] = (await user.data(DELIVERIES, id=id))["notification"]["deliveries"]
    return found


async def of_request(vault: Vault, tenant: str) -> list[tuple[Any, ...]]:
    """Return (user, status, reason) of all deliveries of a tenant."""
    rows = await vault.fetch("select tenant_id, user_id, status, reason from tocsin.delivery", tenant)
    return sorted((row["user_id"], row["status"], row["reason"]) for row in rows)


async def outbox(vault: Vault, tenant: str) -> list[str]:
    """Return the kinds of work that wait for a worker."""
    return [row["kind"] for row in await vault.fetch("select tenant_id, kind from tocsin.due", tenant)]


# -- what is stored ----------------------------------------------------------------------------------------


async def test_each_recipient_has_a_row(agent: Api.User, ada: Api.User, grace: Api.User) -> None:
    """The payload names the rows; each is unread, and whole, in its own inbox."""
    said: dict[str, Any] = {
        "category": "builds",
        "severity": "HIGH",
        "body": "It *failed*.",
        "url": "https://ci.example.com/17",
        "icon": "flame",
        "actions": [{"label": "Open", "url": "/builds/17"}],
        "targets": ["build-17"],
        "teamId": "core",
        "data": {"n": 17},
    }
    payload = await notify(agent, "ada", "grace", title=" Build **17** ", **said)
    assert payload["request"] | {"id": 0, "createdAt": 0} == {
        "id": 0,
        "status": "DONE",
        "recipients": 2,
        "done": 2,
        "createdAt": 0,
    }
    assert (payload["created"], payload["suppressed"], payload["replayed"]) == (2, 0, False)
    found = []
    for user in (ada, grace):
        (node,) = (
            await user.data("""{ notifications { nodes { id type category severity title body url icon
              actions { label url } targets teamId data read dismissed userId } } }""")
        )["notifications"]["nodes"]
        found.append(node.pop("id"))
        assert node == {
            "type": "build.done",
            "title": "Build **17**",
            "read": False,
            "dismissed": False,
            "userId": user.id,
            **said,
        }
    assert sorted(found) == sorted(payload["notifications"])


async def test_left_out_fields_come_from_the_type(agent: Api.User, admin: Api.User, ada: Api.User) -> None:
    """The category and icon of the type; of an unknown one the part before the dot, and a bell."""
    await admin.data("""mutation { upsertNotificationTypes(types: [
      {name: "invoice.due", category: "billing", icon: "coin"}]) { name } }""")
    await notify(agent, "ada", type="invoice.due")
    await notify(agent, "ada", type="deploy.failed")
    nodes = (await ada.data("{ notifications { nodes { category icon severity body } } }"))["notifications"]
    assert nodes["nodes"] == [
        {"category": "deploy", "icon": "bell", "severity": "NORMAL", "body": ""},
        {"category": "billing", "icon": "coin", "severity": "NORMAL", "body": ""},
    ]


async def test_the_badge_moves_with_it(agent: Api.User, ada: Api.User) -> None:
    """A subscription gets an event with the stats of the same moment."""
    async with ada.socket() as socket:
        feed = await socket.subscribe("""subscription { inboxEvents { stats { unread }
          ... on NotificationCreated { notification { title } } } }""")
        await asyncio.sleep(0.2)
        await notify(agent, "ada", title="One")
        assert (await feed.next())["inboxEvents"] == {
            "stats": {"unread": 1},
            "notification": {"title": "One"},
        }


async def test_recipients_are_added_to_the_directory(agent: Api.User, vault: Vault) -> None:
    """What is said of a person is stored; what is left out stays."""
    people = [{"id": "ada", "email": "ada@x.org", "name": "Ada"}, {"id": "bob"}]
    await agent.data(NOTIFY, input={"type": "a.b", "title": "x", "recipients": people})
    again = [{"id": "ada", "timezone": "Europe/Paris", "name": None}]
    await agent.data(NOTIFY, input={"type": "a.b", "title": "x", "recipients": again})
    rows = await vault.fetch("select * from tocsin.recipient", agent.tenant)
    assert sorted((row["id"], row["email"], row["name"], row["timezone"]) for row in rows) == [
        ("ada", "ada@x.org", None, "Europe/Paris"),
        ("bob", None, None, None),
    ]


async def test_as_many_statements_for_fifty_as_for_one(agent: Api.User, statements: Statements) -> None:
    """Neither inbox rows nor deliveries are stored one by one."""
    await add_channel(agent)
    await notify(agent, "u0")
    statements.of(agent.tenant)
    await notify(agent, "u1")
    one = statements.of(agent.tenant)
    await notify(agent, *(f"v{number}" for number in range(50)))
    assert statements.of(agent.tenant) == one


async def test_a_thousand(agent: Api.User, vault: Vault) -> None:
    """The most there may be, in one call."""
    await add_channel(agent)
    payload = await notify(agent, *(f"u{number}" for number in range(1000)))
    assert (payload["created"], len(payload["notifications"])) == (1000, 1000)
    assert await outbox(vault, agent.tenant) == ["DELIVERY"] * 1000


async def test_at_once_and_crosswise(agent: Api.User, api: Api) -> None:
    """Calls with the same recipients in any order neither lock each other out nor lose a count."""
    names = [f"u{number}" for number in range(10)]
    await asyncio.gather(*(notify(agent, *(names if even % 2 else names[::-1])) for even in range(20)))
    for name in names:
        assert (await stats(api.user(agent.tenant, name)))["unread"] == 20


# -- once for each key -------------------------------------------------------------------------------------


async def test_a_key_replays(agent: Api.User, ada: Api.User) -> None:
    """The same key and input answers what the first call did, and does nothing."""
    first = await notify(agent, "ada", key="k")
    assert await notify(agent, "ada", key="k") == {**first, "replayed": True}
    assert (await inbox(ada))["totalCount"] == 1


async def test_a_key_conflicts(agent: Api.User, ada: Api.User, vault: Vault) -> None:
    """The same key and another input is refused, and nothing is stored."""
    await notify(agent, "ada", key="k")
    before = await vault.of(agent.tenant)
    error = await agent.refusal(
        NOTIFY, input={"type": "build.done", "title": "Other", "recipients": [{"id": "ada"}]}, key="k"
    )
    assert error["extensions"] == {"code": "IDEMPOTENCY_CONFLICT"}
    assert await vault.of(agent.tenant) == before
    assert await titles(ada) == ["A build"]


async def test_keys_are_the_callers_own(agent: Api.User, admin: Api.User, api: Api, ada: Api.User) -> None:
    """Another caller's, and another tenant's, same key is another key."""
    abroad = api.user(f"other-{uuid4().hex[:12]}", agent.id, Role.AGENT)
    calls = [await notify(sender, "ada", key="k") for sender in (agent, admin, abroad)]
    assert [call["replayed"] for call in calls] == [False] * 3
    assert (await inbox(ada))["totalCount"] == 2


async def test_a_key_at_once(agent: Api.User, ada: Api.User) -> None:
    """Of twenty calls at the same time one stores, and all answer the same."""
    payloads = await asyncio.gather(*(notify(agent, "ada", key="k") for _ in range(20)))
    assert sorted(it["replayed"] for it in payloads) == [False] + [True] * 19
    assert len({it["request"]["id"] for it in payloads}) == 1
    assert (await inbox(ada))["totalCount"] == 1


@pytest.mark.parametrize(("hours", "replayed"), [(23.9, True), (24.1, False)])
async def test_a_key_lives_for_a_day(
    agent: Api.User, ada: Api.User, vault: Vault, hours: float, replayed: bool
) -> None:
    """After 24 hours it may be used again, for anything."""
    await notify(agent, "ada", key="k")
    await vault.connection.execute(
        "update tocsin.request set created_at = created_at - $2::interval where tenant_id = $1",
        agent.tenant,
        timedelta(hours=hours),
    )
    assert (await notify(agent, "ada", key="k"))["replayed"] is replayed
    assert (await inbox(ada))["totalCount"] == 2 - replayed


# -- preferences and channels ------------------------------------------------------------------------------


async def test_a_delivery_for_each_channel(agent: Api.User, ada: Api.User, vault: Vault) -> None:
    """PENDING, and in the outbox; a channel that is off or takes other categories has none."""
    on = await add_channel(agent)
    await add_channel(agent, enabled=False)
    other = await add_channel(agent)
    await vault.connection.execute(
        "update tocsin.channel set categories = '{other}' where tenant_id = $1 and id = $2",
        agent.tenant,
        other,
    )
    payload = await notify(agent, "ada")
    assert await deliveries(ada, payload["notifications"][0]) == [
        {
            "status": "PENDING",
            "reason": None,
            "nextAttemptAt": None,
            "channel": {"id": str(on)},
            "attempts": [],
        }
    ]
    assert await outbox(vault, agent.tenant) == ["DELIVERY"]


async def test_a_channel_that_goes_at_the_same_time(agent: Api.User, admin: Api.User, vault: Vault) -> None:
    """Whoever comes first: the delivery is there and cancelled, or there is none; nobody gets an error."""
    delete = "mutation($id: ID!) { deleteChannel(id: $id) }"
    for _round in range(20):
        channel = await add_channel(agent)
        await asyncio.gather(notify(agent, "ada"), admin.data(delete, id=str(channel)))
    assert {status for _user, status, _reason in await of_request(vault, agent.tenant)} <= {"CANCELLED"}


async def test_channels_limit(agent: Api.User, ada: Api.User, vault: Vault) -> None:
    """Only the kinds given; without IN_APP there is no inbox row."""
    await add_channel(agent)
    await add_channel(agent, ChannelKind.SLACK)
    payload = await notify(agent, "ada", channels=["WEBHOOK"])
    assert (payload["created"], payload["suppressed"], payload["notifications"]) == (0, 1, [])
    assert await of_request(vault, agent.tenant) == [("ada", "PENDING", None)]
    payload = await notify(agent, "ada", channels=["IN_APP"])
    assert (payload["created"], payload["suppressed"]) == (1, 0)
    assert len(await of_request(vault, agent.tenant)) == 1
    assert (await inbox(ada))["totalCount"] == 1


async def test_what_is_switched_off(agent: Api.User, ada: Api.User, grace: Api.User, vault: Vault) -> None:
    """IN_APP off: no row, but the channels still; a channel off: SUPPRESSED, with the reason."""
    await add_channel(agent)
    await add_preference(ada, category="build", channel_kind=ChannelKind.IN_APP, enabled=False)
    await add_preference(grace, category="build", channel_kind=ChannelKind.WEBHOOK, enabled=False)
    payload = await notify(agent, "ada", "grace")
    assert (payload["created"], payload["suppressed"]) == (1, 1)
    assert await of_request(vault, agent.tenant) == [
        ("ada", "PENDING", None),
        ("grace", "SUPPRESSED", "It is switched off."),
    ]
    assert await outbox(vault, agent.tenant) == ["DELIVERY"]
    assert [(await inbox(user))["totalCount"] for user in (ada, grace)] == [0, 1]


async def test_required_types_pass(agent: Api.User, admin: Api.User, ada: Api.User, vault: Vault) -> None:
    """What a type requires no preference stops."""
    await add_channel(agent)
    await add_preference(ada, category="*", enabled=False)
    await admin.data("""mutation { upsertNotificationTypes(types: [
      {name: "security.alert", required: true}]) { name } }""")
    assert (await notify(agent, "ada", type="security.alert"))["created"] == 1
    assert await of_request(vault, agent.tenant) == [("ada", "PENDING", None)]


def around(now: datetime) -> tuple[time, time]:
    """Return quiet hours from an hour ago to an hour ahead, to the minute."""
    return tuple((now + timedelta(hours=hours)).time().replace(second=0, microsecond=0) for hours in (-1, 1))  # type: ignore[return-value]


async def test_quiet_hours_defer(agent: Api.User, ada: Api.User, vault: Vault) -> None:
    """The row is there at once; the channel waits for the end, to the minute; CRITICAL passes."""
    await add_channel(agent)
    now = datetime.now(UTC)
    start, end = around(now)
    await add_preference(ada, category="*", quiet_start=start, quiet_end=end, timezone="UTC")
    calm, urgent = await notify(agent, "ada"), await notify(agent, "ada", severity="CRITICAL")
    over = (now + timedelta(hours=1)).replace(second=0, microsecond=0)
    (waiting,) = await deliveries(ada, calm["notifications"][0])
    assert (waiting["status"], waiting["reason"]) == ("DEFERRED", "Quiet hours.")
    assert waiting["nextAttemptAt"] == over.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    (passing,) = await deliveries(ada, urgent["notifications"][0])
    assert (passing["status"], passing["reason"]) == ("PENDING", None)
    due = await vault.fetch("select tenant_id, due_at from tocsin.due", agent.tenant)
    assert [row["due_at"] for row in due if row["due_at"] > now + timedelta(minutes=5)] == [over]


async def test_mail_needs_an_address(agent: Api.User, vault: Vault) -> None:
    """Without one, and without a fixed one in the channel, it is SUPPRESSED and says so."""
    await add_channel(agent, ChannelKind.EMAIL, config={"from": "a@x.org"})
    people = [{"id": "ada", "email": "ada@x.org"}, {"id": "bob"}]
    await agent.data(NOTIFY, input={"type": "a.b", "title": "x", "recipients": people})
    assert await of_request(vault, agent.tenant) == [
        ("ada", "PENDING", None),
        ("bob", "SUPPRESSED", "The recipient has no email address."),
    ]


async def test_escalation_waits(agent: Api.User, ada: Api.User, vault: Vault) -> None:
    """The inbox at once; the channels after the minutes given."""
    await add_channel(agent)
    payload = await notify(agent, "ada", escalateAfterMinutes=15)
    (waiting,) = await deliveries(ada, payload["notifications"][0])
    assert (waiting["status"], waiting["reason"]) == ("DEFERRED", "It waits to be read first.")
    (row,) = await vault.fetch(
        "select tenant_id, next_attempt_at - created_at as wait, if_unread from tocsin.delivery", agent.tenant
    )
    assert (row["wait"], row["if_unread"]) == (timedelta(minutes=15), True)


# -- everyone ----------------------------------------------------------------------------------------------


async def test_everyone_is_accepted(agent: Api.User, ada: Api.User, vault: Vault) -> None:
    """The request counts the directory and waits for a worker; nothing is in an inbox yet."""
    await agent.data(
        "mutation($r: [RecipientInput!]!) { upsertRecipients(recipients: $r) { id } }",
        r=[{"id": name} for name in ("ada", "bob", "cy")],
    )
    payload = await notify(agent, everyone=True)
    request = payload.pop("request")
    assert (request["status"], request["recipients"], request["done"]) == ("ACCEPTED", 3, 0)
    assert payload == {"notifications": [], "created": 0, "suppressed": 0, "replayed": False}
    assert await outbox(vault, agent.tenant) == ["REQUEST"]
    assert (await inbox(ada))["totalCount"] == 0


# -- templates ---------------------------------------------------------------------------------------------


async def test_a_template_makes_the_text(agent: Api.User, ada: Api.User) -> None:
    """With its variables, and its buttons where none are given; the row knows it."""
    buttons = [{"label": "Open", "url": "https://x.org"}]
    id = await add_template(
        agent, title_template="{{ n }} new", body_template="For {{ who }}.", actions=buttons
    )
    await notify(agent, "ada", title=None, template=str(id), variables={"n": 3, "who": "you"})
    (node,) = (
        await ada.data("{ notifications { nodes { title body template { id } actions { label url } } } }")
    )["notifications"]["nodes"]
    assert node == {"title": "3 new", "body": "For you.", "template": {"id": str(id)}, "actions": buttons}


async def test_a_missing_variable_is_named(agent: Api.User, vault: Vault) -> None:
    """And nothing is stored."""
    id = await add_template(agent, title_template="{{ n }} new", body_template="For {{ who }}.")
    before = await vault.of(agent.tenant)
    error = await refused(agent, title=..., template=str(id), variables={"n": 3})
    assert error["code"] == "BAD_USER_INPUT"
    assert [it["field"] for it in error["fields"]] == ["variables.who"]
    assert await vault.of(agent.tenant) == before


async def test_a_shipped_template_in_a_new_tenant(agent: Api.User) -> None:
    """It is there before anything was stored."""
    shipped = SYSTEM_TEMPLATES[0]
    answer = await agent.ask(
        NOTIFY,
        input={"type": "a.b", "recipients": [{"id": "ada"}], "template": str(shipped.id), "variables": {}},
    )
    # Which variables it wants is its own business: it is found, which a foreign one would not be.
    assert answer.codes in ([], ["BAD_USER_INPUT"])


@pytest.mark.parametrize("id", [ABSENT, "nonsense", ""])
async def test_an_absent_template(agent: Api.User, stranger: Api.User, id: str) -> None:
    """Absent, malformed and foreign are the same NOT_FOUND."""
    foreign = str(await add_template(stranger))
    for it in (id, foreign):
        assert await refused(agent, title=..., template=it) == {"code": "NOT_FOUND"}


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input", "fields"),
    [
        ({"recipients": ...}, ["recipients"]),
        ({"everyone": True}, ["recipients"]),
        ({"recipients": [{"id": "a"}, {"id": "a"}]}, ["recipients.1.id"]),
        ({"recipients": [{"id": "a", "email": "no"}, {"id": ""}]}, ["recipients.0.email", "recipients.1.id"]),
        ({"title": ...}, ["title"]),
        ({"title": "  "}, ["title"]),
        ({"title": "x" * 1001}, ["title"]),
        ({"body": "x" * 65_537}, ["body"]),
        ({"type": ""}, ["type"]),
        ({"type": "x" * 256, "category": "", "icon": ""}, ["type", "category", "icon"]),
        ({"category": "*"}, ["category"]),
        ({"template": ABSENT}, ["title"]),
        ({"template": ABSENT, "body": "x"}, ["title", "body"]),
        ({"variables": {"a": 1}}, ["variables"]),
        ({"channels": []}, ["channels"]),
        ({"targets": ["ok", ""]}, ["targets.1"]),
        ({"targets": ["x"] * 101}, ["targets"]),
        ({"teamId": "", "projectId": "", "environmentId": ""}, ["teamId", "projectId", "environmentId"]),
        ({"actions": [{"label": "", "url": "/x"}]}, ["actions.0.label"]),
        ({"actions": [{"label": "x", "url": "/x"}] * 11}, ["actions"]),
    ],
)
async def test_wrong_input_is_named(
    agent: Api.User, vault: Vault, input: dict[str, Any], fields: list[str]
) -> None:
    """Every wrong field, and nothing is stored."""
    error = await refused(agent, **input)
    assert (error["code"], [it["field"] for it in error["fields"]]) == ("BAD_USER_INPUT", fields)
    assert {table: rows for table, rows in (await vault.of(agent.tenant)).items() if rows} == {}


@pytest.mark.parametrize(
    ("input", "code"),
    [
        ({"recipients": []}, "LIMIT_OUT_OF_RANGE"),
        ({"recipients": [{"id": str(id)} for id in range(1001)]}, "LIMIT_OUT_OF_RANGE"),
        ({"escalateAfterMinutes": 0}, "LIMIT_OUT_OF_RANGE"),
        ({"escalateAfterMinutes": 10_081}, "LIMIT_OUT_OF_RANGE"),
        ({"url": "javascript:alert(1)"}, "INVALID_URL"),
        ({"recipients": [{"id": "a", "timezone": "Nowhere"}]}, "INVALID_TIMEZONE"),
    ],
)
async def test_what_has_a_code_of_its_own(agent: Api.User, input: dict[str, Any], code: str) -> None:
    """Limits, URLs and zones."""
    assert (await refused(agent, **input))["code"] == code


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_wrong_key(agent: Api.User, key: str) -> None:
    """A key has 1 to 255 characters that can be stored."""
    input = {"type": "a.b", "title": "x", "recipients": [{"id": "ada"}]}
    error = (await agent.refusal(NOTIFY, input=input, key=key))["extensions"]
    assert [it["field"] for it in error["fields"]] == ["idempotencyKey"]


async def test_who_may(ada: Api.User, nobody: Nobody, vault: Vault) -> None:
    """A user may not, nor nobody, and nothing is stored."""
    input = {"type": "a.b", "title": "x", "recipients": [{"id": "ada"}]}
    for caller, code in ((ada, "FORBIDDEN"), (nobody, "UNAUTHENTICATED")):
        assert (await caller.ask(NOTIFY, input=input)).codes == [code]
    assert {table: rows for table, rows in (await vault.of(ada.tenant)).items() if rows} == {}


async def test_an_agent_sends_its_types_only(admin: Api.User, api: Api, ada: Api.User) -> None:
    """Another type is FORBIDDEN, and nothing arrives."""
    key = (await admin.data('mutation { createAgent(name: "ci", types: ["ci.done"]) { key } }'))[
        "createAgent"
    ]
    agent = Api.User(api, admin.tenant, "", key["key"])
    assert (await notify(agent, "ada", type="ci.done"))["created"] == 1
    assert (await refused(agent, type="ci.other"))["code"] == "FORBIDDEN"
    assert (await inbox(ada))["totalCount"] == 1


# -- progress ----------------------------------------------------------------------------------------------


async def test_progress_is_told_to_its_own(agent: Api.User, admin: Api.User, api: Api, ada: Api.User) -> None:
    """The caller and admins see a request; to anybody else it is one that does not exist."""
    id = (await notify(agent, "ada"))["request"]["id"]
    seen = {"id": id, "status": "DONE", "recipients": 1, "done": 1}
    for caller in (agent, admin):
        assert (await caller.data(REQUEST, id=id))["notifyRequest"] == seen
    other = api.user(agent.tenant, "other-bot", Role.AGENT)
    rival = api.user(f"other-{uuid4().hex[:12]}", admin.id, Role.ADMIN)
    for caller in (other, rival):
        foreign = await caller.ask(REQUEST, id=id)
        absent = await caller.ask(REQUEST, id=ABSENT)
        assert (foreign.codes, foreign.content) == (["NOT_FOUND"], absent.content)
    assert (await ada.refusal(REQUEST, id=id))["extensions"] == {"code": "FORBIDDEN"}
