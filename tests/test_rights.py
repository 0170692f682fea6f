"""Each root field lets in whom its description names, and nobody learns of what is not theirs.

Driven by the schema: a field, an argument or an input that somebody adds is called here without a new line.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from db.tables import metadata
from resolvers.principal import Role
from tests.rights import Call, Path, RootField, page, roles_in, root_fields
from tests.support import Api, Urls

FIELDS = root_fields()
IDS = [(field, path) for field in FIELDS for path in field.id_paths()]
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


# -- ids that are not the caller's -------------------------------------------------------------------------

_SEEDS = {
    "recipient": "insert into tocsin.recipient (tenant_id, id) values ($1, $2::uuid::text)",
    "template": (
        "insert into tocsin.template (tenant_id, id, name, title_template, body_template) "
        "values ($1, $2, 'A template', 'Hello', 'World')"
    ),
    "channel": "insert into tocsin.channel (tenant_id, id, kind, name) values ($1, $2, 'IN_APP', 'A way')",
    "notification": (
        "insert into tocsin.notification (tenant_id, id, user_id, type, category, title, body, unread_seq) "
        "values ($1, $2, 'ada', 'build.done', 'build', 'A build', '', 1)"
    ),
    "mark": (
        "insert into tocsin.mark (tenant_id, id, user_id, after_seq, through_seq) "
        "values ($1, $2, 'ada', -1, 0)"
    ),
    "request": (
        "insert into tocsin.request (tenant_id, id, caller, status, recipient_ids, type, title) "
        "values ($1, $2, 'ada', 'DONE', array['ada'], 'build.done', 'A build')"
    ),
    "delivery": (
        "insert into tocsin.delivery (tenant_id, id, request_id, user_id, notification_id, channel_id) "
        "select $1, $2, (select id from tocsin.request where tenant_id = $1 limit 1), user_id, id, "
        "(select id from tocsin.channel where tenant_id = $1 limit 1) "
        "from tocsin.notification where tenant_id = $1 and user_id = 'ada' limit 1"
    ),
    "due": "insert into tocsin.due (tenant_id, id) values ($1, $2)",
    "preference": (
        "insert into tocsin.preference (tenant_id, id, user_id, category, enabled) "
        "values ($1, $2, 'ada', 'build', true)"
    ),
    "audit": "insert into tocsin.audit (tenant_id, id, admin, action) values ($1, $2, 'ada', 'notify')",
    "agent": (
        "insert into tocsin.agent (tenant_id, id, name, key_prefix, key_hash) "
        "values ($1, $2, 'An agent', $2::uuid::text, '')"
    ),
}


async def _twin(api: Api, sql: Sql) -> tuple[str, dict[str, str]]:
    """Make a tenant with one object of each kind, ada's where it is somebody's; return it and their ids."""
    tenant = f"twin-{uuid4().hex[:12]}"
    (neighbours,) = await api.user(tenant, "grace").receive("Grace's own")
    await api.user(tenant, "ada").receive("A build")
    ids = {kind: str(uuid4()) for kind in _SEEDS}
    for kind, id in ids.items():
        await sql.execute(_SEEDS[kind], tenant, id)
    return tenant, ids | {"neighbours": neighbours}


def test_there_is_a_seed_for_each_kind_of_object() -> None:
    """A table whose rows have ids of their own has one to try as a foreign id."""
    kinds = {table.name for table in metadata.tables.values() if {"tenant_id", "id"} <= set(table.c.keys())}
    assert _SEEDS.keys() == kinds


def _shown(answer: bytes, asked: str) -> str:
    """Return an answer without the id asked for and, if it is no refusal, without new ids and instants."""
    text = answer.decode().replace(asked, "ASKED")
    if _codes(answer):
        return text
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{32}\b", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "INSTANT", text)


@dataclass(frozen=True)
class Worlds:
    """Two tenants that are alike to ask in, and the ids of a third one's objects."""

    homes: tuple[str, str]
    neighbours: str
    foreign: dict[str, str]


@pytest.fixture
async def worlds(api: Api, sql: Sql) -> Worlds:
    """Make the tenants: both homes are asked the same, so what calls leave behind is in both."""
    (one, ids), (two, _ids), (_away, foreign) = [await _twin(api, sql) for _ in range(3)]
    del foreign["neighbours"]
    return Worlds((one, two), ids["neighbours"], foreign)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    ("field", "path"), IDS, ids=[f"{field}-{'.'.join(map(str, path))}" for field, path in IDS]
)
async def test_a_foreign_id_is_an_absent_one(
    api: Api, worlds: Worlds, field: RootField, path: Path, role: Role
) -> None:
    """Whatever a foreign object is, its id is answered like one that does not exist, whoever asks."""
    kinds = dict(worlds.foreign)
    if role is not Role.ADMIN:
        kinds["neighbours"] = worlds.neighbours
    pairs = [(id, str(uuid4())) for id in kinds.values()]
    tokens = [api.token(home, "ada", role) for home in worlds.homes]
    # Only events may be silent. Whatever else comes at once is waited for, however busy the machine is.
    patience = 1 if field.name == "inboxEvents" and role in field.roles else 10

    async def ask(ids: tuple[str, str]) -> list[bytes]:
        calls = [field.with_id(path, id) for id in ids]
        return [
            await _ask(api, token, field, call, patience) for token, call in zip(tokens, calls, strict=True)
        ]

    if field.type == "Subscription":
        found = await asyncio.gather(*map(ask, pairs))
    else:
        found = [await ask(ids) for ids in pairs]
    for kind, ids, answers in zip(kinds, pairs, found, strict=True):
        assert {"INTERNAL", "GRAPHQL_VALIDATION_FAILED"}.isdisjoint(_codes(answers[0])), kind
        foreign, absent = (_shown(answer, id) for answer, id in zip(answers, ids, strict=True))
        assert foreign == absent, kind


@pytest.mark.parametrize(
    "field", [it for it in FIELDS if it.type == "Query" and "id" in it.field.args], ids=str
)
async def test_an_own_id_is_found(api: Api, sql: Sql, field: RootField) -> None:
    """The same calls find what is the caller's, so what is compared above is no failure of another kind."""
    home, ids = await _twin(api, sql)
    token = api.token(home, "ada", Role.ADMIN)
    answers = [await _ask(api, token, field, field.with_id(("id",), id)) for id in ids.values()]
    assert sum(_codes(answer) == [] for answer in answers) == 1


async def test_a_notify_of_an_own_template_is_done(api: Api, sql: Sql) -> None:
    """What inputs want beside what their types say is in these calls too."""
    home, ids = await _twin(api, sql)
    (notify,) = [field for field in FIELDS if field.name == "notify"]
    call = notify.with_id(("input", "template"), ids["template"])
    assert _codes(await _ask(api, api.token(home, "ada", Role.ADMIN), notify, call)) == []
