"""Channels as an admin makes, changes and deletes them."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.types import ChannelKind
from resolvers.channel_config import REDACTED
from resolvers.principal import Role
from tests.resolvers.support import Nobody, Vault, add_channel, add_deliveries, change
from tests.support import Api, Urls, running_server, test_settings

CHANNEL = "{ id kind name enabled config categories createdAt updatedAt }"
CREATE = f"""mutation($input: ChannelInput!) {{
  createChannel(input: $input) {{ secret channel {CHANNEL} }} }}"""
UPDATE = f"""mutation($id: ID!, $input: ChannelPatch!) {{
  updateChannel(id: $id, input: $input) {{ secret channel {CHANNEL} }} }}"""
REMOVE = "mutation($id: ID!) { deleteChannel(id: $id) }"
GET = f"query($id: ID!) {{ channel(id: $id) {CHANNEL} }}"
HOOK = "https://hooks.example.com/in"
MAIL = {"kind": "EMAIL", "name": "Mail", "config": {"from": "a@b.c"}}
WEBHOOK = {"kind": "WEBHOOK", "name": "Hook", "config": {"url": HOOK}}
SLACK = {"kind": "SLACK", "name": "Team", "config": {"url": HOOK}}


async def create(user: Api.User, **input: Any) -> Any:
    """Make a channel and return it."""
    return (await user.data(CREATE, input=MAIL | input))["createChannel"]["channel"]


async def fields(user: Api.User, document: str, **variables: Any) -> list[str]:
    """Run what must be BAD_USER_INPUT, and return the fields that are listed."""
    error = await user.refusal(document, **variables)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    return [field["field"] for field in error["extensions"]["fields"]]


async def test_a_mail_channel(admin: Api.User) -> None:
    """In a tenant that is new: what was given comes back, from the mutation and from the query."""
    config = {"from": "a@b.c", "to": "ops@b.c"}
    payload = await change(
        admin, CREATE, input=MAIL | {"config": config, "enabled": False, "categories": ["billing", "deploy"]}
    )
    made = payload["channel"]
    assert payload["secret"] is None
    assert made.pop("createdAt") == made.pop("updatedAt")
    id = made.pop("id")
    assert made == {
        "kind": "EMAIL",
        "name": "Mail",
        "enabled": False,
        "config": config,
        "categories": ["billing", "deploy"],
    }
    assert (await admin.data(GET, id=id))["channel"].items() >= made.items()


async def test_what_is_left_out_or_null(admin: Api.User) -> None:
    """A channel is enabled, and for all categories."""
    for more in ({}, {"enabled": None, "categories": None}):
        made = await create(admin, **more)
        assert (made["enabled"], made["categories"]) == (True, [])


async def test_a_webhook_shows_its_secret_once(admin: Api.User) -> None:
    """The secret that was made is in the answer to its creation, and redacted ever after."""
    payload = await change(admin, CREATE, input=WEBHOOK)
    assert payload["secret"].startswith("whsec_")
    shown = {"url": HOOK, "secret": REDACTED}
    assert payload["channel"]["config"] == shown
    id = payload["channel"]["id"]
    assert (await admin.data(GET, id=id))["channel"]["config"] == shown
    again = await change(admin, UPDATE, id=id, input={"name": "Other"})
    assert (again["secret"], again["channel"]["config"]) == (None, shown)


async def test_a_url_that_is_a_secret_is_never_shown(admin: Api.User) -> None:
    """Slack's and Apprise's addresses carry the right to post."""
    for input in (SLACK, SLACK | {"kind": "APPRISE", "config": {"url": "discord://id/token"}}):
        payload = await change(admin, CREATE, input=input)
        assert (payload["secret"], payload["channel"]["config"]) == (None, {"url": REDACTED})


async def test_the_inbox_needs_no_channel(admin: Api.User, vault: Vault) -> None:
    """IN_APP cannot be made."""
    assert await fields(admin, CREATE, input=MAIL | {"kind": "IN_APP", "config": {}}) == ["kind"]
    assert (await vault.of(admin.tenant))["channel"] == []


async def test_everything_wrong_is_listed(admin: Api.User, vault: Vault) -> None:
    """The name, each category and each key of the config, in one answer; nothing is stored."""
    wrong = {"name": "", "categories": ["x", "", "y" * 256], "config": {"from": 1, "url": HOOK}}
    assert await fields(admin, CREATE, input=MAIL | wrong) == [
        "name",
        "categories.1",
        "categories.2",
        "config.url",
        "config.from",
    ]
    assert await fields(admin, CREATE, input=MAIL | {"name": "x" * 256, "categories": ["x"] * 101}) == [
        "name",
        "categories",
    ]
    assert (await vault.of(admin.tenant))["channel"] == []


async def test_the_longest_that_is_allowed(admin: Api.User) -> None:
    """A name of 255 characters, and 100 categories of 255."""
    made = await create(admin, name="ü" * 255, categories=["x" * 255] * 100)
    assert (len(made["name"]), len(made["categories"])) == (255, 100)


async def test_http_where_the_deployment_allows_it(
    admin: Api.User, urls: Urls, tmp_path: Path, tenant: str
) -> None:
    """TOCSIN_ALLOW_PRIVATE_WEBHOOKS lets http: addresses in, and nothing else does."""
    input = WEBHOOK | {"config": {"url": "http://10.0.0.1/in"}}
    assert await fields(admin, CREATE, input=input) == ["config.url"]
    async with running_server(test_settings(urls, tmp_path, allow_private_webhooks=True)) as lax:
        payload = await change(lax.user(tenant, "root", Role.ADMIN), CREATE, input=input)
    assert payload["channel"]["config"]["url"] == "http://10.0.0.1/in"


async def test_fifty_channels_and_no_more(admin: Api.User, rival: Api.User, vault: Vault) -> None:
    """Of 60 that are made at once 50 are stored; another tenant has its own fifty."""
    answers = await asyncio.gather(*(admin.ask(CREATE, input=MAIL) for _ in range(60)))
    refused = [answer for answer in answers if answer.errors]
    assert len(refused) == 10
    assert {answer.errors[0]["message"] for answer in refused} == {
        "input: the tenant has 50 channels, the most there may be."
    }
    stored = await vault.fetch("select tenant_id, id from tocsin.channel", admin.tenant)
    assert len(stored) == 50
    await create(rival)
    await admin.data(REMOVE, id=str(stored[0]["id"]))
    await create(admin)


async def test_a_patch_keeps_what_it_leaves_out(admin: Api.User) -> None:
    """Each field alone changes alone, null changes nothing, and updatedAt moves."""
    made = await create(admin, categories=["billing"])
    expected = dict(made)
    patches: list[dict[str, Any]] = [
        {"name": "New"},
        {"enabled": False},
        {"categories": []},
        {"config": {"from": "new@b.c", "to": "x@b.c"}},
        {"config": {"from": "new@b.c"}},
    ]
    for patch in patches:
        input = dict.fromkeys(("name", "enabled", "categories", "config")) | patch
        changed = (await change(admin, UPDATE, id=made["id"], input=input))["channel"]
        expected |= patch
        assert changed.pop("updatedAt") > made["updatedAt"]
        assert changed == {name: value for name, value in expected.items() if name != "updatedAt"}
    before = (await admin.data(GET, id=made["id"]))["channel"]
    assert (await change(admin, UPDATE, id=made["id"], input={}))["channel"] == before


@pytest.mark.parametrize("config", [{"url": HOOK + "/2"}, {"url": HOOK + "/2", "secret": REDACTED}])
async def test_a_secret_left_out_or_redacted_is_kept(
    admin: Api.User, vault: Vault, config: dict[str, Any]
) -> None:
    """The box in the database stays the same; another secret makes another one."""
    id = (await change(admin, CREATE, input=WEBHOOK))["channel"]["id"]
    boxes = "select tenant_id, secrets::text from tocsin.channel"
    before = await vault.fetch(boxes, admin.tenant)
    changed = (await change(admin, UPDATE, id=id, input={"config": config}))["channel"]
    assert changed["config"] == {"url": HOOK + "/2", "secret": REDACTED}
    assert await vault.fetch(boxes, admin.tenant) == before
    new = "whsec_" + "a" * 32
    payload = await change(admin, UPDATE, id=id, input={"config": {"url": HOOK, "secret": new}})
    assert (payload["secret"], payload["channel"]["config"]) == (None, {"url": HOOK, "secret": REDACTED})
    assert await vault.fetch(boxes, admin.tenant) != before


async def test_a_wrong_patch_changes_nothing(admin: Api.User, vault: Vault) -> None:
    """All or nothing: a good name beside a bad config is not stored."""
    id = (await change(admin, CREATE, input=WEBHOOK))["channel"]["id"]
    before = await vault.of(admin.tenant)
    wrong = {"name": "Good", "categories": [""], "config": {"secret": "x", "from": "a@b.c"}}
    assert await fields(admin, UPDATE, id=id, input=wrong) == [
        "categories.0",
        "config.from",
        "config.url",
        "config.secret",
    ]
    assert await vault.of(admin.tenant) == before


async def test_a_deleted_channel_cancels_what_waits_on_it(admin: Api.User, vault: Vault) -> None:
    """PENDING and DEFERRED become CANCELLED with a reason; what was decided, or waits elsewhere, stays."""
    ids = [UUID((await create(admin, name=name))["id"]) for name in "ab"]
    (row,) = await admin.receive("one")
    statuses = ("PENDING", "DEFERRED", "SENDING", "SENT", "FAILED", "SUPPRESSED", "CANCELLED")
    stored = {
        (channel, status): (await add_deliveries(admin, [(row, channel)], status=status))[0]
        for channel in ids
        for status in statuses
    }
    assert (await admin.data(REMOVE, id=str(ids[0])))["deleteChannel"] == str(ids[0])
    query = "select tenant_id, id, channel_id, status, reason, next_attempt_at from tocsin.delivery"
    found = {it["id"]: tuple(it)[2:] for it in await vault.fetch(query, admin.tenant)}
    for status in statuses:
        cancelled = status in {"PENDING", "DEFERRED"}
        after = ("CANCELLED", "The channel was deleted.") if cancelled else (status, None)
        assert found[stored[ids[0], status]] == (None, *after, None)
        assert found[stored[ids[1], status]] == (ids[1], status, None, None)
    assert (await admin.refusal(GET, id=str(ids[0])))["extensions"] == {"code": "NOT_FOUND"}


@pytest.mark.parametrize("document", [UPDATE, REMOVE])
@pytest.mark.parametrize("patch", [{}, {"name": ""}, {"config": {"nonsense": 1}}])
async def test_a_foreign_channel_is_an_absent_one(
    admin: Api.User, rival: Api.User, vault: Vault, document: str, patch: dict[str, Any]
) -> None:
    """Byte for byte, whatever is asked of it; and it stays as it is."""
    id = str(await add_channel(admin, ChannelKind.EMAIL))
    before = await vault.of(admin.tenant)
    more = {"input": patch} if document == UPDATE else {}
    answers = [await rival.ask(document, id=it, **more) for it in (id, str(uuid4()), "nonsense", "")]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].codes == ["NOT_FOUND"]
    assert await vault.of(admin.tenant) == before


@pytest.mark.parametrize("document", [CREATE, UPDATE, REMOVE])
async def test_admins_only(
    ada: Api.User, admin: Api.User, agent: Api.User, nobody: Nobody, vault: Vault, document: str
) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, before anything is looked at."""
    id = str(await add_channel(admin))
    before = await vault.of(admin.tenant)
    inputs: dict[str, dict[str, Any]] = {
        CREATE: {"input": {**MAIL, "name": ""}},
        UPDATE: {"id": id, "input": {"name": "Theirs"}},
        REMOVE: {"id": id},
    }
    variables = inputs[document]
    for user in (ada, agent):
        assert (await user.refusal(document, **variables))["extensions"] == {"code": "FORBIDDEN"}
    assert (await nobody.ask(document, **variables)).codes == ["UNAUTHENTICATED"]
    assert await vault.of(admin.tenant) == before
