"""The audit log: an entry for each change that an admin makes, and none for any other."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

import db.agent
import db.audit
import db.inbox
from db.session import Scope, Transaction
from resolvers.principal import Role
from tests.resolvers.support import ABSENT, Nobody, Vault, add_channel, add_deliveries, add_template
from tests.rights import root_fields
from tests.support import Api

LOG = """query($first: Int, $after: String, $filter: AuditFilter) {
  auditLog(first: $first, after: $after, filter: $filter) {
    nodes { id admin action subject subjectName changed createdAt } edges { cursor }
    pageInfo { hasNextPage endCursor } totalCount } }"""
CANARY = "canary-9d1f4c7e"
CHANNEL = "mutation($id: ID!, $it: ChannelPatch!) { updateChannel(id: $id, input: $it) { channel { id } } }"
TYPES = "mutation($types: [NotificationTypeInput!]!) { upsertNotificationTypes(types: $types) { name } }"
SETTINGS = "mutation($it: SettingsPatch!) { updateSettings(input: $it) { changed } }"
REVOKE = "mutation($id: ID!) { revokeAgent(id: $id) { id } }"
URL = f"https://example.com/{CANARY}"
SECRET = f"whsec_{base64.b64encode(f'{CANARY:-<32}'.encode()).decode()}"
CONFIG = f'{{url: "{URL}", secret: "{SECRET}"}}'


async def _agent(admin: Api.User) -> str:
    id = uuid4()
    async with admin.api.database.transaction(Scope(admin.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.agent.add(tx, id, "A bot", None, "prefix", b"x")
    return str(id)


async def _channel(admin: Api.User) -> str:
    return str(await add_channel(admin, config={"url": "https://example.com/a"}))


async def _failed(admin: Api.User) -> str:
    (id,) = await admin.receive("one")
    (delivery,) = await add_deliveries(admin, [(id, await add_channel(admin))], "FAILED")
    return str(delivery)


async def _template(admin: Api.User) -> str:
    return str(await add_template(admin))


async def _person(admin: Api.User) -> str:
    await admin.api.user(admin.tenant, "gone").receive("one")
    return "gone"


async def _new(_admin: Api.User) -> str:
    return ""


class Done(NamedTuple):
    """A mutation, what it needs, what it is called with, and what its entry says."""

    document: str
    before: Callable[[Api.User], Awaitable[str]] = _new
    name: str | None = None
    changed: tuple[str, ...] = ()


ON_ID = "mutation($id: ID!) {{ {}(id: $id) {} }}"
# Each changes something; an id of what it makes is in its answer.
DONE = {
    "createAgent": Done('mutation { createAgent(name: "A bot") { agent { id } } }', name="A bot"),
    "revokeAgent": Done(REVOKE, _agent, "A bot", ("revokedAt",)),
    "createChannel": Done(
        f'mutation {{ createChannel(input: {{kind: WEBHOOK, name: "A hook", config: {CONFIG}}}) '
        "{ channel { id } } }",
        name="A hook",
    ),
    "updateChannel": Done(
        f'mutation($id: ID!) {{ updateChannel(id: $id, input: {{name: "B", enabled: true, config: {CONFIG}}}) '
        "{ channel { id } } }",
        _channel,
        "B",
        ("config", "name", "secrets"),
    ),
    "rotateChannelSecret": Done(
        ON_ID.format("rotateChannelSecret", "{ secret }"), _channel, "A channel", ("secrets",)
    ),
    "deleteChannel": Done(ON_ID.format("deleteChannel", ""), _channel, "A channel"),
    "testChannel": Done(ON_ID.format("testChannel", "{ reason }"), _channel, "A channel"),
    "sendTestNotification": Done("mutation { sendTestNotification { reason } }", _channel),
    "createTemplate": Done(
        f'mutation {{ createTemplate(input: {{name: "A", titleTemplate: "{CANARY}", bodyTemplate: ""}}) '
        "{ id } }",
        name="A",
    ),
    "updateTemplate": Done(
        f'mutation($id: ID!) {{ updateTemplate(id: $id, input: {{titleTemplate: "{CANARY}", group: "a"}}) '
        "{ id } }",
        _template,
        "Digest",
        ("group", "titleTemplate"),
    ),
    "deleteTemplate": Done(ON_ID.format("deleteTemplate", ""), _template, "Digest"),
    "updateSettings": Done(
        "mutation { updateSettings(input: {retentionDays: 7, notifierPaused: false}) { changed } }",
        changed=("retentionDays",),
    ),
    "removeRecipient": Done(ON_ID.format("removeRecipient", ""), _person),
    "retryDelivery": Done(ON_ID.format("retryDelivery", "{ id }"), _failed),
    "upsertNotificationTypes": Done(
        'mutation { upsertNotificationTypes(types: [{name: "a", icon: "star"}]) { id: name } }'
    ),
}
# There is no one thing that they are about.
WHOLE_TENANT = {"updateSettings", "sendTestNotification"}
ADMIN_MUTATIONS = {it.name for it in root_fields() if it.type == "Mutation" and it.roles == {Role.ADMIN}}


async def entries(admin: Api.User, **variables: Any) -> list[tuple[str, str | None, str | None, list[str]]]:
    """Return (action, subject, subjectName, changed) of a page of the log, newest first."""
    page = (await admin.data(LOG, **variables))["auditLog"]
    return [(it["action"], it["subject"], it["subjectName"], it["changed"]) for it in page["nodes"]]


def _made(data: Any) -> str | None:
    """Return the id that an answer shows first, of a mutation that was given none."""
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        if found := value if isinstance(value, str) else _made(value):
            return found
    return None


# -- an entry for each -------------------------------------------------------------------------------------


def test_each_mutation_that_only_admins_may_call_is_here() -> None:
    """One that somebody adds must be audited, and stand above."""
    assert DONE.keys() == ADMIN_MUTATIONS


@pytest.mark.parametrize("action", DONE)
async def test_a_change_has_its_entry(admin: Api.User, vault: Vault, action: str) -> None:
    """Exactly one: by whom, by which mutation, of what, and the names of the fields; no value of theirs."""
    done = DONE[action]
    id = await done.before(admin)
    data = await admin.data(done.document, **({"id": id} if "$id" in done.document else {}))
    subject = None if action in WHOLE_TENANT else id or _made(data)
    (node,) = (await admin.data(LOG))["auditLog"]["nodes"]
    assert {**node, "id": "", "createdAt": ""} == {
        "id": "",
        "admin": admin.id,
        "action": action,
        "subject": subject,
        "subjectName": done.name,
        "changed": [*done.changed],
        "createdAt": "",
    }
    stored = repr(await vault.fetch("select * from tocsin.audit", admin.tenant))
    assert not any(secret in stored for secret in (CANARY, SECRET))


@pytest.mark.parametrize("action", DONE)
async def test_what_cannot_be_recorded_is_not_done(
    admin: Api.User, vault: Vault, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """The entry is of the change's own transaction: where it fails, nothing is changed."""
    done = DONE[action]
    id = await done.before(admin)
    before = await vault.of(admin.tenant)

    async def fail(*_: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(db.audit, "add", fail)
    answer = await admin.ask(done.document, **({"id": id} if "$id" in done.document else {}))
    assert answer.codes == ["INTERNAL"]
    assert await vault.of(admin.tenant) == before


@pytest.mark.parametrize("action", [it for it, done in DONE.items() if "$id" in done.document])
async def test_a_refused_change_has_none(admin: Api.User, action: str) -> None:
    """Of an id that does not exist nothing is recorded."""
    assert (await admin.ask(DONE[action].document, id=ABSENT)).codes == ["NOT_FOUND"]
    assert await entries(admin) == []


async def test_what_is_rolled_back_has_none(admin: Api.User) -> None:
    """An entry without its commit is not there."""
    await admin.receive("one")

    async def roll_back(tx: Transaction) -> None:
        await db.audit.add(tx, [db.audit.Entry(uuid4(), admin.id, "a", None, None, [])])
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        async with admin.api.database.transaction(Scope(admin.tenant, admin.id)) as tx:
            await roll_back(tx)
    assert await entries(admin) == []


async def test_what_changes_nothing_has_none(admin: Api.User) -> None:
    """The same values again, nothing at all, an agent revoked twice: no entry beside those of the first time."""
    channel, agent = await _channel(admin), await _agent(admin)
    for _ in range(2):
        await admin.data(CHANNEL, id=channel, it={"enabled": False})
        await admin.data(CHANNEL, id=channel, it={})
        await admin.data(SETTINGS, it={"inboxDays": 3})
        await admin.data(REVOKE, id=agent)
        await admin.data(TYPES, types=[{"name": "a"}])
    assert await entries(admin) == [
        ("upsertNotificationTypes", "a", None, []),
        ("revokeAgent", agent, "A bot", ["revokedAt"]),
        ("updateSettings", None, None, ["inboxDays"]),
        ("updateChannel", channel, "A channel", ["enabled"]),
    ]


async def test_each_type_of_an_upsert_has_its_own(admin: Api.User) -> None:
    """The new ones and those that became different, with the names of what did."""
    await admin.data(TYPES, types=[{"name": name} for name in ("same", "other")])
    await admin.data(
        TYPES,
        types=[
            {"name": "same"},
            {"name": "other", "icon": "star", "enabledByDefault": False},
            {"name": "new"},
        ],
    )
    found = await entries(admin)
    assert sorted(found[:2], key=repr) == [
        ("upsertNotificationTypes", "new", None, []),
        ("upsertNotificationTypes", "other", None, ["enabledByDefault", "icon"]),
    ]
    assert len(found) == 4


# -- reading it --------------------------------------------------------------------------------------------


async def test_pages_and_filters(admin: Api.User) -> None:
    """Newest first, page by page; by action, subject and admin; the total is of all that match."""
    other = admin.api.user(admin.tenant, "other-root", Role.ADMIN)
    for number, who in enumerate((admin, other, admin, other, admin)):
        await who.data(SETTINGS, it={"retentionDays": number + 1})
    channel = await _channel(admin)
    await other.data(CHANNEL, id=channel, it={"enabled": False})
    page = (await admin.data(LOG, first=4))["auditLog"]
    assert [it["action"] for it in page["nodes"]] == ["updateChannel", *["updateSettings"] * 3]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (6, True)
    rest = (await admin.data(LOG, first=4, after=page["pageInfo"]["endCursor"]))["auditLog"]
    assert [it["admin"] for it in rest["nodes"]] == ["other-root", "root"]
    assert rest["pageInfo"]["hasNextPage"] is False
    expected = {
        "admin": ({"admin": "other-root"}, 3),
        "action": ({"action": ["updateSettings", "createAgent"]}, 5),
        "subject": ({"subject": channel}, 1),
        "all": ({"admin": "other-root", "action": ["updateSettings"], "subject": channel}, 0),
        "none": ({"action": []}, 6),
    }
    for name, (filter, count) in expected.items():
        found = (await admin.data(LOG, filter=filter))["auditLog"]
        assert (found["totalCount"], len(found["nodes"])) == (count, count), name


async def test_admins_of_the_tenant_read_it(
    ada: Api.User, admin: Api.User, agent: Api.User, rival: Api.User, nobody: Nobody
) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, and another tenant's admin sees his own."""
    await admin.data(SETTINGS, it={"inboxDays": 3})
    for user in (ada, agent):
        assert (await user.refusal(LOG))["extensions"] == {"code": "FORBIDDEN"}
    assert (await nobody.ask(LOG)).codes == ["UNAUTHENTICATED"]
    assert await entries(rival) == []
    assert len(await entries(admin)) == 1


@pytest.mark.parametrize("text", ["n" * 256, "\x00"])
async def test_what_cannot_be_stored_cannot_be_asked_for(admin: Api.User, text: str) -> None:
    """Each filter is checked before the database sees it."""
    for filter in ({"admin": text}, {"subject": text}, {"action": [text]}):
        answer = await admin.ask(LOG, filter=filter)
        assert answer.codes == ["BAD_USER_INPUT"]
