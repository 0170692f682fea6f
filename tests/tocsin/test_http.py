"""The endpoint over real connections: who is asking, with which context, what never leaves."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import strawberry
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from resolvers.principal import Principal
from tests.conformance.client import EVENTS, NEWER, PLAIN, RICH, Site, problem, site
from tests.conformance.server import Operation, Query, Tokens, make_app
from tocsin.connection import seconds_left
from tocsin.http import GraphQLEndpoint
from tocsin.settings import Settings

ALICE = {"Authorization": "Bearer alice"}


@pytest.fixture(scope="session")
async def plain() -> AsyncIterator[Site]:
    """Serve with tight limits and nothing optional."""
    async with site(PLAIN) as running:
        yield running


@pytest.fixture(scope="session")
async def rich(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Serve with a page, a cookie and another allowed origin."""
    page = tmp_path_factory.mktemp("page") / "index.html"
    page.write_text("<h1>IDE</h1>")
    async with site(RICH, ide=page, ide_policy="default-src 'none'") as running:
        yield running


# --- One context for each operation


async def test_each_http_operation_has_its_own_context(plain: Site) -> None:
    """Queries, mutations and streams, each by its own request, never share what resolvers see."""
    answers = [
        (await plain.post("{ serial node { serial } }")).json()["data"],
        (await plain.post("mutation { serial }")).json()["data"],
        (await plain.events("{ serial }"))[0]["data"],
        (await plain.events("subscription { ticks }"))[0]["data"],
    ]
    assert answers[0]["serial"] == answers[0]["node"]["serial"]
    assert len({next(iter(answer.values())) for answer in answers}) == 4


async def test_each_operation_of_a_socket_has_its_own_context(plain: Site) -> None:
    """Two subscriptions that run at the same time, a query and a mutation see four contexts."""
    async with plain.socket() as wire:
        await wire.subscribe("a", "subscription { forever }")
        await wire.subscribe("b", "subscription { forever }")
        serials = {(await wire.hear())["payload"]["data"]["forever"] for _ in "ab"}
        serials |= {
            (await wire.run(f"{kind} {{ serial }}"))[0][1]["data"]["serial"] for kind in ("query", "mutation")
        }
    assert len(serials) == 4


async def test_one_subscription_keeps_its_context(plain: Site) -> None:
    """All events of a subscription are made with the same context."""
    async with plain.socket() as wire:
        *events, end = await wire.run("subscription { ticks(until: 3) }")
    assert len(events) == 3
    assert len({event[1]["data"]["ticks"] for event in events}) == 1
    assert end == ("complete", None)


async def test_a_schema_without_the_scope_is_refused() -> None:
    """An endpoint over a schema that would leak errors and share contexts cannot be made."""
    with pytest.raises(ValueError, match="OperationScope"):
        GraphQLEndpoint(strawberry.Schema(Query), Settings(), authenticate=Tokens(), new_operation=Operation)


# --- Who is asking


async def test_nobody_may_ask_what_needs_nobody(plain: Site) -> None:
    """Without a token nobody is authenticated and the operation runs."""
    plain.tokens.asked.clear()
    assert (await plain.post("{ __typename me { user } }")).json() == {
        "data": {"__typename": "Query", "me": None}
    }
    assert plain.tokens.asked == []


