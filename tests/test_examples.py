"""docs/examples: each story runs against the server, operation by operation, and answers what it is told for."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from db.system_template import SYSTEM_TEMPLATES
from resolvers.principal import Role
from tests.resolvers.support import Stream, add_channel
from tests.support import Api

EXAMPLES = Path(__file__).parents[1] / "docs/examples"
START = datetime(2026, 1, 15, 10, tzinfo=UTC)
TEMPLATE = min(SYSTEM_TEMPLATES, key=lambda it: it.name).id
WORKSPACE: dict[str, Any] = {
    "template_id": TEMPLATE,
    "targets": ["workspace-1"],
    "icon": "box",
    "actions": [{"label": "View", "url": "/workspaces/1"}],
}
PERSONAL = """{
  notifications(first: 200, filter: {dismissed: INCLUDE}) { unreadCount eventCursor nodes { id read readAt } }
  preferences { id enabled }
}"""
SHARED = "{ channels { totalCount } settings { notifierPaused } templates { id } }"

Answers = dict[str, Any]


# -- telling a story ---------------------------------------------------------------------------------------


def story(name: str) -> tuple[str, dict[str, OperationType], Mapping[str, Any]]:
    """Return a document, its operations in order, and their variables."""
    document = (EXAMPLES / f"{name}.graphql").read_text()
    operations = {
        it.name.value: it.operation
        for it in parse(document).definitions
        if isinstance(it, OperationDefinitionNode) and it.name
    }
    return document, operations, json.loads((EXAMPLES / f"{name}.variables.json").read_text())


def below(value: Any, step: str) -> Any:
    """Return what is one step below: the field of an object, or a place in a list."""
    return value[int(step) if isinstance(value, list) else step]


def filled_in(value: Any, answers: Answers) -> Any:
    """Return variables with what is $from an earlier answer."""
    if isinstance(value, list):
        return [filled_in(it, answers) for it in value]
    if not isinstance(value, dict):
        return value
    if "$from" in value:
        return reduce(below, value["$from"].split("."), answers)
    return {name: filled_in(it, answers) for name, it in value.items()}


async def told(
    name: str, caller: Api.User, **meanwhile: Callable[[], Awaitable[object]]
) -> tuple[Answers, Mapping[str, Any]]:
    """Run a story; return the data of each operation and the variables it had.

    meanwhile: what happens right before an operation.
    """
    document, operations, variables = story(name)
    answers: Answers = {}
    sent: dict[str, Any] = {}
    for operation, kind in operations.items():
        if happens := meanwhile.get(operation):
            await happens()
        sent[operation] = filled_in(variables.get(operation, {}), answers)
        body = {"query": document, "operationName": operation, "variables": sent[operation]}
        run = first_event if kind is OperationType.SUBSCRIPTION else answer
        found = await run(caller, body)
        assert "errors" not in found, (operation, found)
        answers[operation] = found["data"]
    return answers, sent


async def answer(caller: Api.User, body: Mapping[str, Any]) -> Any:
    """Return the answer to a query or a mutation."""
    headers = {"Authorization": f"Bearer {caller.token}"}
    response = await caller.api.http.post("/graphql", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def first_event(caller: Api.User, body: Mapping[str, Any]) -> Any:
    """Return the first event of a subscription."""
    headers = {"Authorization": f"Bearer {caller.token}", "Accept": "text/event-stream"}
    async with caller.api.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        assert response.status_code == 200
        return await Stream(response).next()


def titles(page: Any) -> list[str]:
    """Return the titles of a page."""
    return [node["title"] for node in page["nodes"]]


# -- what is there before it begins ------------------------------------------------------------------------


async def receive(caller: Api.User, hour: int, title: str, **fields: Any) -> str:
    """Let a notification of some hour arrive; return its id."""
    (id,) = await caller.receive(title, created_at=START + timedelta(hours=hour), **fields)
    return id


async def ocore_inbox(caller: Api.User) -> None:
    """Three notifications of two categories."""
    await receive(caller, 1, "Invoice", category="billing", type="invoice.made", body="12", url="/invoices/1")
    await receive(caller, 2, "Deployed", category="deployment")
    await receive(caller, 3, "Failed", category="deployment")


async def owlmetry_inbox(caller: Api.User) -> None:
    """Three digests and two pieces of feedback."""
    for hour, title in enumerate(("first", "second", "third"), 1):
        await receive(caller, hour, title, type="issue.digest", team_id="team", url="/d", data={"n": hour})
    for hour in (4, 5):
        await receive(caller, hour, "praise", type="feedback.new")


async def coder_inbox(caller: Api.User) -> tuple[str, str]:
    """One notification of another workspace between two of workspace-1, whose ids are returned; and Grace."""
    old = await receive(caller, 1, "Created", **WORKSPACE)
    await receive(caller, 2, "Elsewhere", targets=["workspace-2"])
    new = await receive(caller, 3, "*Stopped*", body="By **hand**.", **WORKSPACE)
    admin = caller.api.user(caller.tenant, "root", Role.ADMIN)
    await admin.data('mutation { upsertRecipients(recipients: [{ id: "grace", name: "Grace" }]) { id } }')
    return old, new


async def coder_arrivals(caller: Api.User) -> None:
    """Of another workspace, without the template, and then what is watched for."""
    await receive(caller, 4, "Another target", **WORKSPACE | {"targets": ["workspace-2"]})
    await receive(caller, 5, "Another template", **WORKSPACE | {"template_id": None})
    await receive(caller, 6, "*Started*", **WORKSPACE)


async def ondi_inbox(caller: Api.User) -> None:
    """Three deliveries and an assignment."""
    for hour in range(1, 4):
        await receive(caller, hour, f"delivery {hour}", type="delivery_status_update")
    await receive(caller, 4, "assigned", type="new_assignment")


INBOXES: dict[str, Callable[[Api.User], Awaitable[object]]] = {
    "ocore": ocore_inbox,
    "owlmetry": owlmetry_inbox,
    "coder": coder_inbox,
    "ondi": ondi_inbox,
}


# -- the stories -------------------------------------------------------------------------------------------


async def test_ocore(admin: Api.User) -> None:
    """Listing, preferences, reading, dismissing and channels, with oCore's fields."""
    await ocore_inbox(admin)
    story, sent = await told("ocore", admin)
    listed = story["GetNotifications"]["notifications"]["nodes"]
    assert listed[2] == {
        "id": listed[2]["id"],
        "title": "Invoice",
        "body": "12",
        "category": "billing",
        "url": "/invoices/1",
        "read": False,
        "dismissed": False,
        "createdAt": "2026-01-15T11:00:00.000Z",
    }
    assert story["GetPreferences"]["preferences"] == []
    chosen = story["UpdatePreferences"]["updatePreferences"]
    asked = sent["UpdatePreferences"]["preferences"]
    assert [{name: row[name] for name in given} for row, given in zip(chosen, asked, strict=True)] == asked
    assert story["GetUnreadCount"]["stats"]["unread"] == 3
    assert story["Dismiss"]["dismiss"]["notifications"] == [{**listed[0], "dismissed": True}]
    assert story["MarkAsRead"]["read"]["notifications"] == [{**listed[1], "read": True}]
    assert story["MarkAllAsRead"]["markAllRead"]["marked"] == 2
    again = story["GetNotificationsAgain"]["notifications"]["nodes"]
    assert [(it["title"], it["read"], it["dismissed"]) for it in again] == [
        ("Failed", True, True),
        ("Deployed", True, False),
        ("Invoice", True, False),
    ]


