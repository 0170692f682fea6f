"""Stored preferences: one's own, and other people's for admins."""

from datetime import time
from typing import Any

import pytest

import db.inbox
import db.recipient
from db.session import Scope
from tests.resolvers.support import Vault, add_preference, add_template
from tests.support import Api

LIST = """query($user: ID, $category: String, $projectId: ID, $environmentId: ID) {
  preferences(user: $user, category: $category, projectId: $projectId, environmentId: $environmentId) { id }
}"""


async def ids(user: Api.User, /, **arguments: Any) -> list[str]:
    """Return the ids of the preferences that the user is shown."""
    return [it["id"] for it in (await user.data(LIST, **arguments))["preferences"]]


async def know(user: Api.User, *people: tuple[str, str | None]) -> None:
    """Store people of the user's tenant: (id, name)."""
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.recipient.upsert(tx, {id: {"name": name} for id, name in people})


async def test_whoever_never_chose_has_none(ada: Api.User) -> None:
    """Without stored choices the list is empty."""
    assert await ids(ada) == []


async def test_every_field(ada: Api.User) -> None:
    """A choice comes back as it was stored; what was not said is null."""
    template = await add_template(ada)
    whole = await add_preference(
        ada,
        template_id=template,
        channel_kind="EMAIL",
        enabled=False,
        project_id="p",
        environment_id="e",
        quiet_start=time(22, 30),
        quiet_end=time(7, 0),
        timezone="Europe/Paris",
    )
    bare = await add_preference(ada, category="*")
    found = await ada.data(
        """{ preferences { id category template { id name kind group method titleTemplate bodyTemplate
        enabledByDefault actions { label url } } channelKind enabled projectId environmentId quietStart
        quietEnd timezone createdAt updatedAt } }"""
    )
    first, second = found["preferences"]
    for it in (first, second):
        assert it.pop("createdAt") == it.pop("updatedAt")
    assert first == {
        "id": str(whole),
        "category": None,
        "template": {
            "id": str(template),
            "name": "Digest",
            "kind": "CUSTOM",
            "group": None,
            "method": None,
            "titleTemplate": "{n} new",
            "bodyTemplate": "",
            "enabledByDefault": True,
            "actions": [],
        },
        "channelKind": "EMAIL",
        "enabled": False,
        "projectId": "p",
        "environmentId": "e",
        "quietStart": "22:30",
        "quietEnd": "07:00",
        "timezone": "Europe/Paris",
    }
    assert second == dict.fromkeys(first) | {"id": str(bare), "category": "*"}


async def test_narrowing(ada: Api.User) -> None:
    """category, projectId and environmentId AND together; null means any."""
    a = await add_preference(ada, category="billing")
    b = await add_preference(ada, category="billing", project_id="p")
    c = await add_preference(ada, category="build", project_id="p", environment_id="e")
    for arguments, expected in (
        ({}, [a, b, c]),
        ({"category": None, "projectId": None}, [a, b, c]),
        ({"category": "billing"}, [a, b]),
        ({"projectId": "p"}, [b, c]),
        ({"environmentId": "e"}, [c]),
        ({"category": "billing", "projectId": "p"}, [b]),
        ({"category": "billing", "environmentId": "e"}, []),
        ({"category": ""}, []),
    ):
        assert await ids(ada, **arguments) == [str(id) for id in expected]


async def test_oneself_by_any_name(ada: Api.User, grace: Api.User) -> None:
    """Me, null, nothing and one's own id are the same person, and need no admin."""
    id = str(await add_preference(ada, category="billing"))
    await add_preference(grace, category="billing")
    for arguments in ({}, {"user": "me"}, {"user": None}, {"user": "ada"}):
        assert await ids(ada, **arguments) == [id]


async def test_an_admin_sees_others_by_id_and_by_name(ada: Api.User, admin: Api.User) -> None:
    """An admin names a user by id or by name, and sees that user's choices."""
    id = str(await add_preference(ada, category="billing"))
    await know(ada, ("ada", "Ada Lovelace"))
    assert await ids(admin, user="ada") == [id]
    assert await ids(admin, user="Ada Lovelace") == [id]
    assert await ids(admin) == []


async def test_an_id_wins_over_a_name(ada: Api.User, grace: Api.User, admin: Api.User) -> None:
    """Somebody called like another's id does not hide the other."""
    id = str(await add_preference(ada, category="billing"))
    await add_preference(grace, category="billing")
    await know(ada, ("ada", None), ("grace", "ada"), ("zoe", "ada"))
    assert await ids(admin, user="ada") == [id]


async def test_a_name_of_several_is_refused(ada: Api.User, admin: Api.User) -> None:
    """A name that two users bear is BAD_USER_INPUT: which one is not guessed."""
    await know(ada, ("ada", "Sam"), ("grace", "Sam"))
    error = await admin.refusal(LIST, user="Sam")
    assert error["extensions"] == {
        "code": "BAD_USER_INPUT",
        "fields": [{"field": "user", "detail": "names several users: use an id."}],
    }


@pytest.mark.parametrize("user", ["nobody", "", "ADA", "a%", "x" * 255])
async def test_an_unknown_user_is_not_found(ada: Api.User, admin: Api.User, user: str) -> None:
    """An admin who names nobody gets NOT_FOUND."""
    await know(ada, ("ada", "Ada"))
    assert (await admin.refusal(LIST, user=user))["extensions"] == {"code": "NOT_FOUND"}


async def test_an_admin_does_not_see_another_tenant(admin: Api.User, stranger: Api.User) -> None:
    """A user of another tenant is NOT_FOUND, by id and by name, byte for byte like nobody."""
    await add_preference(stranger, category="billing")
    await know(stranger, ("far", "Far"))
    absent = (await admin.ask(LIST, user="nobody")).content
    for user in ("far", "Far"):
        assert (await admin.ask(LIST, user=user)).content == absent


async def test_a_user_may_not_even_know_who_is_there(ada: Api.User, grace: Api.User, vault: Vault) -> None:
    """Others' ids and names, and those of nobody, are FORBIDDEN alike, byte for byte."""
    await add_preference(grace, category="billing")
    await know(ada, ("ada", "Ada"), ("grace", "Grace"), ("sam", "Sam"), ("sam2", "Sam"))
    before = await vault.of(ada.tenant)
    answers = [await ada.ask(LIST, user=user) for user in ("nobody", "grace", "Grace", "Sam", "root", "Ada")]
    assert answers[0].codes == ["FORBIDDEN"]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert await vault.of(ada.tenant) == before


@pytest.mark.parametrize("argument", ["user", "category", "projectId", "environmentId"])
async def test_an_argument_that_cannot_be(ada: Api.User, argument: str) -> None:
    """An over-long argument is BAD_USER_INPUT that names it; U+0000 is BAD_USER_INPUT."""
    error = await ada.refusal(LIST, **{argument: "x" * 256})
    assert error["extensions"] == {
        "code": "BAD_USER_INPUT",
        "fields": [{"field": argument, "detail": "is longer than 255 characters."}],
    }
    assert (await ada.refusal(LIST, **{argument: "a\0"}))["extensions"]["code"] == "BAD_USER_INPUT"
