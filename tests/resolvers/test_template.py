"""Templates: the shipped ones, and the tenant's own."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.system_template import SYSTEM_TEMPLATES
from tests.resolvers.support import Nobody, Vault, add_preference, change
from tests.support import Api

TEMPLATE = """{
  id name kind group method titleTemplate bodyTemplate actions { label url } enabledByDefault
}"""
LIST = f"query($kind: TemplateKind) {{ templates(kind: $kind) {TEMPLATE} }}"
CREATE = f"mutation($input: TemplateInput!) {{ createTemplate(input: $input) {TEMPLATE} }}"
UPDATE = f"mutation($id: ID!, $input: TemplatePatch!) {{ updateTemplate(id: $id, input: $input) {TEMPLATE} }}"
REMOVE = "mutation($id: ID!) { deleteTemplate(id: $id) }"
MINE = {"name": "Release", "titleTemplate": "{{ version }}", "bodyTemplate": "{{ notes }}"}
SHIPPED: list[dict[str, Any]] = [
    {
        "id": str(it.id),
        "name": it.name,
        "kind": "SYSTEM",
        "group": "Tocsin",
        "method": None,
        "titleTemplate": it.title_template,
        "bodyTemplate": it.body_template,
        "actions": [],
        "enabledByDefault": True,
    }
    for it in sorted(SYSTEM_TEMPLATES, key=lambda it: it.name)
]


async def listed(user: Api.User, **variables: Any) -> Any:
    """Return the tenant's templates."""
    return (await user.data(LIST, **variables))["templates"]


async def stored(vault: Vault, user: Api.User) -> Any:
    """Return the rows of the tenant's templates."""
    return (await vault.of(user.tenant))["template"]


async def fields(user: Api.User, document: str, **variables: Any) -> list[tuple[str, str]]:
    """Run what must be BAD_USER_INPUT, and return what is listed."""
    error = await user.refusal(document, **variables)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    return [(it["field"], it["detail"]) for it in error["extensions"]["fields"]]


async def test_everybody_has_the_shipped_ones(
    ada: Api.User, admin: Api.User, agent: Api.User, vault: Vault
) -> None:
    """In a tenant that is new, before it has rows, and after; by name in their group."""
    for user in (ada, admin, agent):
        assert await listed(user) == SHIPPED
        assert len(await listed(user, kind="SYSTEM")) == 3
        assert await listed(user, kind="CUSTOM") == []
    assert await stored(vault, ada) == []
    await ada.receive("a row makes the tenant known")
    for user in (ada, admin, agent):
        assert await listed(user) == SHIPPED


async def test_all_nine_fields(admin: Api.User, ada: Api.User) -> None:
    """What was given comes back, from the mutation and in the list."""
    given = {
        "name": "Release",
        "group": "Releases",
        "method": "EMAIL",
        "titleTemplate": "Release {{ version }}",
        "bodyTemplate": "{% for it in notes %}\n- {{ it }}{% endfor %}",
        "actions": [{"label": "Open", "url": "/open"}, {"label": "Mail", "url": "mailto:a@b.c"}],
        "enabledByDefault": False,
    }
    made = await change(admin, CREATE, input=given)
    id = made.pop("id")
    assert made == given | {"kind": "CUSTOM"}
    assert await listed(ada) == [*SHIPPED, {"id": id, **made}]
    assert await listed(ada, kind="CUSTOM") == [{"id": id, **made}]


async def test_what_is_left_out_or_null(admin: Api.User) -> None:
    """No group, every method, no actions, enabled; names need not be unique."""
    absent: dict[str, Any] = {"group": None, "method": None, "actions": [], "enabledByDefault": True}
    for more in ({}, dict.fromkeys(absent)):
        made = await change(admin, CREATE, input=MINE | more)
        assert made.items() >= absent.items()
    assert [it["name"] for it in await listed(admin, kind="CUSTOM")] == ["Release", "Release"]


async def test_in_order_of_group_and_name(admin: Api.User) -> None:
    """The tenant's own follow the shipped ones; without a group comes last."""
    for group, name in ((None, "a"), ("b", "b"), ("a", "d"), ("b", "a")):
        await change(admin, CREATE, input=MINE | {"group": group, "name": name})
    found = [(it["group"], it["name"]) for it in (await listed(admin))[3:]]
    assert found == [("a", "d"), ("b", "a"), ("b", "b"), (None, "a")]


