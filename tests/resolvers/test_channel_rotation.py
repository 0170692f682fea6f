"""Rotating a webhook's signing secret: the new one is shown once, the old one signs along for a day."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from resolvers.channel import secret_place
from resolvers.channel_config import REDACTED
from tests.resolvers.support import ABSENT, Nobody, Vault, add_channel, change
from tests.support import Api
from tocsin.keys import secret_vault

CREATE = "mutation($input: ChannelInput!) { createChannel(input: $input) { secret channel { id } } }"
ROTATE = "mutation($id: ID!) { rotateChannelSecret(id: $id) { secret channel { id config updatedAt } } }"
UPDATE = """mutation($id: ID!, $input: ChannelPatch!) {
  updateChannel(id: $id, input: $input) { secret channel { config } } }"""
GET = "query($id: ID!) { channel(id: $id) { config } channels { nodes { config } } }"
HOOK = "https://hooks.example.com/in"
SHOWN = {"url": HOOK, "secret": REDACTED}
WEBHOOK = {"kind": "WEBHOOK", "name": "Hook", "config": {"url": HOOK}}
SLACK = {"kind": "SLACK", "name": "Team", "config": {"url": HOOK}}
GIVEN = "whsec_" + "a" * 32


async def secrets(vault: Vault, admin: Api.User, id: str) -> dict[str, Any]:
    """Return what is stored of a channel's secrets: boxes."""
    rows = await vault.fetch("select tenant_id, id, secrets::text from tocsin.channel", admin.tenant)
    (stored,) = [json.loads(row["secrets"]) for row in rows if row["id"] == UUID(id)]
    assert isinstance(stored, dict)
    return stored


def opened(admin: Api.User, id: str, box: Any) -> str:
    """Open a box as the worker does."""
    place = secret_place(admin.tenant, UUID(id), "secret")
    return secret_vault(admin.api.settings).open(place, box)


async def made(admin: Api.User, **input: Any) -> tuple[str, str]:
    """Make a webhook; return its id and its secret."""
    payload = await change(admin, CREATE, input=WEBHOOK | input)
    return payload["channel"]["id"], payload["secret"]


async def test_a_new_secret_is_shown_once(admin: Api.User, ada: Api.User) -> None:
    """It is in the answer to the rotation, another than before, and redacted ever after."""
    id, old = await made(admin)
    payload = await change(admin, ROTATE, id=id)
    assert payload["secret"].startswith("whsec_")
    assert payload["secret"] != old
    assert payload["channel"]["config"] == SHOWN
    for user in (admin, ada):
        answer = await user.ask(GET, id=id)
        assert answer.data == {"channel": {"config": SHOWN}, "channels": {"nodes": [{"config": SHOWN}]}}
        assert payload["secret"].encode() not in answer.content
        assert b"previous" not in answer.content


async def test_the_old_one_is_kept_for_a_day(admin: Api.User, vault: Vault) -> None:
    """Its box is stored as it was, with an end that is 24 hours after the database's now."""
    id, old = await made(admin)
    before = await secrets(vault, admin, id)
    payload = await change(admin, ROTATE, id=id)
    after = await secrets(vault, admin, id)
    assert after.keys() == {"secret", "previous"}
    assert opened(admin, id, after["secret"]) == payload["secret"]
    assert after["previous"]["box"] == before["secret"]
    assert opened(admin, id, after["previous"]["box"]) == old
    until = datetime.fromisoformat(after["previous"]["until"])
    changed = datetime.fromisoformat(payload["channel"]["updatedAt"])
    assert (until - timedelta(hours=24)).isoformat(timespec="milliseconds") == changed.astimezone(
        UTC
    ).isoformat(timespec="milliseconds")


async def test_a_second_rotation_forgets_the_first_secret(admin: Api.User, vault: Vault) -> None:
    """Only the last two are stored."""
    id, _first = await made(admin)
    second = (await change(admin, ROTATE, id=id))["secret"]
    third = (await change(admin, ROTATE, id=id))["secret"]
    stored = await secrets(vault, admin, id)
    assert [opened(admin, id, box) for box in (stored["secret"], stored["previous"]["box"])] == [
        third,
        second,
    ]


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"url": HOOK}, ["previous", "secret"]),
        ({"url": HOOK, "secret": REDACTED}, ["previous", "secret"]),
        ({"url": HOOK, "secret": GIVEN}, ["secret"]),
    ],
)
async def test_a_secret_that_is_given_ends_the_grace(
    admin: Api.User, vault: Vault, config: dict[str, Any], kept: list[str]
) -> None:
    """One that is left out or redacted leaves both; one that is given is the only one from then on."""
    id, _ = await made(admin)
    new = (await change(admin, ROTATE, id=id))["secret"]
    payload = await change(admin, UPDATE, id=id, input={"config": config})
    assert (payload["secret"], payload["channel"]["config"]) == (None, SHOWN)
    stored = await secrets(vault, admin, id)
    assert sorted(stored) == kept
    assert opened(admin, id, stored["secret"]) == config.get("secret", new).replace(REDACTED, new)


async def test_previous_is_no_key_of_a_config(admin: Api.User, vault: Vault) -> None:
    """A client can neither set it nor, redacted, keep it by name."""
    id, _ = await made(admin)
    await change(admin, ROTATE, id=id)
    before = await vault.of(admin.tenant)
    for value in (REDACTED, "x"):
        error = await admin.refusal(UPDATE, id=id, input={"config": {"url": HOOK, "previous": value}})
        assert [it["field"] for it in error["extensions"]["fields"]] == ["config.previous"]
    assert await vault.of(admin.tenant) == before


async def test_only_webhooks_sign(admin: Api.User, vault: Vault) -> None:
    """Another kind of channel has no secret to rotate."""
    id = (await change(admin, CREATE, input=SLACK))["channel"]["id"]
    before = await vault.of(admin.tenant)
    error = await admin.refusal(ROTATE, id=id)
    assert error["extensions"]["fields"] == [{"field": "id", "detail": "is no webhook: only these sign."}]
    assert await vault.of(admin.tenant) == before


async def test_a_webhook_that_had_none(admin: Api.User, vault: Vault) -> None:
    """One that was stored without a secret gets its first, and nothing signs along."""
    id = str(await add_channel(admin))
    payload = await change(admin, ROTATE, id=id)
    stored = await secrets(vault, admin, id)
    assert stored.keys() == {"secret"}
    assert opened(admin, id, stored["secret"]) == payload["secret"]


async def test_admins_only(ada: Api.User, agent: Api.User, nobody: Nobody, vault: Vault) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, and nothing changes."""
    id = str(await add_channel(ada))
    before = await vault.of(ada.tenant)
    for wanted in (id, ABSENT):
        for user in (ada, agent):
            assert (await user.refusal(ROTATE, id=wanted))["extensions"] == {"code": "FORBIDDEN"}
        assert (await nobody.ask(ROTATE, id=wanted)).codes == ["UNAUTHENTICATED"]
    assert await vault.of(ada.tenant) == before


async def test_a_foreign_channel_is_an_absent_one(admin: Api.User, rival: Api.User, vault: Vault) -> None:
    """Byte for byte, whatever its kind."""
    ids = [(await made(admin))[0], (await change(admin, CREATE, input=SLACK))["channel"]["id"]]
    before = await vault.of(admin.tenant)
    answers = [await rival.ask(ROTATE, id=it) for it in (*ids, ABSENT, "nonsense", "")]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].codes == ["NOT_FOUND"]
    assert await vault.of(admin.tenant) == before
