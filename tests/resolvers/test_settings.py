"""What a tenant has set."""

import asyncio
from typing import Any

import pytest

from tests.resolvers.support import Nobody, Vault
from tests.support import Api

FIELDS = "{ notifierPaused retentionDays inboxDays }"
GET = f"{{ settings {FIELDS} }}"
UPDATE = (
    f"mutation($input: SettingsPatch!) {{ updateSettings(input: $input) {{ changed settings {FIELDS} }} }}"
)
DEFAULTS = {"notifierPaused": False, "retentionDays": 90, "inboxDays": None}


async def update(user: Api.User, **input: Any) -> Any:
    """Change settings and return the payload."""
    return (await user.data(UPDATE, input=input))["updateSettings"]


async def test_the_defaults(ada: Api.User, admin: Api.User, agent: Api.User, vault: Vault) -> None:
    """A tenant that set nothing has them, for everybody, and no row."""
    for user in (ada, admin, agent):
        assert (await user.data(GET))["settings"] == DEFAULTS
    assert (await vault.of(ada.tenant))["settings"] == []


async def test_each_alone(ada: Api.User, admin: Api.User) -> None:
    """What is left out stays; null clears inboxDays alone."""
    expected: dict[str, Any] = dict(DEFAULTS)
    patches: list[dict[str, Any]] = [
        {"notifierPaused": True},
        {"retentionDays": 1},
        {"inboxDays": 3_650},
        {"retentionDays": 3_650, "inboxDays": 1},
        {"inboxDays": None, "retentionDays": None, "notifierPaused": None},
        {"notifierPaused": False},
    ]
    for patch in patches:
        expected |= {name: it for name, it in patch.items() if it is not None or name == "inboxDays"}
        assert await update(admin, **patch) == {"changed": True, "settings": expected}
        assert (await ada.data(GET))["settings"] == expected


async def test_what_does_not_differ_is_not_written(admin: Api.User, vault: Vault) -> None:
    """In a tenant without settings, and in one with: changed is false, and no row moves."""
    same: list[dict[str, Any]] = [{}, DEFAULTS, {"notifierPaused": None}, {"inboxDays": None}]
    for patch in same:
        assert await update(admin, **patch) == {"changed": False, "settings": DEFAULTS}
    assert (await vault.of(admin.tenant))["settings"] == []
    await update(admin, retentionDays=7)
    before = await vault.fetch("select *, xmin::text from tocsin.settings", admin.tenant)
    for patch in ({}, {"retentionDays": 7}, {"notifierPaused": False, "inboxDays": None}):
        assert (await update(admin, **patch))["changed"] is False
    assert await vault.fetch("select *, xmin::text from tocsin.settings", admin.tenant) == before


async def test_of_equal_changes_at_once_one_is_a_change(admin: Api.User) -> None:
    """Admins who do the same at the same time take turns; different fields do not undo each other."""
    patches: list[dict[str, Any]] = [{"notifierPaused": True}, {"retentionDays": 5}, {"inboxDays": 6}]
    payloads = await asyncio.gather(*(update(admin, **patch) for patch in patches * 6))
    assert sum(payload["changed"] for payload in payloads) == 3
    after = {"notifierPaused": True, "retentionDays": 5, "inboxDays": 6}
    assert (await admin.data(GET))["settings"] == after


@pytest.mark.parametrize("days", [0, -1, 3_651, 2**31 - 1])
async def test_days_out_of_range(admin: Api.User, vault: Vault, days: int) -> None:
    """1 to 3,650, both listed if both are wrong; nothing beside them is stored."""
    for input, fields in (
        ({"retentionDays": days, "notifierPaused": True}, ["retentionDays"]),
        ({"inboxDays": days}, ["inboxDays"]),
        ({"inboxDays": days, "retentionDays": days}, ["retentionDays", "inboxDays"]),
    ):
        error = await admin.refusal(UPDATE, input=input)
        assert error["extensions"] == {
            "code": "BAD_USER_INPUT",
            "fields": [{"field": field, "detail": "must be from 1 to 3,650."} for field in fields],
        }
    assert (await vault.of(admin.tenant))["settings"] == []


async def test_admins_change_them(ada: Api.User, agent: Api.User, nobody: Nobody, vault: Vault) -> None:
    """Users and agents are FORBIDDEN, nobody is UNAUTHENTICATED, and nothing is stored."""
    for user in (ada, agent):
        error = await user.refusal(UPDATE, input={"notifierPaused": True})
        assert error["extensions"] == {"code": "FORBIDDEN"}
    for document in (GET, UPDATE):
        answer = await nobody.ask(document, **({"input": {}} if document == UPDATE else {}))
        assert answer.codes == ["UNAUTHENTICATED"]
    assert (await vault.of(ada.tenant))["settings"] == []


async def test_each_tenant_has_its_own(admin: Api.User, rival: Api.User) -> None:
    """What one tenant sets, another neither sees nor overwrites."""
    await update(admin, retentionDays=7)
    assert (await rival.data(GET))["settings"] == DEFAULTS
    await update(rival, retentionDays=8)
    assert (await admin.data(GET))["settings"] == DEFAULTS | {"retentionDays": 7}