async def test_everything_wrong_is_listed(admin: Api.User, vault: Vault) -> None:
    """Lengths, syntax with its line, labels; in one answer, and nothing is stored."""
    wrong = {
        "name": "",
        "group": "x" * 256,
        "titleTemplate": "{{ title",
        "bodyTemplate": "one\ntwo\n{% if %}",
        "actions": [{"label": "x", "url": "/"}, {"label": "", "url": "/"}, {"label": "x" * 256, "url": "/"}],
    }
    assert await fields(admin, CREATE, input=wrong) == [
        ("name", "is empty."),
        ("group", "is longer than 255 characters."),
        ("titleTemplate", "line 1: unexpected end of template, expected 'end of print statement'."),
        ("bodyTemplate", "line 3: Expected an expression, got 'end of statement block'"),
        ("actions.1.label", "is empty."),
        ("actions.2.label", "is longer than 255 characters."),
    ]
    too_long = {"titleTemplate": "x" * 1_001, "bodyTemplate": "{{" * 32_769, "name": "x" * 256}
    assert await fields(admin, CREATE, input=too_long | {"actions": [{"label": "x", "url": "/"}] * 11}) == [
        ("name", "is longer than 255 characters."),
        ("titleTemplate", "is longer than 1,000 characters."),
        ("bodyTemplate", "is longer than 65,536 characters."),
        ("actions", "has more than 10 values."),
    ]
    assert await fields(admin, CREATE, input=MINE | {"titleTemplate": ""}) == [("titleTemplate", "is empty.")]
    unsafe = MINE | {"actions": [{"label": "x", "url": "javascript:alert(1)"}]}
    assert (await admin.refusal(CREATE, input=unsafe))["extensions"]["code"] == "INVALID_URL"
    assert await stored(vault, admin) == []


async def test_the_longest_that_is_allowed(admin: Api.User) -> None:
    """1,000 characters of title, 65,536 of body, and ten actions."""
    longest = {
        "name": "ü" * 255,
        "group": "ü" * 255,
        "titleTemplate": "ü" * 1_000,
        "bodyTemplate": "ü" * 65_536,
    }
    actions = [{"label": "x" * 255, "url": "/"}] * 10
    made = await change(admin, CREATE, input=longest | {"actions": actions})
    assert made.items() >= (longest | {"actions": actions}).items()


async def test_a_patch_keeps_what_it_leaves_out(admin: Api.User, vault: Vault) -> None:
    """Each field alone changes alone; null clears group and method, and nothing else."""
    expected = await change(admin, CREATE, input=MINE)
    id = expected["id"]
    patches: list[dict[str, Any]] = [
        {"name": "New"},
        {"group": "G"},
        {"method": "SLACK"},
        {"titleTemplate": "T"},
        {"bodyTemplate": ""},
        {"actions": [{"label": "x", "url": "/"}]},
        {"enabledByDefault": False},
        {"group": None},
        {"method": None},
        {"actions": []},
        {"name": "Last", "bodyTemplate": "{{ b }}"},
    ]
    for patch in patches:
        expected |= patch
        assert await change(admin, UPDATE, id=id, input=patch) == expected
    before = await stored(vault, admin)
    kept = ("name", "titleTemplate", "bodyTemplate", "actions", "enabledByDefault")
    for nothing in ({}, dict.fromkeys(kept)):
        assert await change(admin, UPDATE, id=id, input=nothing) == expected
    assert await stored(vault, admin) == before


async def test_a_wrong_patch_changes_nothing(admin: Api.User, vault: Vault) -> None:
    """A good name beside a bad body is not stored."""
    id = (await change(admin, CREATE, input=MINE))["id"]
    before = await stored(vault, admin)
    assert await fields(admin, UPDATE, id=id, input={"name": "Good", "bodyTemplate": "{% x %}"}) == [
        ("bodyTemplate", "line 1: Encountered unknown tag 'x'.")
    ]
    assert await stored(vault, admin) == before


