"""What preferences come to: each layer over real HTTP, and how it is read."""

import random
from dataclasses import dataclass
from datetime import time
from itertools import product
from typing import Any
from uuid import UUID

import pytest

import db.inbox
import db.removal
from db.session import Database, Reader, Scope
from db.statement import Read
from db.system_template import SYSTEM_TEMPLATES
from db.types import ChannelKind
from resolvers.effective import ANY_TYPE, Owner, Place, effective
from resolvers.layers import Subject
from tests.resolvers import test_layers as layers
from tests.resolvers.preferences import TEST, know, picked, update
from tests.support import Api

EFFECTIVE = """
query($user: ID = "me", $project: ID, $environment: ID) {
  effectivePreferences(user: $user, projectId: $project, environmentId: $environment) {
    type category template { id } channelKind enabled decidedBy preference { id } quietStart quietEnd timezone
    digest digestAt
  }
}
"""
KINDS = [kind.value for kind in ChannelKind]


async def rows(caller: Api.User, **variables: Any) -> Any:
    """Return what applies."""
    return (await caller.data(EFFECTIVE, **variables))["effectivePreferences"]


async def decided(caller: Api.User, kind: str = "EMAIL", **variables: Any) -> tuple[bool, str]:
    """Return what applies to the one type on one channel kind, and which layer decided it."""
    (row,) = [
        row for row in await rows(caller, **variables) if row["channelKind"] == kind and not row["template"]
    ]
    return row["enabled"], row["decidedBy"]


async def set_type(database: Database, tenant: str, column: str, *, value: bool) -> None:
    """Set a flag of all of a tenant's types."""
    async with database.transaction(Scope(tenant, None)) as tx:
        await tx._connection.execute(
            f"update tocsin.notification_type set {column} = $1 where tenant_id = $2", value, tenant
        )


async def test_every_type_on_every_channel_kind(ada: Api.User, stranger: Api.User) -> None:
    """There is a row for each type that the tenant knows and each channel kind; none of another tenant's."""
    await ada.receive("x", type="build.done", category="build")
    await ada.receive("x", type="bill.due", category="billing")
    await stranger.receive("x", type="foreign.type")
    found = await rows(ada)
    names = product([("bill.due", "billing"), ("build.done", "build")], KINDS)
    assert picked(found, "type", "category", "channelKind") == [(*type, kind) for type, kind in names]
    rest = ("template", "enabled", "decidedBy", "preference", "quietStart", "quietEnd", "timezone")
    assert set(picked(found, *rest)) == {(None, True, "TYPE_DEFAULT", None, None, None, "UTC")}


async def test_layer_after_layer(ada: Api.User, database: Database) -> None:
    """Each layer wins over those below, and has no say elsewhere."""
    await ada.receive("x", type="build.done", category="build")
    assert await decided(ada) == (True, "TYPE_DEFAULT")
    await set_type(database, ada.tenant, "enabled_by_default", value=False)
    assert await decided(ada) == (False, "TYPE_DEFAULT")
    await update(ada, {"category": "*", "enabled": True}, {"category": "other", "enabled": False})
    assert await decided(ada) == (True, "ALL_CATEGORIES")
    await update(ada, {"category": "build", "enabled": False})
    assert await decided(ada) == (False, "CATEGORY")
    await update(ada, {"category": "build", "channelKind": "EMAIL", "enabled": True})
    assert (await decided(ada), await decided(ada, "SLACK")) == (
        (True, "CATEGORY_AND_CHANNEL"),
        (False, "CATEGORY"),
    )
    await update(ada, {"category": "*", "projectId": "p", "enabled": False})
    assert await decided(ada, project="p") == (False, "PROJECT")
    await update(ada, {"category": "*", "environmentId": "e", "enabled": True})
    assert await decided(ada, project="p", environment="e") == (True, "ENVIRONMENT")
    assert await decided(ada, project="p", environment="other") == (False, "PROJECT")
    assert await decided(ada, project="other") == (True, "CATEGORY_AND_CHANNEL")
    await update(ada, {"category": "*", "environmentId": "e", "enabled": False})
    await set_type(database, ada.tenant, "required", value=True)
    assert await decided(ada, project="p", environment="e") == (True, "REQUIRED_TYPE")


async def test_the_row_that_decided(ada: Api.User) -> None:
    """The preference is the row that decided enabled, whatever row the quiet hours are from."""
    await ada.receive("x", category="build")
    quiet = {"quietStart": "22:00", "quietEnd": "07:00", "timezone": "Asia/Tokyo"}
    night, off = await update(ada, {"category": "build", **quiet}, {"category": "*", "enabled": False})
    found = await rows(ada)
    assert picked(found, "enabled", "decidedBy", "preference", *quiet) == [
        (False, "ALL_CATEGORIES", {"id": off["id"]}, *quiet.values())
    ] * len(KINDS)
    await update(ada, {"category": "build", "enabled": True})
    assert picked(await rows(ada), "decidedBy", "preference")[0] == ("CATEGORY", {"id": night["id"]})