async def test_a_bearer_token_and_tenant_in_headers(plain: Site) -> None:
    """The token and X-Tenant-Id reach authenticate, once."""
    plain.tokens.asked.clear()
    response = await plain.post("{ me { user tenant } }", ALICE | {"X-Tenant-Id": "globex"})
    assert response.json()["data"]["me"] == {"user": "alice", "tenant": "globex"}
    assert plain.tokens.asked == [("alice", "globex")]


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("Bearer bad", 401, "UNAUTHENTICATED"),
        ("Bearer", 401, "UNAUTHENTICATED"),
        ("Basic YTpi", 401, "UNAUTHENTICATED"),
        ("bearer foreign", 403, "FORBIDDEN"),
        ("Bearer many", 400, "TENANT_REQUIRED"),
        ("Bearer broken", 500, "INTERNAL"),
        ("Bearer away", 503, "UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("media", ["application/json", "application/graphql-response+json"])
async def test_a_refused_token(plain: Site, header: str, status: int, code: str, media: str) -> None:
    """A refusal has its status, GraphQL's shape, the negotiated media type and, on 401, a challenge."""
    response = await plain.post("{ me { user } }", {"Authorization": header, "Accept": media})
    assert problem(response) == (status, code)
    assert list(response.json()) == ["errors"]
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    assert response.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


async def test_a_cookie_counts_with_a_json_post(rich: Site) -> None:
    """The cookie authenticates a JSON POST, and a header goes before it."""
    cookie = {"Cookie": "session=bob"}
    assert (await rich.post("{ me { user } }", cookie)).json()["data"]["me"] == {"user": "bob"}
    assert (await rich.post("{ me { user } }", cookie | ALICE)).json()["data"]["me"] == {"user": "alice"}


async def test_a_cookie_counts_with_nothing_else(rich: Site) -> None:
    """What a foreign page could send without asking is refused when a cookie comes with it."""
    cookie = {"Cookie": "session=bob"}
    form = await rich.client.post("/graphql", data={"query": "{ __typename }"}, headers=cookie)
    text = await rich.client.post("/graphql", content="{}", headers=cookie | {"Content-Type": "text/plain"})
    stream = await rich.get("subscription { ticks }", cookie | EVENTS)
    refusals = [await rich.get("{ __typename }", cookie), form, text, stream]
    assert [problem(response) for response in refusals] == [(403, "FORBIDDEN")] * 4


async def test_a_cookie_without_the_setting_is_not_read(plain: Site) -> None:
    """Cookies mean nothing unless the settings name one."""
    response = await plain.get("{ me { user } }", {"Cookie": "session=bob"})
    assert response.json() == {"data": {"me": None}}


# --- Who is asking, on a socket


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": "Bearer alice", "tenantId": "globex"},
        {"Authorization": "Bearer alice", "X-Tenant-Id": "globex"},
    ],
)
async def test_a_socket_says_who_it_is_in_its_first_message(plain: Site, payload: Any) -> None:
    """The payload of connection_init carries token and tenant, also under GraphiQL's names; asked once."""
    plain.tokens.asked.clear()
    async with plain.socket(payload) as wire:
        for _ in range(2):
            assert (await wire.run("{ me { user tenant } }"))[0] == (
                "next",
                {"data": {"me": {"user": "alice", "tenant": "globex"}}},
            )
    assert plain.tokens.asked == [("alice", "globex")]


async def test_a_socket_says_who_it_is_in_its_handshake(plain: Site) -> None:
    """Headers of the upgrade request count where the payload says nothing."""
    headers = ALICE | {"X-Tenant-Id": "globex"}
    async with plain.socket(additional_headers=headers) as wire:
        assert (await wire.run("{ me { user tenant } }"))[0][1]["data"]["me"] == {
            "user": "alice",
            "tenant": "globex",
        }
    async with plain.socket({"authorization": "Bearer carol"}, additional_headers=headers) as wire:
        assert (await wire.run("{ me { user tenant } }"))[0][1]["data"]["me"] == {
            "user": "carol",
            "tenant": "globex",
        }


