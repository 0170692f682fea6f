"""Who gets what: each root field as nobody, as an agent, as another user, and as a namesake elsewhere."""

from typing import Any
from uuid import uuid4

import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from graphql.language import FieldNode

from schema import build
from tests.resolvers.support import (
    STATS,
    WATCH_EVENTS,
    WATCH_STATS,
    Nobody,
    Vault,
    add_channel,
    add_preference,
    change,
    forged,
    now,
    stream,
    until,
    waiters,
)
from tests.support import Api, open_socket

# Each takes an id of a row, a channel or a user, whether it needs one or not.
INBOX = {
    "notifications": """query($id: ID!) { notifications(filter: {targets: [$id], dismissed: INCLUDE}) {
      totalCount unreadCount eventCursor nodes { id title data deliveries { id } } } }""",
    "notifications startingBefore": "query($id: ID!) { notifications(startingBefore: $id) { totalCount } }",
    "notification": "query($id: ID!) { notification(id: $id) { id title template { id } } }",
    # Without its id, which says what was asked.
    "stats": f"query($id: ID!) {{ stats(filter: {{teams: [$id]}}) {STATS.replace('id', '')} }}",
    "preferences": "query($id: ID!) { preferences(projectId: $id) { id category } }",
    "effectivePreferences": "query($id: ID!) { effectivePreferences(projectId: $id) { type enabled } }",
    "read": f"mutation($id: ID!) {{ read(ids: [$id]) {{ notifications {{ id }} stats {STATS} }} }}",
    "unread": "mutation($id: ID!) { read(ids: [$id], read: false) { changed } }",
    "dismiss": "mutation($id: ID!) { dismiss(ids: [$id]) { notifications { title } } }",
    "restore": "mutation($id: ID!) { dismiss(ids: [$id], dismissed: false) { changed } }",
    "delete": "mutation($id: ID!) { delete(ids: [$id]) { ids } }",
    "markAllRead": f"""mutation($id: ID!) {{
      markAllRead(filter: {{targets: [$id]}}) {{ marked ignoredTypes stats {STATS} }} }}""",
    "markAllRead without a filter": "mutation { markAllRead { marked } }",
}
OF_THE_TENANT = {
    "channels": "query($id: ID!) { channels { totalCount nodes { id } } channel(id: $id) { id } }",
    "channel": "query($id: ID!) { channel(id: $id) { id name config lastDelivery { id } } }",
}
MANAGED = {
    "notificationTypes": "{ notificationTypes { name } }",
    "upsertNotificationTypes": 'mutation { upsertNotificationTypes(types: [{name: "a"}]) { name } }',
    "upsertRecipients": "mutation($id: ID!) { upsertRecipients(recipients: [{id: $id}]) { id } }",
    "removeRecipient": "mutation($id: ID!) { removeRecipient(id: $id) }",
    "createAgent": 'mutation { createAgent(name: "a") { key } }',
    "revokeAgent": "mutation($id: ID!) { revokeAgent(id: $id) { id } }",
    "auditLog": "query($id: ID!) { auditLog(filter: {subject: $id}) { totalCount nodes { id } } }",
    "deliveries": "query($id: ID!) { deliveries(filter: {notification: $id}) { nodes { id } } }",
    "explainDelivery": 'query($id: ID!) { explainDelivery(user: $id, type: "a") { outcome } }',
    "retryDelivery": "mutation($id: ID!) { retryDelivery(id: $id) { id } }",
    "testChannel": "mutation($id: ID!) { testChannel(id: $id) { id } }",
    "sendTestNotification": "mutation { sendTestNotification { id } }",
    "rotateChannelSecret": "mutation($id: ID!) { rotateChannelSecret(id: $id) { secret } }",
    "notify": """mutation($id: ID!) {
      notify(input: {type: "a", title: "a", recipients: [{id: $id}]}) { created suppressed replayed } }""",
    "notifyRequest": "query($id: ID!) { notifyRequest(id: $id) { id status } }",
}
# Their own tests ask them as everybody: test_channel_changes, test_template, test_settings, test_dispatch,
# test_preference_change.
OWN_TESTS = {
    OperationType.QUERY: {"templates", "settings", "dispatchMethods"},
    OperationType.MUTATION: {
        *("createChannel", "updateChannel", "deleteChannel", "updateSettings", "updatePreferences"),
        *("createTemplate", "updateTemplate", "deleteTemplate"),
    },
}
LIVE = {"stats": WATCH_STATS, "inboxEvents": WATCH_EVENTS}