@pytest.mark.parametrize("known", [False, True])
async def test_the_shipped_ones_are_read_only(admin: Api.User, vault: Vault, *, known: bool) -> None:
    """FORBIDDEN, in a tenant that is new as in one that is known; nothing changes."""
    if known:
        await admin.receive("a row makes the tenant known")
    before = await stored(vault, admin)
    for id in (str(it.id) for it in SYSTEM_TEMPLATES):
        for document, more in ((UPDATE, {"input": {"name": "Mine now"}}), (REMOVE, {})):
            error = await admin.refusal(document, id=id, **more)
            assert error["message"] == "Templates of the kind SYSTEM are read-only."
            assert error["extensions"] == {"code": "FORBIDDEN"}
    assert await stored(vault, admin) == before


async def test_a_deleted_template(admin: Api.User, ada: Api.User, rival: Api.User) -> None:
    """Preferences of every user about it go with it; notifications made from it stay, without it."""
    gone, kept = [(await change(admin, CREATE, input=MINE))["id"] for _ in range(2)]
    for template in (gone, kept):
        for user in (ada, admin):
            await add_preference(user, template_id=UUID(template), enabled=False)
            await user.receive("made from it", template_id=UUID(template))
    assert (await admin.data(REMOVE, id=gone))["deleteTemplate"] == gone
    assert [it["id"] for it in await listed(ada, kind="CUSTOM")] == [kept]
    for user in (ada, admin):
        found = await user.data(
            "{ preferences { template { id } } notifications { nodes { template { id } } } }"
        )
        assert found["preferences"] == [{"template": {"id": kept}}]
        assert found["notifications"]["nodes"] == [{"template": {"id": kept}}, {"template": None}]
    assert await listed(rival) == await listed(rival, kind="SYSTEM")
    assert (await admin.refusal(REMOVE, id=gone))["extensions"] == {"code": "NOT_FOUND"}


async def test_a_hundred_and_no_more(admin: Api.User, rival: Api.User, vault: Vault) -> None:
    """Of 105 that are made at once 100 are stored; another tenant has its own hundred."""
    answers = await asyncio.gather(*(admin.ask(CREATE, input=MINE) for _ in range(105)))
    refused = [answer.errors[0]["message"] for answer in answers if answer.errors]
    assert refused == ["input: the tenant has 100 templates, the most there may be."] * 5
    found = await vault.fetch("select * from tocsin.template where kind = 'CUSTOM'", admin.tenant)
    assert len(found) == 100
    await change(rival, CREATE, input=MINE)
    await admin.data(REMOVE, id=str(found[0]["id"]))
    await change(admin, CREATE, input=MINE)


@pytest.mark.parametrize("document", [UPDATE, REMOVE])
@pytest.mark.parametrize("patch", [{}, {"name": ""}, {"bodyTemplate": "{{"}])
async def test_a_foreign_template_is_an_absent_one(
    admin: Api.User, rival: Api.User, vault: Vault, document: str, patch: dict[str, Any]
) -> None:
    """Byte for byte, whatever is asked of it; and it stays as it is."""
    id = (await change(admin, CREATE, input=MINE))["id"]
    before = await stored(vault, admin)
    more = {"input": patch} if document == UPDATE else {}
    answers = [await rival.ask(document, id=it, **more) for it in (id, str(uuid4()), "nonsense", "")]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].codes == ["NOT_FOUND"]
    assert await stored(vault, admin) == before


@pytest.mark.parametrize("document", [CREATE, UPDATE, REMOVE])
async def test_admins_only(
    ada: Api.User, admin: Api.User, agent: Api.User, nobody: Nobody, vault: Vault, document: str
) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, before anything is looked at."""
    id = (await change(admin, CREATE, input=MINE))["id"]
    before = await stored(vault, admin)
    variables: dict[str, Any] = {
        CREATE: {"input": MINE | {"name": ""}},
        UPDATE: {"id": id, "input": {"name": "Theirs"}},
        REMOVE: {"id": id},
    }[document]
    for user in (ada, agent):
        assert (await user.refusal(document, **variables))["extensions"] == {"code": "FORBIDDEN"}
    assert (await nobody.ask(document, **variables)).codes == ["UNAUTHENTICATED"]
    assert (await nobody.ask(LIST)).codes == ["UNAUTHENTICATED"]
    assert await stored(vault, admin) == before