async def test_ocore_channels(admin: Api.User) -> None:
    """A channel is made, listed, changed, tested and deleted; its secret is shown once."""
    await ocore_inbox(admin)
    story, _ = await told("ocore", admin)
    made = story["CreateChannel"]["createChannel"]
    assert made["secret"].startswith("whsec_")
    assert made["channel"]["config"]["url"] == "https://hooks.example.com/ocore"
    assert made["secret"] not in json.dumps(made["channel"])
    assert story["ListChannels"]["channels"] == {"nodes": [made["channel"]], "totalCount": 1}
    changed = story["UpdateChannel"]["updateChannel"]["channel"]
    assert changed == {
        **made["channel"],
        "name": "Monitoring, silenced",
        "enabled": False,
        "updatedAt": changed["updatedAt"],
    }
    tested = story["TestChannel"]["testChannel"]
    assert (tested["status"], tested["channel"]) == ("PENDING", {"name": "Monitoring, silenced"})
    assert story["DeleteChannel"]["deleteChannel"] == made["channel"]["id"]
    assert story["ListChannelsAgain"]["channels"] == {"nodes": [], "totalCount": 0}


async def test_owlmetry(ada: Api.User) -> None:
    """Pages by cursor, the badge, reading both ways, deleting, and marking all read by type."""
    await owlmetry_inbox(ada)
    story, _ = await told("owlmetry", ada)
    page = story["ListNotifications"]["notifications"]
    assert page["nodes"][0] == {
        "id": page["nodes"][0]["id"],
        "type": "issue.digest",
        "title": "third",
        "body": "",
        "link": "/d",
        "team_id": "team",
        "read_at": None,
        "created_at": "2026-01-15T13:00:00.000Z",
    }
    assert (titles(page), page["pageInfo"]["has_more"], page["ignoredTypes"]) == (
        ["third", "second"],
        True,
        [],
    )
    rest = story["NextPage"]["notifications"]
    assert (titles(rest), rest["pageInfo"]["has_more"]) == (["first"], False)
    unknown = story["UnknownType"]["notifications"]
    assert (len(unknown["nodes"]), unknown["ignoredTypes"]) == (5, ["issue.diggest"])
    assert story["Payload"]["notification"] == {"data": {"n": 3}}
    assert story["UnreadCount"]["stats"] == story["UnreadCounts"]["stats"] == {"count": 5}
    (read,) = story["MarkRead"]["read"]["notifications"]
    assert read == {**page["nodes"][0], "read_at": read["read_at"]}
    assert read["read_at"]
    assert story["MarkUnread"]["read"]["notifications"] == [page["nodes"][0]]
    assert story["Delete"]["delete"] == {"ids": [page["nodes"][1]["id"]], "stats": {"count": 4}}
    assert story["MarkAllOfTypeRead"]["markAllRead"] == {"marked": 2, "ignoredTypes": []}
    assert story["MarkAllOfUnknownTypeRead"]["markAllRead"] == {"marked": 0, "ignoredTypes": ["feedback.gnu"]}
    assert story["MarkAllRead"]["markAllRead"] == {"marked": 2}


