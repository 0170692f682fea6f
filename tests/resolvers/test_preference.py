"""Stored preferences and changing them: as their owner, as an admin, and as those who may not."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import pytest

import db.inbox
import db.preference
import db.template
from db.session import Scope
from db.system_template import SYSTEM_TEMPLATES
from resolvers.errors import TocsinError
from resolvers.preference_change import Change, to_store
from tests.support import Api

FIELDS = """
  id category template { id } channelKind projectId environmentId enabled quietStart quietEnd timezone
  createdAt updatedAt
"""
LIST = f"""
query($user: ID = "me", $category: String, $project: ID, $environment: ID) {{
  preferences(user: $user, category: $category, projectId: $project, environmentId: $environment) {{
    {FIELDS}
  }}
}}
"""
UPDATE = f"""
mutation($to: [PreferenceInput!]!, $user: ID = "me") {{
  updatePreferences(preferences: $to, user: $user) {{ {FIELDS} }}
}}
"""
TEST, ANNOUNCEMENT = (str(shipped.id) for shipped in SYSTEM_TEMPLATES[:2])


async def update(caller: Api.User, *to: dict[str, Any], **variables: Any) -> Any:
    """Store preferences; return all of the user's."""
    return (await caller.data(UPDATE, to=to, **variables))["updatePreferences"]


async def stored(caller: Api.User, **variables: Any) -> Any:
    """Return the stored preferences."""
    return (await caller.data(LIST, **variables))["preferences"]


async def fields_refused(caller: Api.User, *to: dict[str, Any]) -> list[tuple[str, str]]:
    """Try to store preferences that must be refused; return what is said of which field."""
    before = await stored(caller)
    error = await caller.refusal(UPDATE, to=to)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert await stored(caller) == before
    return [(it["field"], it["detail"]) for it in error["extensions"]["fields"]]


def picked(rows: Any, *names: str) -> list[Any]:
    """Return only some fields of rows."""
    return [tuple(row[name] for name in names) for row in rows]


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


# -- refusals ----------------------------------------------------------------------------------------------


async def test_every_wrong_field_is_named(ada: Api.User) -> None:
    """All that is wrong comes back at once, and nothing of the call is stored."""
    assert await fields_refused(
        ada,
        {"category": "fine", "enabled": True},
        {"enabled": True},
        {"category": "billing", "template": TEST},
        {"category": "", "projectId": "p" * 256, "environmentId": ""},
        {"category": "c" * 256, "quietStart": "22:00"},
        {"category": "billing", "quietEnd": "22:00"},
        {"category": "build", "quietStart": "22:00", "quietEnd": "22:00"},
        {"template": "no such"},
        {"category": "fine", "channelKind": None},
    ) == [
        ("preferences.8", "is the same preference as preferences.0."),
        ("preferences.1.category", "is needed, or template."),
        ("preferences.2.template", "goes without category."),
        ("preferences.3.category", "is empty."),
        ("preferences.3.projectId", "is longer than 255 characters."),
        ("preferences.3.environmentId", "is empty."),
        ("preferences.4.category", "is longer than 255 characters."),
        ("preferences.4.quietEnd", "is needed: quiet hours have both ends."),
        ("preferences.5.quietStart", "is needed: quiet hours have both ends."),
        ("preferences.6.quietEnd", "equals quietStart."),
        ("preferences.7.template", "does not exist."),
    ]


async def test_quiet_hours_are_judged_as_they_would_be(ada: Api.User) -> None:
    """What counts is the row after the merge: an end may move, but not go alone or meet the other."""
    await update(ada, {"category": "billing", "quietStart": "22:00", "quietEnd": "07:00"})
    for wrong, field in (
        ({"quietStart": None}, "quietStart"),
        ({"quietEnd": None}, "quietEnd"),
        ({"quietEnd": "22:00"}, "quietEnd"),
        ({"quietStart": "07:00"}, "quietEnd"),
    ):
        ((named, _detail),) = await fields_refused(ada, {"category": "billing", **wrong})
        assert named == f"preferences.0.{field}"
    rows = await update(ada, {"category": "billing", "quietEnd": "08:00"})
    assert picked(rows, "quietStart", "quietEnd") == [("22:00", "08:00")]


async def test_the_same_template_spelled_twice(ada: Api.User) -> None:
    """A template's id is the same in capitals."""
    assert await fields_refused(ada, {"template": TEST}, {"template": TEST.upper()}) == [
        ("preferences.1", "is the same preference as preferences.0.")
    ]


def test_what_postgres_cannot_hold() -> None:
    """NUL and lone surrogates never reach the database, though the edge would stop them before."""
    with pytest.raises(TocsinError) as caught:
        to_store([Change(category="\x00"), Change(category="c", project_id="\ud800")], {}, set(), 0)
    detail = "contains characters that cannot be stored."
    assert caught.value.extensions["fields"] == [
        {"field": "preferences.0.category", "detail": detail},
        {"field": "preferences.1.projectId", "detail": detail},
    ]