async def test_a_digest_is_of_mail(ada: Api.User) -> None:
    """Mail is sent at once unless a preference says otherwise, daily at 08:00 unless it says when."""
    await ada.receive("x", category="build")

    async def digests() -> Any:
        found = picked(await rows(ada), "channelKind", "digest", "digestAt")
        assert {it[1:] for it in found if it[0] != "EMAIL"} == {(None, None)}
        return next(it[1:] for it in found if it[0] == "EMAIL")

    assert await digests() == ("IMMEDIATE", None)
    await update(ada, {"category": "*", "digest": "DAILY"})
    assert await digests() == ("DAILY", "08:00")
    await update(ada, {"category": "*", "digestAt": "17:45"}, {"category": "build", "enabled": False})
    assert await digests() == ("DAILY", "17:45")
    await update(ada, {"category": "build", "channelKind": "EMAIL", "digest": "HOURLY"})
    assert await digests() == ("HOURLY", None)
    assert set(picked(await rows(ada), "enabled", "decidedBy")) == {(False, "CATEGORY")}


async def test_whose_wall_clock(ada: Api.User, database: Database) -> None:
    """The zone is that of the row with the quiet hours, else the recipient's, else UTC."""
    await ada.receive("x", category="build")
    quiet = {"category": "build", "quietStart": "22:00", "quietEnd": "07:00"}
    await update(ada, quiet, {"category": "*", "timezone": "Asia/Tokyo"})
    assert (await rows(ada))[0]["timezone"] == "UTC"
    async with database.transaction(Scope(ada.tenant, None)) as tx:
        await tx._connection.execute(
            "update tocsin.recipient set timezone = 'Europe/Paris' where tenant_id = $1", ada.tenant
        )
    assert (await rows(ada))[0]["timezone"] == "Europe/Paris"
    await update(ada, {**quiet, "timezone": "America/Lima"})
    assert (await rows(ada))[0]["timezone"] == "America/Lima"


async def test_a_template_that_a_preference_names(ada: Api.User, grace: Api.User) -> None:
    """It gets a row of its own for each channel kind; who has no preference about it has none."""
    await ada.receive("x", category="build")
    (mine,) = await update(ada, {"template": TEST, "channelKind": "EMAIL", "enabled": False})
    about = [row for row in await rows(ada) if row["template"]]
    assert picked(about, "type", "category", "template") == [("*", "*", {"id": TEST})] * len(KINDS)
    assert {row["channelKind"]: (row["enabled"], row["decidedBy"], row["preference"]) for row in about} == {
        **dict.fromkeys(KINDS, (True, "TYPE_DEFAULT", None)),
        "EMAIL": (False, "TEMPLATE", {"id": mine["id"]}),
    }
    assert len(await rows(ada)) == 2 * len(KINDS)
    assert len(await rows(grace)) == len(KINDS)
    await update(ada, {"category": "*", "enabled": False}, {"category": "build", "enabled": True})
    assert {row["decidedBy"] for row in await rows(ada) if row["template"]} == {"TEMPLATE", "ALL_CATEGORIES"}