async def test_coder(admin: Api.User) -> None:
    """The inbox with its filters, the watch, settings with their 304, system templates and preferences."""
    old, new = await coder_inbox(admin)
    story, _ = await told("coder", admin, Watch=lambda: coder_arrivals(admin))
    listed = story["ListInbox"]["notifications"]
    assert listed["nodes"][0] == {
        "id": new,
        "user_id": "root",
        "template": {"id": str(TEMPLATE)},
        "targets": ["workspace-1"],
        "title": "*Stopped*",
        "content": "By **hand**.",
        "icon": "box",
        "actions": [{"label": "View", "url": "/workspaces/1"}],
        "read_at": None,
        "created_at": "2026-01-15T13:00:00.000Z",
    }
    assert ([it["id"] for it in listed["nodes"]], listed["unread_count"]) == ([new, old], 3)
    older = story["OlderThan"]["notifications"]
    assert (titles(older), older["unread_count"]) == (["Elsewhere", "Created"], 3)
    event = story["Watch"]["inboxEvents"]
    started = event["notification"]
    assert (started["title"], started["plaintext"], started["content"]) == ("*Started*", "Started", "")
    assert event["stats"] == {"unread_count": 6}
    done = story["UpdateReadStatus"]["read"]
    assert (done["changed"], done["notifications"][0]["id"]) == (1, started["id"])
    assert done["stats"] == {"unread_count": 5}
    assert story["MarkAllAsRead"]["markAllRead"] == {"marked": 5, "stats": {"unread_count": 0}}


