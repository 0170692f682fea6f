"""Stored preferences and changing them: as their owner, as an admin, and as those who may not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

import db.inbox
import db.preference
import resolvers.preference
from db.session import Scope
from live.hub import Hub
from resolvers.context import Context, Deployment
from resolvers.errors import TocsinError
from resolvers.preference_change import Change
from resolvers.principal import Principal, Role
from tests.resolvers.preferences import (
    ANNOUNCEMENT,
    LIST,
    TEST,
    UPDATE,
    add_template,
    know,
    picked,
    stored,
    update,
)
from tests.support import Api
from tocsin.keys import secret_vault

# -- upsert ------------------------------------------------------------------------------------------------


async def test_a_new_preference(ada: Api.User) -> None:
    """What was not given is null, and what comes back is what is stored."""
    rows = await update(ada, {"category": "billing", "channelKind": "EMAIL", "enabled": False})
    assert rows == await stored(ada)
    assert rows == [
        {
            "id": rows[0]["id"],
            "category": "billing",
            "template": None,
            "channelKind": "EMAIL",
            "projectId": None,
            "environmentId": None,
            "enabled": False,
            "quietStart": None,
            "quietEnd": None,
            "timezone": None,
            "digest": None,
            "digestAt": None,
            "createdAt": rows[0]["updatedAt"],
            "updatedAt": rows[0]["updatedAt"],
        }
    ]


async def test_omitted_keeps_and_null_clears(ada: Api.User) -> None:
    """An omitted field keeps its stored value, null clears it, and the row stays the same row."""
    whole = {"enabled": True, "quietStart": "22:00", "quietEnd": "07:30", "timezone": "Europe/Paris"}
    (first,) = await update(ada, {"category": "billing", **whole})
    (second,) = await update(ada, {"category": "billing", "enabled": False})
    assert second == {**first, "enabled": False, "updatedAt": second["updatedAt"]}
    (third,) = await update(ada, {"category": "billing", "enabled": None, "timezone": None})
    assert third == {**second, "enabled": None, "timezone": None, "updatedAt": third["updatedAt"]}
    (last,) = await update(ada, {"category": "billing", "quietStart": None, "quietEnd": None})
    assert picked([last], "id", "enabled", "quietStart", "quietEnd", "timezone") == [
        (first["id"], None, None, None, None)
    ]
    assert first["updatedAt"] < second["updatedAt"] < third["updatedAt"] < last["updatedAt"]


async def test_a_digest(ada: Api.User) -> None:
    """It is stored, kept when left out, cleared by null, and says something on its own."""
    daily = {"digest": "DAILY", "digestAt": "17:45"}
    rows = await update(ada, {"category": "billing", **daily}, {"category": "*", "digest": "HOURLY"})
    assert picked(rows, "digest", "digestAt", "enabled") == [("DAILY", "17:45", None), ("HOURLY", None, None)]
    assert await update(ada, {"category": "billing", **daily}) == rows
    mail = {"category": "billing", "channelKind": "EMAIL", "digest": "IMMEDIATE"}
    rows = await update(ada, mail, {"category": "billing", "enabled": True, "digestAt": None})
    assert picked(rows, "channelKind", "digest", "digestAt", "enabled") == [
        (None, "DAILY", None, True),
        (None, "HOURLY", None, None),
        ("EMAIL", "IMMEDIATE", None, None),
    ]
    rows = await update(ada, {"category": "*", "digest": None})
    assert picked(rows, "category", "digest") == [("billing", "DAILY"), ("*", None), ("billing", "IMMEDIATE")]


async def test_nothing_new_changes_nothing(ada: Api.User) -> None:
    """A preference that says what is stored already keeps its updatedAt."""
    before = await update(
        ada, {"category": "billing", "enabled": True}, {"category": "build", "enabled": True}
    )
    after = await update(
        ada, {"category": "billing", "enabled": True}, {"category": "build", "enabled": False}
    )
    assert after == [before[0], {**before[1], "enabled": False, "updatedAt": after[1]["updatedAt"]}]


async def test_what_makes_a_preference_another(ada: Api.User) -> None:
    """Category or template, channel kind, project and environment tell rows apart; null equals null."""
    identities = [
        {"category": "*"},
        {"category": "billing"},
        {"template": TEST},
        {"template": ANNOUNCEMENT},
        {"category": "billing", "channelKind": "EMAIL"},
        {"category": "billing", "projectId": "1"},
        {"category": "billing", "environmentId": "1"},
        {"category": "billing", "projectId": "1", "environmentId": "1"},
        {"template": TEST, "channelKind": "EMAIL", "projectId": "1", "environmentId": "1"},
    ]
    first = await update(ada, *({**identity, "enabled": True} for identity in identities))
    nulls = {
        "template": None,
        "category": None,
        "channelKind": None,
        "projectId": None,
        "environmentId": None,
    }
    second = await update(ada, *({**nulls, **identity, "enabled": False} for identity in identities))
    assert picked(second, "id", "enabled") == [(row["id"], False) for row in first]
    shown = [{name: value for name, value in row.items() if value is not None} for row in second]
    assert [row.get("template") or row["category"] for row in shown] == [
        "*", "billing", {"id": TEST}, {"id": ANNOUNCEMENT}, *["billing"] * 4, {"id": TEST}
    ]  # fmt: skip


async def test_it_returns_all_in_the_order_they_were_stored(ada: Api.User) -> None:
    """The answer has what was there before too, and the rows of one call in the order of the call."""
    await update(ada, {"category": "z"})
    names = [f"category-{number * 7 % 50}" for number in range(50)]
    rows = await update(ada, *({"category": name, "enabled": False} for name in names))
    assert picked(rows, "category") == [("z",), *((name,) for name in names)]


async def test_the_list_can_be_narrowed(ada: Api.User) -> None:
    """A category, a project or an environment narrows the list to rows that name it."""
    for identity in ({"projectId": "1"}, {"environmentId": "1"}, {}):
        await update(ada, {"category": "billing", **identity}, {"category": "build", **identity})
    assert len(await stored(ada)) == 6
    assert picked(await stored(ada, category="billing"), "category") == [("billing",)] * 3
    assert picked(await stored(ada, project="1"), "projectId", "category") == [
        ("1", "billing"),
        ("1", "build"),
    ]
    assert len(await stored(ada, category="build", environment="1")) == 1


async def test_ocore_can_be_moved(ada: Api.User) -> None:
    """The body of oCore's PUT is valid here, word for word."""
    body = {
        "category": "billing",
        "enabled": True,
        "environmentId": "production",
        "projectId": "shop",
        "quietEnd": "07:00",
        "quietStart": "22:00",
        "timezone": "Europe/Paris",
    }
    assert picked(await update(ada, body), *body) == [tuple(body.values())]