def takes_id(document: str) -> bool:
    """Tell whether a document declares the id."""
    return "$id: ID!" in document


def test_each_root_field_is_here() -> None:
    """No root field of the schema is left out of these tests."""
    schema = build()._schema
    for type, documents in (
        (OperationType.QUERY, INBOX | OF_THE_TENANT | MANAGED),
        (OperationType.MUTATION, INBOX | MANAGED),
        (OperationType.SUBSCRIPTION, LIVE),
    ):
        root = schema.get_root_type(type)
        assert root is not None
        asked = {
            field.name.value
            for document in documents.values()
            for operation in parse(document).definitions
            if isinstance(operation, OperationDefinitionNode) and operation.operation is type
            for field in operation.selection_set.selections
            if isinstance(field, FieldNode)
        }
        assert asked | OWN_TESTS.get(type, set()) == set(root.fields)


@pytest.fixture
async def id(ada: Api.User, grace: Api.User, stranger: Api.User) -> str:
    """Return the id of a row that ada has; the others have rows of their own."""
    for other in (grace, stranger):
        await other.receive("theirs")
    (id,) = await ada.receive("mine", data={"secret": 1})
    await change(ada, INBOX["read"].replace("$id: ID!", "$ids: [ID!]!").replace("[$id]", "$ids"), id)
    return id


@pytest.mark.parametrize("name", INBOX | OF_THE_TENANT | MANAGED)
async def test_nobody(ada: Api.User, id: str, nobody: Nobody, vault: Vault, name: str) -> None:
    """Without a token every field is UNAUTHENTICATED, and nothing changes."""
    document = (INBOX | OF_THE_TENANT | MANAGED)[name]
    before = await vault.of(ada.tenant)
    answer = await nobody.ask(document, **({"id": id} if takes_id(document) else {}))
    assert set(answer.codes) == {"UNAUTHENTICATED"}
    assert set(answer.data.values()) == {None}
    assert await vault.of(ada.tenant) == before


@pytest.mark.parametrize("name", LIVE)
async def test_nobody_subscribes(api: Api, name: str) -> None:
    """Without a token no subscription begins."""
    async with open_socket(api.url, {}) as socket:
        message = await (await socket.subscribe(LIVE[name])).message()
    assert message["type"] == "error"
    assert [error["extensions"]["code"] for error in message["payload"]] == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("name", INBOX)
async def test_an_agent_has_no_inbox(
    ada: Api.User, agent: Api.User, id: str, vault: Vault, name: str
) -> None:
    """An agent gets FORBIDDEN from each field of an inbox, its own included, and nothing changes."""
    await agent.receive("odd")
    before = await vault.of(ada.tenant)
    for wanted in (id, str(uuid4())):
        error = await agent.refusal(INBOX[name], **({"id": wanted} if takes_id(INBOX[name]) else {}))
        assert error["extensions"] == {"code": "FORBIDDEN"}
    assert await vault.of(ada.tenant) == before


@pytest.mark.parametrize("name", LIVE)
async def test_an_agent_subscribes_to_nothing(agent: Api.User, name: str) -> None:
    """An agent's subscription is refused before it begins."""
    async with agent.socket() as socket:
        message = await (await socket.subscribe(LIVE[name])).message()
    assert message["type"] == "error"
    assert [error["extensions"]["code"] for error in message["payload"]] == ["FORBIDDEN"]


@pytest.mark.parametrize("who", ["grace", "stranger"])
@pytest.mark.parametrize("name", [name for name in INBOX if takes_id(INBOX[name])])
async def test_a_foreign_id_is_an_absent_one(
    ada: Api.User, id: str, who: str, name: str, vault: Vault, request: pytest.FixtureRequest
) -> None:
    """Another user's and another tenant's ids get, byte for byte, what an absent id gets; nothing changes."""
    other: Api.User = request.getfixturevalue(who)
    absent = str(uuid4())
    before = await vault.of(ada.tenant), await vault.of(other.tenant)
    foreign = await other.ask(INBOX[name], id=id)
    assert (
        foreign.content.replace(id.encode(), absent.encode())
        == (await other.ask(INBOX[name], id=absent)).content
    )
    assert (await vault.of(ada.tenant), await vault.of(other.tenant)) == before