@pytest.mark.parametrize(
    ("payload", "close"),
    [
        ({"authorization": "Bearer bad"}, (4401, "UNAUTHENTICATED")),
        ({"authorization": "alice"}, (4401, "UNAUTHENTICATED")),
        ({"authorization": "Bearer foreign"}, (4403, "FORBIDDEN")),
        ({"authorization": "Bearer many"}, (4403, "TENANT_REQUIRED")),
        ({"authorization": "Bearer broken"}, (4500, "INTERNAL")),
        ({"authorization": "Bearer away"}, (1013, "UNAVAILABLE")),
        ({"authorization": 1}, (4400, "BAD_USER_INPUT")),
        ({"tenantId": ["acme"]}, (4400, "BAD_USER_INPUT")),
        ("alice", (4400, "Invalid connection init payload")),
    ],
)
async def test_a_refused_socket_closes_with_a_code(plain: Site, payload: Any, close: tuple[int, str]) -> None:
    """A refusal is a close code of its own, with the error's code as the reason."""
    async with plain.socket(init=False) as wire:
        await wire.say(type="connection_init", payload=payload)
        assert await wire.closed() == close


@pytest.mark.parametrize(
    ("origin", "closed"),
    [(None, True), ("https://app.example", False), ("same", False)],
)
async def test_a_cookie_on_a_socket_needs_a_trusted_origin(
    rich: Site, origin: str | None, closed: bool
) -> None:
    """Browsers send the cookie from any page, so the page's origin has to be known."""
    known = f"http://{rich.address}" if origin == "same" else origin
    options = {"additional_headers": {"Cookie": "session=bob"}, "origin": known and Origin(known)}
    async with rich.socket(init=False, **options) as wire:
        await wire.say(type="connection_init")
        if closed:
            assert await wire.closed() == (4403, "FORBIDDEN")
        else:
            assert await wire.hear() == {"type": "connection_ack"}
            assert (await wire.run("{ me { user } }"))[0][1] == {"data": {"me": {"user": "bob"}}}


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_foreign_page_opens_no_socket(rich: Site, origin: str) -> None:
    """The handshake from an origin that is not allowed is answered with 403."""
    with pytest.raises(InvalidStatus) as refusal:
        async with rich.socket(origin=Origin(origin)):
            pass
    assert refusal.value.response.status_code == 403


async def test_a_socket_ends_with_its_token(plain: Site) -> None:
    """When the token expires the socket closes with 4401, whatever runs on it."""
    async with plain.socket({"authorization": "Bearer alice:0.3"}) as wire:
        await wire.subscribe("a", "subscription { forever }")
        assert (await wire.hear())["type"] == "next"
        assert await wire.closed() == (4401, "UNAUTHENTICATED")


