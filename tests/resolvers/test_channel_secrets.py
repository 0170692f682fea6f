"""Secrets of channels: what goes in never comes out, by no answer, no log and no table."""

import json
import logging
from base64 import b64encode
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from resolvers.channel import secret_place
from resolvers.vault import CannotOpenError
from tests.resolvers.support import Vault, change
from tests.support import Answer, Api
from tocsin.keys import secret_vault

CREATE = "mutation($input: ChannelInput!) { createChannel(input: $input) { channel { id name config } } }"
UPDATE = """mutation($id: ID!, $input: ChannelPatch!) {
  updateChannel(id: $id, input: $input) { secret channel { id name config } } }"""
LIST = "{ channels { nodes { id name config lastDelivery { id } } } }"
CANARY = "canary5f3a91"
# Base64 of 36 bytes, whose text is the canary's too.
SIGNING = "whsec_" + (CANARY * 4)
URL = f"https://hooks.example.com/services/{CANARY}"
GIVEN: dict[str, dict[str, Any]] = {
    "SLACK": {"url": URL},
    "APPRISE": {"url": f"discord://{CANARY}/x"},
    "WEBHOOK": {"url": "https://hooks.example.com/in", "secret": SIGNING},
}
WRONG: list[Any] = [
    {"kind": "SLACK", "config": {"url": URL}},
    {"kind": "SLACK", "name": "x", "config": URL},
    {"kind": "SLACK", "name": "x", "config": {"url": URL}, "nope": 1},
    {"kind": "SLACK", "name": "x", "config": {"url": URL}, "enabled": URL},
    {"kind": "SLACK", "name": {"x": URL}, "config": {"url": URL}},
    {"kind": "SLACK", "name": "x", "config": {"url": URL, "n": 2**70}},
    {"kind": "SLACK", "name": "", "config": {"url": URL, "more": URL}},
    {"kind": "SLACK", "name": "x", "config": {"url": f"ftp://{CANARY}"}},
    {"kind": "SLACK", "name": "x", "config": {"url": [URL]}},
    {"kind": "WEBHOOK", "name": "x", "config": {"url": "https://a.b", "secret": CANARY}},
    {"kind": "WEBHOOK", "name": "x", "config": {"url": f"https://{CANARY}:{CANARY}@a.b"}},
    {"kind": "APPRISE", "name": "x", "config": {"url": CANARY}},
    {"kind": "EMAIL", "name": "x", "config": {"from": "a@b.c", "url": URL}},
    URL,
]
LITERALS = [
    f'{{kind: SLACK, config: {{url: "{URL}"}}}}',
    f'{{kind: SLACK, name: "x", config: "{URL}"}}',
    f'{{kind: SLACK, name: "x", config: {{url: "{URL}"}}, nope: 1}}',
    f'{{kind: SLACK, name: "x", config: {{url: "{URL}"}}, enabled: "{URL}"}}',
    f'{{kind: SLACK, name: "x", "{URL}"}}',
    f'{{kind: SLACK, name: "x", """{URL}"""}}',
    f'{{kind: SLACK, name: "x", config: {{url: "{URL}", more: "{URL}"}}}}',
]


async def _everything(superuser: "asyncpg.Connection[asyncpg.Record]") -> str:
    """Return all rows of all tables, as text, past row level security."""
    names = await superuser.fetch("select tablename from pg_tables where schemaname = 'tocsin'")
    assert len(names) >= 15
    rows = [await superuser.fetch(f"select it::text from tocsin.{it['tablename']} it") for it in names]
    return "\n".join(row["it"] for table in rows for row in table)


async def _use(admin: Api.User, ada: Api.User) -> list[Answer]:
    """Make, list, change and mistake channels in every way; return all answers."""
    answers = [
        await admin.ask(CREATE, input={"kind": kind, "name": kind, "config": config})
        for kind, config in GIVEN.items()
    ]
    assert [answer.codes for answer in answers] == [[], [], []]
    made = [answer.data["createChannel"]["channel"] for answer in answers]
    answers += [
        await admin.ask(UPDATE, id=it["id"], input={"config": config})
        for it in made
        for given in [GIVEN[it["name"]]]
        for config in (given, {**given, "more": URL}, it["config"])
    ]
    refused = [await admin.ask(CREATE, input=input) for input in WRONG]
    refused += [await admin.ask(f"mutation {{ createChannel(input: {it}) {{ secret }} }}") for it in LITERALS]
    assert all(answer.errors for answer in refused)
    return [*answers, *refused, await admin.ask(LIST), await ada.ask(LIST)]


