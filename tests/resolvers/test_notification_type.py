"""Notification types: what an upsert sets, keeps and resets, and who may read and write them."""

from typing import Any

import pytest

from resolvers.principal import Role
from tests.machines import TYPES, machine
from tests.support import Api

FIELDS = "name category icon enabledByDefault required"
UPSERT = f"mutation($t: [NotificationTypeInput!]!) {{ upsertNotificationTypes(types: $t) {{ {FIELDS} }} }}"


def kind(
    name: str, category: str, icon: str = "bell", *, default: bool = True, required: bool = False
) -> dict[str, Any]:
    """Return a type with every field."""
    return {
        "name": name,
        "category": category,
        "icon": icon,
        "enabledByDefault": default,
        "required": required,
    }


async def types(caller: Api.User) -> list[Any]:
    """Return the types as a caller sees them."""
    found: list[Any] = (await caller.data(TYPES))["notificationTypes"]
    return found


async def test_new_types_have_defaults(admin: Api.User) -> None:
    """What is omitted of a new type has its default; answers keep the order given, lists are by name."""
    given = [
        {"name": "issue.digest"},
        kind("bill", "money", "coin", default=False, required=True),
        {"name": "*.a"},
    ]
    expected = [kind("issue.digest", "issue"), given[1], kind("*.a", "general")]
    assert (await admin.data(UPSERT, t=given))["upsertNotificationTypes"] == expected
    assert await types(admin) == [expected[2], expected[1], expected[0]]


async def test_omitted_keeps_and_null_resets(admin: Api.User) -> None:
    """Each field of each patch is decided by itself."""
    whole = [kind(f"{name}.x", "money", "coin", default=False, required=True) for name in "abc"]
    await admin.data(UPSERT, t=whole)
    patches = [
        {"name": "c.x", "category": None, "icon": None, "enabledByDefault": None, "required": None},
        {"name": "a.x"},
        {"name": "b.x", "icon": "star", "required": None},
    ]
    assert (await admin.data(UPSERT, t=patches))["upsertNotificationTypes"] == [
        kind("c.x", "c"),
        whole[0],
        kind("b.x", "money", "star", default=False),
    ]


async def test_a_type_is_known_from_its_first_notification(admin: Api.User, ada: Api.User) -> None:
    """A category set later counts for what comes, and leaves what is stored as it was."""
    await ada.receive("one", type="build.done", category="build")
    assert await types(ada) == [kind("build.done", "build")]
    await admin.data(UPSERT, t=[{"name": "build.done", "category": "ci", "icon": "hammer"}])
    found = await ada.data("{ notifications { nodes { category } } stats { byCategory { key total } } }")
    assert found["notifications"]["nodes"] == [{"category": "build"}]
    assert found["stats"]["byCategory"] == [{"key": "build", "total": 1}]
    assert await types(ada) == [kind("build.done", "ci", "hammer")]


@pytest.mark.parametrize(
    ("patches", "fields"),
    [
        ([{"name": "ok"}, {"name": ""}], ["types.1.name"]),
        ([{"name": "n" * 256}], ["types.0.name"]),
        ([{"name": "a"}, {"name": "a"}], ["types.1.name"]),
        ([{"name": "a", "category": "", "icon": "i" * 256}], ["types.0.category", "types.0.icon"]),
        ([{"name": "a", "category": "*"}], ["types.0.category"]),
    ],
    ids=["empty", "long", "twice", "several", "all categories"],
)
async def test_one_wrong_field_stores_nothing(admin: Api.User, patches: list[Any], fields: list[str]) -> None:
    """Each wrong field is named, and nothing is stored."""
    error = await admin.refusal(UPSERT, t=patches)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [it["field"] for it in error["extensions"]["fields"]] == fields
    assert await types(admin) == []


@pytest.mark.parametrize("count", [0, 201])
async def test_how_many_has_limits(admin: Api.User, count: int) -> None:
    """None and 201 are out of range."""
    error = await admin.refusal(UPSERT, t=[{"name": f"t{number}"} for number in range(count)])
    assert error["extensions"] == {"code": "LIMIT_OUT_OF_RANGE", "argument": "types", "min": 1, "max": 200}
    assert await types(admin) == []


async def test_two_hundred_are_stored(admin: Api.User) -> None:
    """The most that one call takes."""
    await admin.data(UPSERT, t=[{"name": f"t{number}"} for number in range(200)])
    assert len(await types(admin)) == 200


async def test_who_may_read(
    api: Api, admin: Api.User, ada: Api.User, agent: Api.User, stranger: Api.User
) -> None:
    """Users, admins and agents see their tenant's types, another tenant none of them, nobody nothing."""
    await admin.data(UPSERT, t=[{"name": "a"}])
    for caller in (admin, ada, agent, await machine(admin)):
        assert await types(caller) == [kind("a", "a")]
    assert await types(stranger) == []
    assert (await api.post(TYPES)).codes == ["UNAUTHENTICATED"]


async def test_another_tenants_type_stays(api: Api, admin: Api.User, stranger: Api.User) -> None:
    """The same name in another tenant is another type."""
    foreign = api.user(stranger.tenant, "root", Role.ADMIN)
    await foreign.data(UPSERT, t=[kind("a", "money", "coin")])
    assert (await admin.data(UPSERT, t=[{"name": "a"}]))["upsertNotificationTypes"] == [kind("a", "a")]
    assert await types(stranger) == [kind("a", "money", "coin")]