async def test_a_stream_ends_with_its_token(plain: Site) -> None:
    """When the token expires an event stream says so and completes."""
    *_, last, end = await plain.events("subscription { forever }", {"Authorization": "Bearer alice:0.3"})
    assert last["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert end == "complete"


async def test_the_timer_of_a_socket_goes_with_it(plain: Site) -> None:
    """A closed socket leaves no task behind."""
    before = len(asyncio.all_tasks())
    async with plain.socket(ALICE) as wire:
        await wire.subscribe("a", "subscription { forever }")
        assert (await wire.hear())["type"] == "next"
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# --- Errors


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ \x07 }", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ echo(number: "x") }', "GRAPHQL_VALIDATION_FAILED"),
        ("{ " + "serial " * 501 + "}", "QUERY_TOO_COMPLEX"),
        ("{ node" * 3000, "QUERY_TOO_COMPLEX"),
        ("{ echo(json: [" + "1 " * 2500 + "]) }", "QUERY_TOO_COMPLEX"),
    ],
)
async def test_an_error_before_execution(plain: Site, query: str, code: str) -> None:
    """The code says what failed: 400 in the new media type, 200 in the old one, `error` on a socket."""
    newer, older = await plain.post(query, NEWER), await plain.post(query)
    assert [problem(newer), problem(older)] == [(400, code), (200, code)]
    assert newer.json() == older.json()
    assert list(newer.json()) == ["errors"]
    assert (await plain.events(query))[0] == newer.json()
    async with plain.socket() as wire:
        assert await wire.run(query) == [("error", newer.json()["errors"])]
        assert (await wire.run("{ __typename }"))[0] == ("next", {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("query($n: Int!) { echo(number: $n) }", {"variables": {"n": "x"}}),
        ("query($t: String) { echo(text: $t) }", {"variables": {"t": "\0"}}),
        ("query A { serial } query B { serial }", {}),
        ("query A { serial }", {"operationName": "B"}),
        ("subscription($n: Int!) { ticks(until: $n) }", {"variables": {"n": "x"}}),
    ],
)
async def test_bad_input_on_a_socket(plain: Site, query: str, parameters: Any) -> None:
    """Wrong variables and operation names end the operation with BAD_USER_INPUT, not the socket."""
    async with plain.socket() as wire:
        messages = await wire.run(query, **parameters)
        assert (
            messages[0][1][0]["extensions"]["code"] == "BAD_USER_INPUT"
            if messages[0][0] == "error"
            else (messages[0][1]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT")
        )
        assert (await wire.run("{ __typename }"))[0] == ("next", {"data": {"__typename": "Query"}})


async def test_a_null_for_a_non_null_argument_is_bad_input(plain: Site) -> None:
    """A null that only execution can find is the client's mistake, at the field's path."""
    error = (await plain.post("query($n: Int = 1) { echo(number: $n) }", variables={"n": None})).json()[
        "errors"
    ][0]
    assert (error["path"], error["extensions"]) == (["echo"], {"code": "BAD_USER_INPUT"})


async def test_expected_errors_pass(plain: Site) -> None:
    """A TocsinError keeps its message and extensions, beside the data that there is."""
    answer = (await plain.post("{ __typename refuse }")).json()
    assert answer["data"] == {"__typename": "Query", "refuse": None}
    assert answer["errors"][0] == {
        "message": "first: too many",
        "locations": [{"line": 1, "column": 14}],
        "path": ["refuse"],
        "extensions": {"code": "BAD_USER_INPUT", "fields": [{"field": "first", "detail": "too many"}]},
    }


@pytest.mark.parametrize(
    "query",
    [
        'query Named { a: fail(secret: "inl1ne") }',
        'query Named { failHard(secret: "inl1ne") }',
        "{ wrongType }",
        "{ coreError }",
        "subscription { breaks }",
        'subscription { fields { fail(secret: "inl1ne") } }',
    ],
)
async def test_unexpected_errors_are_masked(
    plain: Site, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody learns what broke; the log does, under the request's id and without the document."""
    named = {"X-Request-Id": "req-1"}
    answers = [json.dumps(await plain.events(query, named))]
    if not query.startswith("subscription"):
        answers.append((await plain.post(query, named)).text)
    async with plain.socket(additional_headers=named) as wire:
        answers.append(json.dumps(await wire.run(query)))
    for answer in answers:
        assert "s3cret" not in answer
        assert "MADE_UP" not in answer
        assert answer.count("Internal error.") == 1
        assert '"INTERNAL"' in answer
        assert '"req-1"' in answer
    logged = [record for record in caplog.records if record.name == "tocsin.errors"]
    assert len(logged) == len(answers)
    assert all("req-1" in record.getMessage() and record.exc_info for record in logged)
    assert "Traceback" in caplog.text
    assert query not in caplog.text
    assert "Named" not in caplog.text


async def test_the_log_has_no_document_and_no_variables(
    plain: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """What clients get wrong leaves no trace in the log."""
    caplog.set_level(logging.INFO)
    caplog.handler.setLevel(logging.INFO)
    for query in ("{ typo_s3cret }", "{ typo_s3cret", "{ serial refuse }"):
        await plain.post(query)
    await plain.post("query($n: Int!) { echo(number: $n) }", variables={"n": "s3cret"})
    async with plain.socket() as wire:
        await wire.run("{ typo_s3cret }")
    assert [record for record in caplog.records if not record.name.startswith("httpx")] == []


async def test_a_refusal_before_the_first_event(plain: Site) -> None:
    """A subscription that is refused at once ends with that error."""
    stream = (await plain.events("subscription { refuses }"))[0]["errors"][0]
    async with plain.socket() as wire:
        messages = await wire.run("subscription { refuses }")
    payload = messages[0][1]
    error = payload["errors"][0] if messages[0][0] == "next" else payload[0]
    assert stream["extensions"] == error["extensions"] == {"code": "FORBIDDEN"}


# --- Around the endpoint


@pytest.mark.parametrize(
    ("given", "kept"), [("abc_DEF-1", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("", False)]
)
async def test_every_answer_names_its_request(plain: Site, given: str, kept: bool) -> None:
    """X-Request-Id is kept if it is harmless, and made otherwise, for refusals too."""
    headers = {"X-Request-Id": given}
    answers = [
        await plain.post("{ __typename }", headers),
        await plain.post("{ fail }", headers),
        await plain.client.get("/elsewhere", headers=headers),
        await plain.client.post("/graphql", content=b" " * 20_001, headers=headers),
    ]
    async with plain.socket(additional_headers=headers) as wire:
        assert wire.socket.response
        names = {answer.headers["x-request-id"] for answer in answers} | {
            wire.socket.response.headers["X-Request-Id"]
        }
    assert names == {given} if kept else len(names) == 5
    assert answers[1].json()["errors"][0]["extensions"]["requestId"] == answers[1].headers["x-request-id"]


async def test_a_body_over_the_cap_is_413(plain: Site) -> None:
    """The cap holds for a declared length and for chunks of unknown length; a body at the cap passes."""

    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 1000

    at_cap = b'{"query": "{ __typename }"}'.ljust(20_000)
    json_type = {"Content-Type": "application/json"}
    assert (await plain.raw(at_cap)).status_code == 200
    assert problem(await plain.raw(at_cap + b" ")) == (413, "BAD_USER_INPUT")
    streamed = await plain.client.post("/graphql", content=chunks(21), headers=json_type)
    assert problem(streamed) == (413, "BAD_USER_INPUT")
    assert (await plain.client.post("/graphql", content=chunks(20), headers=json_type)).status_code == 400


async def test_events_arrive_one_by_one(plain: Site) -> None:
    """The body cap holds no event back, and a client that leaves ends the subscription."""
    before = len(asyncio.all_tasks())
    body = {"query": "subscription { forever }"}
    async with plain.client.stream("POST", "/graphql", json=body, headers=EVENTS) as response:
        first = await anext(response.aiter_text())
    assert first.startswith("event: next\r\ndata: {")
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_allowed_origins_may_call_from_a_browser(rich: Site) -> None:
    """The preflight of an allowed page passes with its headers; of another page it does not."""
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-tenant-id",
    }
    allowed = await rich.client.options("/graphql", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (
        200,
        "https://app.example",
    )
    assert allowed.headers["access-control-allow-credentials"] == "true"
    refused = await rich.client.options("/graphql", headers=asked | {"Origin": "https://evil.example"})
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    too_large = await rich.client.post(
        "/graphql", content=b" " * 1_048_577, headers={"Origin": "https://app.example"}
    )
    assert (too_large.status_code, too_large.headers["access-control-allow-origin"]) == (
        413,
        "https://app.example",
    )


def test_a_principal_in_the_past_has_no_time_left() -> None:
    """An expiry that has passed is now, not before."""
    past = datetime.now(UTC) - timedelta(days=1)
    assert seconds_left(Principal("acme", "alice", frozenset(), past)) == 0.0


def test_the_page_is_read_at_start(tmp_path: Path) -> None:
    """A page that is not there stops the start, not a request."""
    with pytest.raises(FileNotFoundError):
        make_app(Tokens(), ide=tmp_path / "missing.html")
