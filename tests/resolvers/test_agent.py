"""Agents: made and revoked by admins, and what their keys open."""

import base64
import hashlib
import re
from uuid import uuid4

import asyncpg
import pytest

from resolvers.principal import Role
from tests.machines import CREATE, REVOKE, TYPES, machine
from tests.support import Api, Urls

ID = "00000000-0000-0000-0000-000000000000"
INBOX_FIELDS = (
    "{ notifications { totalCount } }",
    f'{{ notification(id: "{ID}") {{ id }} }}',
    "{ stats { unread } }",
    "{ preferences { id } }",
    f'mutation {{ read(ids: ["{ID}"]) {{ changed }} }}',
    f'mutation {{ dismiss(ids: ["{ID}"]) {{ changed }} }}',
    "mutation { markAllRead { marked } }",
    f'mutation {{ delete(ids: ["{ID}"]) {{ ids }} }}',
)
ADMIN_FIELDS = (
    'mutation { createAgent(name: "x") { key } }',
    f'mutation {{ revokeAgent(id: "{ID}") {{ id }} }}',
    'mutation { removeRecipient(id: "ada") }',
    'mutation { upsertNotificationTypes(types: [{name: "x"}]) { name } }',
)


async def rows(urls: Urls, tenant: str) -> list[asyncpg.Record]:
    """Return the tenant's agents as they are stored."""
    connection = await asyncpg.connect(urls.superuser)
    found = await connection.fetch("select * from tocsin.agent where tenant_id = $1 order by name", tenant)
    await connection.close()
    return list(found)


async def test_a_new_agent_has_a_key_that_works(admin: Api.User, urls: Urls) -> None:
    """The key names its tenant, is shown once, is stored as a hash, and lets its agent in."""
    made = (await admin.data(CREATE, name="ci", types=["a", "b", "a"]))["createAgent"]
    agent, key = made["agent"], made["key"]
    form = re.fullmatch(r"tocsin_([\w-]+)_([a-z2-7]{12})_([\w-]{43})", key)
    assert form
    assert base64.urlsafe_b64decode(form[1] + "===").decode() == admin.tenant
    assert (agent["name"], agent["types"], agent["keyPrefix"]) == ("ci", ["a", "b"], form[2])
    assert (agent["lastUsedAt"], agent["revokedAt"]) == (None, None)
    (stored,) = await rows(urls, admin.tenant)
    assert stored["key_hash"] == hashlib.sha256(form[3].encode()).digest()
    assert form[3] not in repr(dict(stored))
    caller = Api.User(admin.api, admin.tenant, agent["id"], key)
    assert await caller.data(TYPES) == {"notificationTypes": []}


async def test_two_agents_of_one_name_have_different_keys(admin: Api.User) -> None:
    """Names are for people: each agent has an id, a prefix and a secret of its own."""
    one, two = [(await admin.data(CREATE, name="ci"))["createAgent"] for _ in range(2)]
    assert one["agent"]["types"] is None
    assert {one["key"], one["agent"]["id"], one["agent"]["keyPrefix"]}.isdisjoint(
        {two["key"], two["agent"]["id"], two["agent"]["keyPrefix"]}
    )


@pytest.mark.parametrize(
    ("variables", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "n" * 256}, ["name"]),
        ({"name": "ci", "types": []}, ["types"]),
        ({"name": "ci", "types": ["t"] * 101}, ["types"]),
        ({"name": "", "types": ["good", "", "t" * 256]}, ["name", "types.1", "types.2"]),
    ],
    ids=["no name", "long name", "no types", "many types", "several"],
)
async def test_a_wrong_agent_is_not_made(
    admin: Api.User, urls: Urls, variables: dict[str, object], fields: list[str]
) -> None:
    """Each wrong field is named, and nothing is stored."""
    error = await admin.refusal(CREATE, **variables)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [it["field"] for it in error["extensions"]["fields"]] == fields
    assert await rows(urls, admin.tenant) == []


async def test_limits_are_inclusive(admin: Api.User) -> None:
    """A name and a type of 255 characters and a hundred types are fine."""
    types = [f"{number:0255}" for number in range(100)]
    made = (await admin.data(CREATE, name="n" * 255, types=types))["createAgent"]["agent"]
    assert (made["name"], made["types"]) == ("n" * 255, types)


async def test_a_revoked_agent_keeps_its_instant(admin: Api.User) -> None:
    """Revoking again answers the same."""
    agent = await machine(admin)
    first = await admin.data(REVOKE, id=agent.id)
    assert first["revokeAgent"]["revokedAt"] is not None
    assert await admin.data(REVOKE, id=agent.id) == first


async def test_a_revoked_key_is_refused_at_once_here(admin: Api.User) -> None:
    """The process that revoked a key refuses it with the next request; another key still works."""
    agent, other = await machine(admin), await machine(admin)
    assert not (await agent.ask(TYPES)).errors
    await admin.data(REVOKE, id=agent.id)
    answer = await agent.ask(TYPES)
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])
    assert not (await other.ask(TYPES)).errors


async def test_a_foreign_agent_does_not_exist(admin: Api.User, urls: Urls) -> None:
    """An absent, a malformed and a foreign id give the same bytes, and the agent stays."""
    agent = await machine(admin)
    foreign = admin.api.user(f"other-{uuid4().hex[:12]}", "root", Role.ADMIN)
    answers = {
        (await foreign.ask(REVOKE, id=id)).content for id in (agent.id, str(uuid4()), "x", "", "n" * 10_000)
    }
    assert len(answers) == 1
    assert b"NOT_FOUND" in answers.pop()
    assert [row["revoked_at"] for row in await rows(urls, admin.tenant)] == [None]


@pytest.mark.parametrize("document", ADMIN_FIELDS)
async def test_only_admins_manage(
    api: Api, admin: Api.User, ada: Api.User, agent: Api.User, urls: Urls, document: str
) -> None:
    """A user, an agent's token and an agent's key get FORBIDDEN, nobody UNAUTHENTICATED; nothing changes."""
    key = await machine(admin)
    before = [dict(row) | {"last_used_at": None} for row in await rows(urls, admin.tenant)]
    for caller in (ada, agent, key):
        assert (await caller.ask(document)).codes == ["FORBIDDEN"]
    assert (await api.post(document)).codes == ["UNAUTHENTICATED"]
    after = [dict(row) | {"last_used_at": None} for row in await rows(urls, admin.tenant)]
    assert after == before


@pytest.mark.parametrize("document", INBOX_FIELDS)
async def test_a_key_opens_no_inbox(admin: Api.User, document: str) -> None:
    """An agent has no inbox: FORBIDDEN."""
    agent = await machine(admin)
    assert (await agent.ask(document)).codes == ["FORBIDDEN"]


@pytest.mark.parametrize("field", ["stats { unread }", "inboxEvents { cursor }"])
async def test_a_key_follows_no_inbox(admin: Api.User, field: str) -> None:
    """An agent's socket opens and runs queries, but no subscription of an inbox."""
    agent = await machine(admin)
    async with agent.socket() as socket:
        refused = await (await socket.subscribe(f"subscription {{ {field} }}")).message()
        payload = refused["payload"]
        errors = payload if isinstance(payload, list) else payload["errors"]
        assert [error["extensions"]["code"] for error in errors] == ["FORBIDDEN"]
        assert await (await socket.subscribe(TYPES)).next() == {"notificationTypes": []}