@pytest.mark.parametrize("count", [0, 201])
async def test_one_to_two_hundred(ada: Api.User, count: int) -> None:
    """None, or more than 200, are refused with the limits."""
    error = await ada.refusal(UPDATE, to=[{"category": f"category-{number}"} for number in range(count)])
    assert error["extensions"] == {
        "code": "LIMIT_OUT_OF_RANGE", "argument": "preferences", "min": 1, "max": 200
    }  # fmt: skip
    assert await stored(ada) == []


async def test_two_hundred(ada: Api.User) -> None:
    """200 are stored in one call."""
    assert len(await update(ada, *({"category": f"category-{number}"} for number in range(200)))) == 200


async def test_templates_that_are_not_here(ada: Api.User, stranger: Api.User, database: Any) -> None:
    """An absent template, another tenant's, and an id that cannot be one are answered byte for byte alike."""
    foreign = uuid4()
    async with database.transaction(Scope(stranger.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await add_template(tx, foreign)
    wrong = (str(uuid4()), str(foreign), "no such", "x" * 10_000, TEST.replace("-", ""))
    answers = {(await ada.ask(UPDATE, to=[{"template": id, "enabled": False}])).content for id in wrong}
    assert len(answers) == 1
    assert await fields_refused(ada, {"template": str(foreign)}) == [
        ("preferences.0.template", "does not exist.")
    ]
    assert len(await update(stranger, {"template": str(foreign), "enabled": False})) == 1


@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/paris", "localtime", "+02:00", "../etc/passwd", ""])
async def test_zones_that_are_none(ada: Api.User, zone: str) -> None:
    """A name that IANA does not have is INVALID_TIMEZONE, whatever the host knows."""
    error = await ada.refusal(UPDATE, to=[{"category": "billing", "timezone": zone}])
    assert error["extensions"]["code"] == "INVALID_TIMEZONE"
    assert await stored(ada) == []


@pytest.mark.parametrize("wall", ["24:00", "7:00", "07:5", "07:00:00", "١٢:٣٠", "07:00Z", "", 7])
async def test_times_that_are_none(ada: Api.User, wall: object) -> None:
    """A wall clock is HH:MM in 24 hours and nothing else."""
    error = await ada.refusal(UPDATE, to=[{"category": "billing", "quietStart": wall, "quietEnd": "08:00"}])
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert await stored(ada) == []


async def test_a_key_that_no_index_holds(ada: Api.User) -> None:
    """Ids short in characters but too long in bytes together are refused, not an internal error."""
    dice = random.Random(0)
    emoji = ["".join(chr(dice.randrange(0x1F300, 0x1F600)) for _ in range(255)) for _ in range(3)]
    whole = dict(zip(("category", "projectId", "environmentId"), emoji, strict=True))
    assert await fields_refused(ada, whole) == [
        ("preferences.0.category", "is too long together with projectId and environmentId.")
    ]
    fits = {**whole, "environmentId": emoji[2][:100]}
    assert picked(await update(ada, fits), *fits) == [tuple(fits.values())]


async def test_no_more_than_two_thousand(ada: Api.User, database: Any) -> None:
    """Beyond 2,000 those that say nothing make room; if there are none, what is new is refused."""
    await update(ada, {"category": "empty"}, {"category": "first", "enabled": True})
    rows = [
        {**dict.fromkeys((*db.preference.IDENTITY, *db.preference.SAID)), "id": uuid4(), "enabled": True}
        | {"category": f"category-{number}"}
        for number in range(1_998)
    ]
    async with database.transaction(Scope(ada.tenant, ada.id)) as tx:
        await db.preference.store(tx, ada.id, rows)
    grown = await update(ada, {"category": "one more", "enabled": True})
    assert (len(grown), "empty" in {row["category"] for row in grown}) == (2_000, False)
    assert await fields_refused(ada, {"category": "too many", "enabled": True}) == [
        ("preferences", "would be more than 2,000 in all: clear some first.")
    ]
    changed = await update(
        ada, {"category": "first", "enabled": None}, {"category": "instead", "enabled": True}
    )
    assert (len(changed), "first" in {row["category"] for row in changed}) == (2_000, False)


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
    answers = [await grace.ask(document, user=user, **variables) for user in ("ada", "nobody", "", "x" * 999)]
    assert [answer.codes for answer in answers] == [["FORBIDDEN"]] * 4
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


async def add_template(tx: Any, id: UUID) -> None:
    """Give the transaction's tenant a template."""
    await db.template.add(
        tx, id, name="Mine", kind="CUSTOM", group=None, title_template="", body_template="", actions=[]
    )


async def know(database: Any, tenant: str, **people: str) -> None:
    """Put people into a tenant's directory: name by id."""
    async with database.transaction(Scope(tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        for id, name in people.items():
            await tx._connection.execute(
                "insert into tocsin.recipient (tenant_id, id, name) values ($1, $2, $3)", tenant, id, name
            )