async def test_a_template_that_is_off(ada: Api.User, stranger: Api.User, database: Database) -> None:
    """A template that is off by default has rows for everybody in its tenant."""
    async with database.transaction(Scope(ada.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await tx._connection.execute(
            "update tocsin.template set enabled_by_default = false where tenant_id = $1 and id = $2",
            ada.tenant,
            UUID(TEST),
        )
    off = [(ANY_TYPE, {"id": TEST}, False, "TYPE_DEFAULT")] * len(KINDS)
    assert picked(await rows(ada), "type", "template", "enabled", "decidedBy") == off
    assert await rows(stranger) == []
    await update(ada, {"template": TEST, "enabled": True})
    assert picked(await rows(ada), "enabled", "decidedBy") == [(True, "TEMPLATE")] * len(KINDS)


async def test_statements_do_not_grow(ada: Api.User, monkeypatch: pytest.MonkeyPatch) -> None:
    """One type or fifty, no preference or 318: four statements."""
    asked: list[object] = []
    fetch = Reader.fetch
    # Whether a caller was removed is asked every few seconds, which is not what is counted here.
    of_removals = [it for it in vars(db.removal).values() if isinstance(it, Read)]

    async def counted(reader: Reader, statement: Any, **values: Any) -> Any:
        if statement not in of_removals:
            asked.append(statement)
        return await fetch(reader, statement, **values)

    await ada.receive("x")
    monkeypatch.setattr(Reader, "fetch", counted)
    await rows(ada)
    few = len(asked)
    for number in range(50):
        await ada.receive("x", type=f"type.{number}", category=f"category-{number % 10}")
    ids = [str(shipped.id) for shipped in SYSTEM_TEMPLATES]
    for kind in (*KINDS, None):
        to = [
            {"category": f"category-{number}", "channelKind": kind, "enabled": True} for number in range(50)
        ]
        await update(ada, *to, *({"template": id, "channelKind": kind, "enabled": False} for id in ids))
    asked.clear()
    found = await rows(ada)
    assert (few, len(asked), len(found)) == (4, 4, (51 + len(ids)) * len(KINDS))


# -- who may -----------------------------------------------------------------------------------------------


async def test_nobody_and_agents(api: Api, agent: Api.User) -> None:
    """Without a token it is UNAUTHENTICATED, with an agent's FORBIDDEN."""
    assert (await api.post(EFFECTIVE)).codes == ["UNAUTHENTICATED"]
    assert (await agent.ask(EFFECTIVE)).codes == ["FORBIDDEN"]
    assert (await agent.ask(EFFECTIVE, user=agent.id)).codes == ["FORBIDDEN"]


async def test_another_user(
    ada: Api.User, grace: Api.User, admin: Api.User, stranger: Api.User, database: Database
) -> None:
    """An admin sees another's by id or name, in that user's zone; a user may not ask, whoever is named."""
    await know(database, ada.tenant, ada="Ada Lovelace")
    async with database.transaction(Scope(ada.tenant, None)) as tx:
        await tx._connection.execute("update tocsin.recipient set timezone = 'Asia/Tokyo' where id = 'ada'")
    await ada.receive("x", category="build")
    await update(ada, {"category": "build", "enabled": False}, {"template": TEST, "enabled": False})
    own = await rows(ada)
    assert set(picked(own, "enabled", "timezone")) == {(False, "Asia/Tokyo")}
    assert await rows(admin, user="ada") == await rows(admin, user="Ada Lovelace") == own
    assert set(picked(await rows(admin), "enabled", "timezone")) == {(True, "UTC")}
    answers = [await grace.ask(EFFECTIVE, user=user) for user in ("ada", "Ada Lovelace", "nobody")]
    assert [answer.codes for answer in answers] == [["FORBIDDEN"]] * 3
    assert len({answer.content for answer in answers}) == 1
    assert await rows(stranger) == []
    unknown = [await admin.ask(EFFECTIVE, user=user) for user in ("nobody", "Nobody")]
    assert [answer.codes for answer in unknown] == [["NOT_FOUND"]] * 2


@pytest.mark.parametrize("argument", ["project", "environment"])
async def test_ids_have_limits(ada: Api.User, argument: str) -> None:
    """A project or an environment of more than 255 characters is refused and named."""
    error = await ada.refusal(EFFECTIVE, **{argument: "x" * 256})
    assert error["extensions"]["fields"] == [
        {"field": f"{argument}Id", "detail": "is longer than 255 characters."}
    ]


# -- without a server --------------------------------------------------------------------------------------


@dataclass
class Type:
    """A row of notification_type."""

    name: str
    category: str
    required: bool
    enabled_by_default: bool


@dataclass
class Template:
    """A row of template."""

    id: UUID
    enabled_by_default: bool


def _digest(kind: ChannelKind, said: Any) -> tuple[str | None, time | None]:
    """Return what a row must say of the digest that the model found."""
    if kind is not ChannelKind.EMAIL:
        return None, None
    if not said:
        return "IMMEDIATE", None
    return said.digest, (said.digest_at or time(8)) if said.digest == "DAILY" else None


def test_each_row_is_what_the_model_decides() -> None:
    """In 300 random worlds each row of the answer is what the model of the layers says of it."""
    dice, differing, compared = random.Random(0), 0, 0
    for _ in range(300):
        stored = layers.random_rows(dice)
        place = Place(dice.choice((None, *layers.PLACES)), dice.choice((None, *layers.PLACES)))
        types = {
            name: Type(name, dice.choice(layers.CATEGORIES), dice.random() < 0.2, dice.random() < 0.5)
            for name in "abc"
        }
        templates = [Template(id, dice.random() < 0.5) for id in layers.TEMPLATES]
        for row in effective(Owner(stored, None), place, types.values(), templates):
            about = row.template or types[row.type]
            subject = Subject(
                row.category,
                row.channel_kind,
                row.template and row.template.id,
                place.project_id,
                place.environment_id,
                row.template is None and about.required,
                about.enabled_by_default,
            )
            expected = layers.model(stored, subject)
            compared += 1
            differing += (row.enabled, row.preference) != (expected.enabled, expected.preference)
            differing += row.quiet_start != (expected.quiet and expected.quiet.quiet_start)
            differing += (row.digest, row.digest_at) != _digest(row.channel_kind, expected.digest)
    assert (differing, compared) == (0, 300 * 5 * len(KINDS))