async def test_a_canary_is_nowhere(
    admin: Api.User,
    ada: Api.User,
    superuser: "asyncpg.Connection[asyncpg.Record]",
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in an answer or error, nor in a log record, nor in any table as a superuser reads it."""
    with caplog.at_level(logging.DEBUG):
        answers = await _use(admin, ada)
        await admin.api.post(LIST, {"Authorization": "Bearer a.b.c"})
    assert [answer.content for answer in answers if CANARY in answer.content.decode()] == []
    # The client of this test logs what it sends; the server is what matters.
    assert "tocsin.auth" in {it.name for it in caplog.records}
    records = [it for it in caplog.records if not it.name.startswith(("httpx", "httpcore"))]
    assert [it for it in records if CANARY in f"{it.getMessage()} {it.args} {it.exc_text}"] == []
    stored = await _everything(superuser)
    assert CANARY not in stored
    assert b64encode(CANARY.encode()).decode()[:14] not in stored
    assert f"{admin.tenant}," in stored


async def test_the_secret_of_a_webhook_is_in_the_answer_to_its_creation_alone(admin: Api.User) -> None:
    """Asked for, it is shown there once; without being asked for, not even there."""
    document = CREATE.replace("{ channel", "{ secret channel")
    payload = await change(
        admin, document, input={"kind": "WEBHOOK", "name": "x", "config": GIVEN["WEBHOOK"]}
    )
    assert payload["secret"] == SIGNING
    id = payload["channel"]["id"]
    kept = await change(admin, UPDATE, id=id, input={"config": {"url": "https://a.b"}})
    assert kept["secret"] is None


async def _box(vault: Vault, admin: Api.User, id: str) -> Any:
    rows = await vault.fetch("select tenant_id, id, secrets::text from tocsin.channel", admin.tenant)
    (stored,) = [json.loads(row["secrets"]) for row in rows if row["id"] == UUID(id)]
    return stored


async def test_what_is_stored_opens_in_its_place_alone(
    admin: Api.User, rival: Api.User, vault: Vault
) -> None:
    """The server's key opens the box for its tenant, channel and key; for another of each it does not."""
    input = {"kind": "WEBHOOK", "name": "x", "config": GIVEN["WEBHOOK"]}
    ids = [(await change(user, CREATE, input=input))["channel"]["id"] for user in (admin, admin, rival)]
    boxes = [await _box(vault, user, id) for user, id in zip((admin, admin, rival), ids, strict=True)]
    assert [sorted(box) for box in boxes] == [["secret"]] * 3
    assert boxes[0]["secret"].keys() == {"key", "box"}
    assert len({box["secret"]["box"] for box in boxes}) == 3
    safe = secret_vault(admin.api.settings)
    places = [
        secret_place(user.tenant, UUID(id), "secret")
        for user, id in zip((admin, admin, rival), ids, strict=True)
    ]
    for mine, box in enumerate(boxes):
        for other, place in enumerate(places):
            if mine == other:
                assert safe.open(place, box["secret"]) == SIGNING
                continue
            with pytest.raises(CannotOpenError, match="another place"):
                safe.open(place, box["secret"])
    with pytest.raises(CannotOpenError, match="another place"):
        safe.open((*places[0][:2], "url"), boxes[0]["secret"])


async def test_a_kept_secret_still_opens(admin: Api.User, vault: Vault) -> None:
    """After a change that left it out it is the same; after one that gave another, the other."""
    input = {"kind": "SLACK", "name": "x", "config": GIVEN["SLACK"]}
    id = (await change(admin, CREATE, input=input))["channel"]["id"]
    place, safe = secret_place(admin.tenant, UUID(id), "url"), secret_vault(admin.api.settings)
    await change(admin, UPDATE, id=id, input={"name": "y", "config": {}})
    assert safe.open(place, (await _box(vault, admin, id))["url"]) == URL
    await change(admin, UPDATE, id=id, input={"config": {"url": "https://example.com/new"}})
    assert safe.open(place, (await _box(vault, admin, id))["url"]) == "https://example.com/new"