async def test_coder_settings_and_preferences(admin: Api.User) -> None:
    """Methods and templates; what is set already changes nothing; a test; preferences are by template."""
    await coder_inbox(admin)
    await add_channel(admin)
    story, _ = await told("coder", admin, Watch=lambda: coder_arrivals(admin))
    methods = story["DispatchMethods"]["dispatchMethods"]
    assert methods["available"][:4] == ["IN_APP", "EMAIL", "SLACK", "WEBHOOK"]
    assert methods["default"] == "IN_APP"
    shipped = story["SystemTemplates"]["templates"]
    assert [it["name"] for it in shipped] == sorted(it.name for it in SYSTEM_TEMPLATES)
    assert {len(it) for it in shipped} == {9}
    assert story["Settings"]["settings"] == {"notifier_paused": False}
    paused = {"notifier_paused": True}
    assert story["UpdateSettings"]["updateSettings"] == {"settings": paused, "changed": True}
    assert story["UpdateSettingsAgain"]["updateSettings"] == {"settings": paused, "changed": False}
    (sent,) = story["SendTestNotification"]["sendTestNotification"]
    assert (sent["status"], sent["notification"]) == ("PENDING", {"title": "Test from Tocsin"})
    chosen = story["UpdatePreferences"]["updatePreferences"]
    assert [(it["template"]["id"], it["enabled"]) for it in chosen] == [
        (shipped[0]["id"], False),
        (shipped[1]["id"], True),
    ]
    assert story["Preferences"]["preferences"] == chosen
    assert story["PreferencesByName"]["preferences"] == []


async def test_ondi(ada: Api.User) -> None:
    """Pages by number, reading by ids, of which some are read already, all at once, and the counts."""
    await ondi_inbox(ada)
    story, _ = await told("ondi", ada)
    page = story["ListNotifications"]["notifications"]
    assert titles(page) == ["assigned", "delivery 3", "delivery 2", "delivery 1"]
    assert (page["totalCount"], page["unreadCount"]) == (4, 4)
    second = story["SecondPage"]["notifications"]
    assert (titles(second), second["totalCount"], second["unreadCount"]) == (["delivery 1"], 3, 4)
    first, again = story["MarkRead"]["read"], story["MarkReadAgain"]["read"]
    assert (first["changed"], again["changed"]) == (2, 1)
    assert again["notifications"][0] == first["notifications"][1]
    assert story["Stats"]["stats"] == {"total": 4, "unread": 1, "read": 3}
    assert story["MarkAllRead"]["markAllRead"] == {
        "marked": 1,
        "stats": {"total": 4, "unread": 0, "read": 4},
    }


async def test_ondi_names_its_tenant(api: Api, ada: Api.User, stranger: Api.User) -> None:
    """With a token for two tenants the request has to say which, and gets that one's inbox."""
    for caller, title in ((ada, "here"), (stranger, "there")):
        await caller.receive(title)
    document, _, variables = story("ondi")
    token = api.token([ada.tenant, stranger.tenant], "ada")
    body = {"query": document, "operationName": "ListNotifications"}
    body |= {"variables": variables["ListNotifications"]}

    async def ask(**headers: str) -> Any:
        headers = {"Authorization": f"Bearer {token}", **headers}
        return (await api.http.post("/graphql", json=body, headers=headers)).json()

    for caller, title in ((ada, "here"), (stranger, "there")):
        found = await ask(**{"X-Tenant-Id": caller.tenant})
        assert titles(found["data"]["notifications"]) == [title]
    for refused, code in (
        (await ask(), "TENANT_REQUIRED"),
        (await ask(**{"X-Tenant-Id": "another"}), "FORBIDDEN"),
    ):
        assert [it["extensions"]["code"] for it in refused["errors"]] == [code]


# -- of each story -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "count"), [("ocore", 14), ("owlmetry", 12), ("coder", 14), ("ondi", 6)])
def test_variables_are_of_operations(name: str, count: int) -> None:
    """Each operation has a name, and the variables of a story are of its own operations."""
    document, operations, variables = story(name)
    assert len(re.findall(r"^(?:query|mutation|subscription)\b", document, re.MULTILINE)) == count
    assert len(operations) == count
    assert set(variables) - set(operations) == set()


@pytest.mark.parametrize("name", INBOXES)
async def test_a_story_is_its_tellers(
    api: Api, admin: Api.User, grace: Api.User, stranger: Api.User, name: str
) -> None:
    """Whoever has the same inbox beside the teller, in the tenant or with the teller's id elsewhere, keeps it."""
    namesake = api.user(stranger.tenant, admin.id, Role.ADMIN)
    for caller in (admin, grace, namesake):
        await INBOXES[name](caller)
    asked = ((grace, PERSONAL), (namesake, PERSONAL), (namesake, SHARED))
    before = [await caller.data(document) for caller, document in asked]
    own = await admin.data(PERSONAL)
    await told(name, admin, Watch=lambda: coder_arrivals(admin))
    assert [await caller.data(document) for caller, document in asked] == before
    assert await admin.data(PERSONAL) != own