@pytest.mark.parametrize("who", ["grace", "stranger"])
async def test_what_others_have_changes_no_answer(
    ada: Api.User, who: str, request: pytest.FixtureRequest, vault: Vault
) -> None:
    """Lists, counts and preferences of a user are, byte for byte, the same before and after ada has rows."""
    other: Api.User = request.getfixturevalue(who)
    await other.receive("theirs")
    documents = [
        """{ notifications(filter: {dismissed: INCLUDE}) {
          totalCount unreadCount eventCursor nodes { id title } } }""",
        f"{{ stats {STATS} }}",
        f"{{ stats(filter: {{readState: UNREAD, dismissed: INCLUDE}}) {STATS} }}",
        "{ stats { unread } }",
        "{ preferences { id } }",
    ]
    before = [(await other.ask(document)).content for document in documents]
    await ada.receive("a", "b")
    await add_preference(ada, category="billing", enabled=False)
    assert [(await other.ask(document)).content for document in documents] == before
    mine = await vault.fetch("select * from tocsin.notification where user_id = 'ada'", ada.tenant)
    await change(other, "mutation { markAllRead { marked } }")
    assert await vault.fetch("select * from tocsin.notification where user_id = 'ada'", ada.tenant) == mine


@pytest.mark.parametrize("who", ["nobody's", "stranger"])
@pytest.mark.parametrize("document", ["{ channels { totalCount nodes { id } } }", OF_THE_TENANT["channel"]])
async def test_channels_of_another_tenant(ada: Api.User, stranger: Api.User, who: str, document: str) -> None:
    """Another tenant's channels are absent ones, byte for byte."""
    own = str(uuid4())
    before = await stranger.ask(document, **({"id": own} if takes_id(document) else {}))
    id = str(await add_channel(ada)) if who == "stranger" else str(uuid4())
    after = await stranger.ask(document, **({"id": id} if takes_id(document) else {}))
    assert after.content == before.content


@pytest.mark.parametrize("who", ["grace", "stranger"])
async def test_subscriptions_tell_of_ones_own_inbox_only(
    ada: Api.User, who: str, request: pytest.FixtureRequest
) -> None:
    """Neither the counts nor the events of another user move when ada's do."""
    other: Api.User = request.getfixturevalue(who)
    await other.receive("theirs")
    async with other.socket() as socket:
        counts = await socket.subscribe(WATCH_STATS)
        assert (await counts.next())["stats"]["total"] == 1
        events = await socket.subscribe(WATCH_EVENTS, since=await now(other))
        (id,) = await ada.receive("mine")
        await change(ada, "mutation($ids: [ID!]!) { read(ids: $ids) { changed } }", id)
        assert await events.silent()
        assert await counts.silent(0.1)


async def test_a_foreign_event_cursor_is_garbage(ada: Api.User, grace: Api.User, stranger: Api.User) -> None:
    """Another user's and another tenant's cursors get what a cursor of no inbox gets."""
    for user in (ada, grace, stranger):
        await user.receive("a")
    answers: list[Any] = []
    async with ada.socket() as socket:
        for since in ("garbage", forged(1), await now(grace), await now(stranger)):
            message = await (await socket.subscribe(WATCH_EVENTS, since=since)).message()
            assert message["type"] == "error"
            answers.append(message["payload"])
    assert answers == [answers[0]] * 4
    assert [error["extensions"] for error in answers[0]] == [{"code": "INVALID_CURSOR"}]


async def test_waiting_over_events_is_ones_own_too(ada: Api.User, stranger: Api.User, hub: Any) -> None:
    """Over server-sent events a namesake elsewhere waits for another inbox."""
    async with stream(stranger, WATCH_STATS) as feed:
        assert (await feed.next())["data"]["stats"]["total"] == 0
        await until(lambda: waiters(hub, stranger) == 1)
        assert waiters(hub, ada) == 0
