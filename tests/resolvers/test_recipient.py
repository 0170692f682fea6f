"""The directory: who may write it, what a patch keeps and clears, all or nothing."""

import asyncio
from typing import Any

import asyncpg
import pytest

from resolvers.principal import Role
from resolvers.recipient import is_email
from tests.machines import machine
from tests.support import Api, Urls

UPSERT = "mutation($r: [RecipientInput!]!) { upsertRecipients(recipients: $r) { id email name timezone } }"


async def rows(urls: Urls, tenant: str) -> list[dict[str, Any]]:
    """Return the tenant's directory as it is stored, by id."""
    connection = await asyncpg.connect(urls.superuser)
    found = await connection.fetch(
        "select id, email, name, timezone from tocsin.recipient where tenant_id = $1 order by id", tenant
    )
    await connection.close()
    return [dict(row) for row in found]


def person(id: str, email: str | None = None, name: str | None = None, zone: str | None = None) -> Any:
    """Return a recipient with every field."""
    return {"id": id, "email": email, "name": name, "timezone": zone}


async def test_they_come_back_in_the_order_given(admin: Api.User, urls: Urls) -> None:
    """New and known people are answered in the order of the input, stored once each."""
    await admin.data(UPSERT, r=[{"id": "b", "name": "Bea"}])
    given = [person("c", "c@x.org", "Cy", "Europe/Paris"), person("b", "b@x.org"), person("a", name="Al")]
    assert (await admin.data(UPSERT, r=given))["upsertRecipients"] == given
    assert await rows(urls, admin.tenant) == given[::-1]


async def test_omitted_keeps_and_null_clears(admin: Api.User) -> None:
    """Each field of each patch is decided by itself."""
    await admin.data(UPSERT, r=[person(id, f"{id}@x.org", id.upper(), "Asia/Tokyo") for id in "abc"])
    patches = [
        {"id": "c"},
        {"id": "a", "email": None, "timezone": "Europe/Oslo"},
        {"id": "b", "name": None, "timezone": None},
        {"id": "d", "name": "New"},
    ]
    assert (await admin.data(UPSERT, r=patches))["upsertRecipients"] == [
        person("c", "c@x.org", "C", "Asia/Tokyo"),
        person("a", None, "A", "Europe/Oslo"),
        person("b", "b@x.org"),
        person("d", None, "New"),
    ]


@pytest.mark.parametrize(
    ("patches", "fields"),
    [
        ([{"id": "ok"}, {"id": ""}], ["recipients.1.id"]),
        ([{"id": "n" * 256}], ["recipients.0.id"]),
        ([{"id": "ok"}, {"id": "b"}, {"id": "ok"}], ["recipients.2.id"]),
        (
            [{"id": "ok", "email": "no"}, {"id": "b", "name": "n" * 256}],
            ["recipients.0.email", "recipients.1.name"],
        ),
        ([{"id": "ok", "name": "", "email": ""}], ["recipients.0.name", "recipients.0.email"]),
    ],
    ids=["empty id", "long id", "twice", "several", "empty texts"],
)
async def test_one_wrong_field_stores_nobody(
    admin: Api.User, urls: Urls, patches: list[Any], fields: list[str]
) -> None:
    """Each wrong field is named, and nothing is stored."""
    error = await admin.refusal(UPSERT, r=patches)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [it["field"] for it in error["extensions"]["fields"]] == fields
    assert await rows(urls, admin.tenant) == []


async def test_an_unknown_zone_stores_nobody(admin: Api.User, urls: Urls) -> None:
    """A time zone that does not exist is INVALID_TIMEZONE."""
    error = await admin.refusal(UPSERT, r=[{"id": "a"}, {"id": "b", "timezone": "Mars/Olympus"}])
    assert error["extensions"]["code"] == "INVALID_TIMEZONE"
    assert await rows(urls, admin.tenant) == []


@pytest.mark.parametrize("count", [0, 1_001])
async def test_how_many_has_limits(admin: Api.User, urls: Urls, count: int) -> None:
    """None and 1,001 are out of range."""
    error = await admin.refusal(UPSERT, r=[{"id": f"u{number}"} for number in range(count)])
    assert error["extensions"] == {
        "code": "LIMIT_OUT_OF_RANGE",
        "argument": "recipients",
        "min": 1,
        "max": 1_000,
    }
    assert await rows(urls, admin.tenant) == []


async def test_a_thousand_are_stored(admin: Api.User, urls: Urls) -> None:
    """The most that one call takes."""
    given = [person(f"u{number}", f"u{number}@x.org") for number in range(1_000)]
    assert (await admin.data(UPSERT, r=given))["upsertRecipients"] == given
    assert len(await rows(urls, admin.tenant)) == 1_000


async def test_who_may(api: Api, admin: Api.User, ada: Api.User, agent: Api.User, urls: Urls) -> None:
    """Admins, agents' tokens and agents' keys may; a user gets FORBIDDEN, nobody UNAUTHENTICATED."""
    for caller, id in ((agent, "a"), (await machine(admin), "b"), (admin, "c")):
        assert await caller.data(UPSERT, r=[{"id": id}]) == {"upsertRecipients": [person(id)]}
    assert (await ada.ask(UPSERT, r=[{"id": "d"}])).codes == ["FORBIDDEN"]
    assert (await api.post(UPSERT, r=[{"id": "d"}])).codes == ["UNAUTHENTICATED"]
    assert [row["id"] for row in await rows(urls, admin.tenant)] == ["a", "b", "c"]


async def test_another_tenants_namesake_stays(
    api: Api, admin: Api.User, stranger: Api.User, urls: Urls
) -> None:
    """The same id in another tenant is another person."""
    foreign = api.user(stranger.tenant, "root", Role.ADMIN)
    await foreign.data(UPSERT, r=[person("ada", "ada@other.org", "Ada")])
    assert (await admin.data(UPSERT, r=[{"id": "ada"}]))["upsertRecipients"] == [person("ada")]
    assert await rows(urls, stranger.tenant) == [person("ada", "ada@other.org", "Ada")]


async def test_upserts_of_the_same_people_never_wait_in_a_circle(admin: Api.User) -> None:
    """Eight upserts of the same hundred, in opposite orders, all succeed."""
    people = [person(f"u{number}", f"u{number}@x.org") for number in range(100)]
    given = [people[:: 1 if turn % 2 else -1] for turn in range(8)]
    answers = await asyncio.gather(*(admin.data(UPSERT, r=it) for it in given))
    assert [answer["upsertRecipients"] for answer in answers] == given


@pytest.mark.parametrize(
    "text", ["a@b", "a.b+c@x.example.org", "Ада@пример.рф", "o'hara@x.org", "a" * 64 + "@x.org"]
)
def test_possible_addresses(text: str) -> None:
    """What could be an address is let in."""
    assert is_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@x.org",
        "a@",
        "a@b@c",
        "a b@x.org",
        "a@x org",
        "a@x.org\nBcc: b@x.org",
        "a@x.org\n",
        "a@x.org\u2028",
        "A <a@x.org>",
        "a@x.org, b@x.org",
        ".a@x.org",
        "a.@x.org",
        "a@.org",
        "a@x.",
        "a@-x",
        "a" * 65 + "@x.org",
        "a@" + "x" * 300,
    ],
)
def test_impossible_addresses(text: str) -> None:
    """What surely is no address, or would be several, is not."""
    assert not is_email(text)