async def test_coder_can_be_moved(ada: Api.User) -> None:
    """A template_disabled_map becomes one preference a template."""
    disabled = {TEST: True, ANNOUNCEMENT: False}
    rows = await update(ada, *({"template": id, "enabled": not off} for id, off in disabled.items()))
    assert picked(rows, "template", "enabled") == [({"id": TEST}, False), ({"id": ANNOUNCEMENT}, True)]


async def test_twenty_at_once_lose_nothing(ada: Api.User) -> None:
    """Callers who set different fields of the same preference at the same time all have their way."""
    for round in range(5):
        same = {"category": f"billing-{round}"}
        parts: tuple[dict[str, Any], ...] = (
            {"enabled": False},
            {"timezone": "Asia/Tokyo"},
            {"quietStart": "22:00", "quietEnd": "07:00"},
            {},
        )
        await asyncio.gather(*(update(ada, {**same, **part}) for part in parts * 5))
        (row,) = await stored(ada, category=f"billing-{round}")
        assert picked([row], "enabled", "timezone", "quietStart") == [(False, "Asia/Tokyo", "22:00")]


# -- who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [LIST, UPDATE])
async def test_nobody_and_agents(api: Api, ada: Api.User, agent: Api.User, document: str) -> None:
    """Without a token it is UNAUTHENTICATED, with an agent's FORBIDDEN, also for the agent's own id."""
    before = await update(ada, {"category": "billing", "enabled": True})
    to = [{"category": "billing", "enabled": False}]
    variables: dict[str, Any] = {"to": to} if document is UPDATE else {}
    assert (await api.post(document, None, **variables)).codes == ["UNAUTHENTICATED"]
    for user in ("me", agent.id, "ada"):
        assert (await agent.ask(document, user=user, **variables)).codes == ["FORBIDDEN"]
    assert await stored(ada) == before


@pytest.mark.parametrize("document", [LIST, UPDATE])
async def test_a_user_may_not_name_another(ada: Api.User, grace: Api.User, document: str) -> None:
    """Another's id, another's name and nobody's id are answered byte for byte alike, and nothing changes."""
    before = await update(ada, {"category": "billing", "enabled": True})
    await ada.receive("so that the directory knows her")
    variables = {"to": [{"category": "billing", "enabled": False}]} if document is UPDATE else {}
    answers = [await grace.ask(document, user=user, **variables) for user in ("ada", "nobody", "")]
    assert [answer.codes for answer in answers] == [["FORBIDDEN"]] * 3
    assert len({answer.content for answer in answers}) == 1
    assert (await stored(ada), await stored(grace)) == (before, [])


async def test_me_and_my_id_are_the_same(ada: Api.User, grace: Api.User, stranger: Api.User) -> None:
    """Null, me and one's own id mean the caller; nobody else sees or moves what is stored."""
    for user in (None, "me", "ada"):
        await update(ada, {"category": f"as {user}", "enabled": False}, user=user)
    assert picked(await stored(ada, user=None), "category") == [("as None",), ("as me",), ("as ada",)]
    assert (await stored(grace), await stored(stranger)) == ([], [])
    await update(stranger, {"category": "as me", "enabled": True})
    assert picked(await stored(ada, category="as me"), "enabled") == [(False,)]


