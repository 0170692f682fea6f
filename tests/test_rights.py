"""Each root field lets in whom its description names: driven by the schema, so a new one is called here too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path as File
from typing import Any

import asyncpg
import orjson
import pytest

from db.tables import metadata
from resolvers.principal import Role
from tests.rights import Call, RootField, page, roles_in, root_fields
from tests.support import Api, Urls

FIELDS = root_fields()
Sql = Any


@pytest.fixture(scope="module")
async def sql(urls: Urls) -> AsyncIterator[Sql]:
    """Connect as superuser, past row level security."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()


# -- what is declared --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("description", "roles"),
    [
        ("Admins.", {Role.ADMIN}),
        ("Shown once. Admins.", {Role.ADMIN}),
        ("Users and admins.", {Role.USER, Role.ADMIN}),
        ("Who? Others need the admin role. Agents and admins.", {Role.AGENT, Role.ADMIN}),
        ("Users, admins and agents.", {Role.USER, Role.ADMIN, Role.AGENT}),
    ],
)
def test_reading_who_may_call(description: str, roles: set[Role]) -> None:
    """The last sentence names the callers."""
    assert roles_in(description) == roles


@pytest.mark.parametrize(
    "description", [None, "", "A list.", "Admins. A list.", "Only for admins.", "Robots."]
)
def test_a_field_that_does_not_say_is_an_error(description: str | None) -> None:
    """A description that ends otherwise declares nothing."""
    with pytest.raises(ValueError, match="does not end with who may call it"):
        roles_in(description)


def test_the_table_in_the_manual_is_the_schemas(repository: File) -> None:
    """docs/rights.md is what `make docs/rights.md` prints."""
    assert (repository / "docs/rights.md").read_text() == page()


# -- who is let in -----------------------------------------------------------------------------------------


async def _ask(api: Api, token: str | None, field: RootField, call: Call, patience: float = 0.5) -> bytes:
    """Return the answer, of a subscription its first event (nothing if none comes in time)."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"query": call.document, "variables": call.variables}
    if field.type != "Subscription":
        return (await api.http.post("/graphql", json=body, headers=headers)).content
    events = {"Accept": "text/event-stream", **headers}
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(patience),
            api.http.stream("POST", "/graphql", json=body, headers=events) as answer,
        ):
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    return line.removeprefix("data: ").encode()
    return b"{}"


def _codes(answer: bytes) -> list[str]:
    return [error["extensions"]["code"] for error in orjson.loads(answer).get("errors", ())]


async def _everything(sql: Sql, *tenants: str) -> list[Any]:
    """Return a digest of each table's rows of these tenants."""
    digest = (
        "select md5(string_agg(t::text, '|' order by t::text)) from tocsin.{} t where tenant_id = any($1)"
    )
    kept = [table.name for table in metadata.sorted_tables if "tenant_id" in table.c]
    return [await sql.fetchval(digest.format(table), tenants) for table in kept]


@pytest.mark.parametrize("field", FIELDS, ids=str)
async def test_who_is_let_in(
    field: RootField,
    api: Api,
    sql: Sql,
    ada: Api.User,
    admin: Api.User,
    agent: Api.User,
    stranger: Api.User,
) -> None:
    """Exactly the callers that the field names are not refused; a refused call changes nothing."""
    callers = {
        ada: {Role.USER},
        stranger: {Role.USER},
        admin: {Role.USER, Role.ADMIN},
        agent: {Role.AGENT},
    }
    for user in (ada, admin, stranger):
        await user.receive("one")
    call = field.call(field.required)
    refused = [caller for caller, roles in callers.items() if field.roles.isdisjoint(roles)]
    before = await _everything(sql, ada.tenant, stranger.tenant)
    assert _codes(await _ask(api, None, field, call, 5)) == ["UNAUTHENTICATED"]
    for caller in refused:
        assert _codes(await _ask(api, caller.token, field, call, 5)) == ["FORBIDDEN"], caller.id
    assert await _everything(sql, ada.tenant, stranger.tenant) == before
    for caller in callers.keys() - set(refused):
        codes = _codes(await _ask(api, caller.token, field, call))
        assert {"FORBIDDEN", "UNAUTHENTICATED", "INTERNAL", "GRAPHQL_VALIDATION_FAILED"}.isdisjoint(codes), (
            caller.id,
            codes,
        )