async def test_an_admin_names_another(ada: Api.User, grace: Api.User, admin: Api.User, database: Any) -> None:
    """An admin reads and changes another's by id or by name, merged with what that user has stored."""
    await know(database, ada.tenant, ada="Ada Lovelace", grace="Grace Hopper", twin="Grace Hopper")
    await update(ada, {"category": "billing", "enabled": False})
    rows = await update(admin, {"category": "billing", "timezone": "Asia/Tokyo"}, user="ada")
    rows = await update(admin, {"category": "build", "enabled": False}, user="Ada Lovelace")
    assert picked(rows, "category", "enabled", "timezone") == [
        ("billing", False, "Asia/Tokyo"),
        ("build", False, None),
    ]
    assert (
        rows
        == await stored(ada)
        == await stored(admin, user="ada")
        == await stored(admin, user="Ada Lovelace")
    )
    assert (await stored(grace), await stored(admin)) == ([], [])


async def test_whom_an_admin_cannot_name(
    ada: Api.User, admin: Api.User, stranger: Api.User, database: Any
) -> None:
    """A name of several is refused; nobody's and another tenant's are the same NOT_FOUND."""
    await know(database, ada.tenant, grace="Grace Hopper", twin="Grace Hopper")
    await know(database, stranger.tenant, foreigner="Foreigner")
    await update(stranger, {"category": "billing", "enabled": False})
    for document, variables in ((LIST, {}), (UPDATE, {"to": [{"category": "billing", "enabled": True}]})):
        error = await admin.refusal(document, user="Grace Hopper", **variables)
        assert error["extensions"]["fields"] == [
            {"field": "user", "detail": "names several users: use an id."}
        ]
        answers = [
            await admin.ask(document, user=user, **variables)
            for user in ("nobody", "foreigner", "Foreigner", "")
        ]
        assert [answer.codes for answer in answers] == [["NOT_FOUND"]] * 4
        assert len({answer.content for answer in answers}) == 1
        assert (await admin.ask(document, user="x" * 256, **variables)).codes == ["BAD_USER_INPUT"]
    assert picked(await stored(stranger), "enabled") == [(False,)]


async def test_an_admin_meets_the_same_rules(ada: Api.User, admin: Api.User, database: Any) -> None:
    """What an admin stores for another is judged with that user's stored rows."""
    await know(database, ada.tenant, ada="Ada")
    before = await update(ada, {"category": "billing", "quietStart": "22:00", "quietEnd": "07:00"})
    error = await admin.refusal(UPDATE, to=[{"category": "billing", "quietEnd": None}], user="ada")
    assert error["extensions"]["fields"][0]["field"] == "preferences.0.quietEnd"
    assert await stored(ada) == before


# -- templates ---------------------------------------------------------------------------------------------


async def test_a_template_takes_its_preferences_along(
    ada: Api.User, grace: Api.User, stranger: Api.User, database: Any
) -> None:
    """A template that is deleted takes everybody's preferences about it along, and no others."""
    id = uuid4()
    for tenant in (ada.tenant, stranger.tenant):
        async with database.transaction(Scope(tenant, None)) as tx:
            await db.inbox.add_tenant(tx)
            await add_template(tx, id)
    for user in (ada, grace, stranger):
        await update(user, {"template": str(id), "enabled": False}, {"template": TEST, "enabled": False})
    async with database.transaction(Scope(ada.tenant, ada.id)) as tx:
        await tx._connection.execute(
            "delete from tocsin.template where tenant_id = $1 and id = $2", ada.tenant, id
        )
    left = [picked(await stored(user), "template") for user in (ada, grace, stranger)]
    assert left == [[({"id": TEST},)], [({"id": TEST},)], [({"id": str(id)},), ({"id": TEST},)]]


async def test_a_change_that_was_under_way_when_its_user_was_removed(api: Api, tenant: str) -> None:
    """What a removed user had asked for before is refused, so that nothing of them comes back."""
    ada, admin = api.user(tenant, "ada"), api.user(tenant, "root", Role.ADMIN)
    await update(ada, {"category": "billing", "enabled": True})
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    caller = Principal(tenant, "ada", frozenset({Role.USER}), now + hour, now - hour)
    await admin.data('mutation { removeRecipient(id: "ada") }')
    context = Context(caller, api.database, Hub(), Deployment(secret_vault(api.settings)))
    with pytest.raises(TocsinError, match="A valid token is required"):
        await resolvers.preference.update(context, [Change(category="news", said={"enabled": True})], None)
    assert await db.preference.of_user(api.database.reader(Scope(tenant, "ada")), "ada") == []
