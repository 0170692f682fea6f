"""GraphQL over HTTP where the audits do not look: media types, GET, pages, malformed requests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.client import EVENTS, NEWER, PLAIN, RICH, Site, problem, site


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


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        ("application/graphql-response+json, application/json", "application/graphql-response+json"),
        ("application/graphql-response+json;q=0.5, application/json", "application/json"),
        ("application/json;q=0.9, application/graphql-response+json", "application/graphql-response+json"),
        (
            "application/graphql-response+json, application/json, text/event-stream",
            "application/graphql-response+json",
        ),
        ("text/event-stream, application/json;q=0.5", "text/event-stream"),
        ("text/html, */*;q=0.8", "application/json"),
    ],
)
async def test_the_answer_has_the_preferred_media_type(plain: Site, accept: str, media: str) -> None:
    """The best of the acceptable types is answered; a wildcard means application/json."""
    response = await plain.post("{ __typename }", {"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == media


async def test_nothing_acceptable_is_406(plain: Site) -> None:
    """A client that takes neither JSON nor events is told so."""
    assert problem(await plain.post("{ __typename }", {"Accept": "image/png"})) == (406, "BAD_USER_INPUT")


async def test_get_runs_queries(plain: Site) -> None:
    """A query with variables runs from the URL."""
    response = await plain.get(
        "query Q($t: String!) { echo(text: $t) }", variables='{"t": "é"}', operationName="Q"
    )
    assert response.json() == {"data": {"echo": ["é", 0, None]}}
    assert response.headers["cache-control"] == "no-store"


async def test_get_runs_no_mutation(plain: Site) -> None:
    """A mutation by GET is 405 and names POST, and an event stream does not run it either."""
    response = await plain.get("mutation { serial }")
    assert problem(response) == (405, "BAD_USER_INPUT")
    assert response.headers["allow"] == "POST"
    stream = await plain.get("mutation { serial }", EVENTS)
    assert "mutations are not allowed" in stream.text
    assert '"data"' not in stream.text


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_run_nothing(plain: Site, method: str) -> None:
    """They are 405 and name those there are, whatever they carry."""
    response = await plain.client.request(method, "/graphql", params={"query": "mutation { serial }"})
    assert response.status_code == 405
    assert {it.strip() for it in response.headers["allow"].split(",")} >= {"GET", "POST"}
    assert "data" not in response.text


async def test_subscriptions_stream_where_events_are_acceptable(plain: Site) -> None:
    """A subscription is an event stream to who takes one, by GET too, and 406 to others."""
    assert problem(await plain.post("subscription { ticks }", NEWER)) == (406, "BAD_USER_INPUT")
    for response in (
        await plain.post("subscription { ticks }"),
        await plain.get("subscription { ticks }", EVENTS),
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.text.count("event: next") == 2
        assert response.text.endswith("event: complete\r\ndata: \r\n\r\n")


async def test_browsers_get_the_page(rich: Site) -> None:
    """Who prefers HTML gets the page with its policy, with a cookie and a query too; others do not."""
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Cookie": "session=bob"}
    for response in (
        await rich.client.get("/graphql", headers=browser),
        await rich.get("{ __typename }", browser),
    ):
        assert (response.status_code, response.text) == (200, "<h1>IDE</h1>")
        assert response.headers["content-security-policy"] == "default-src 'none'"
        assert response.headers["vary"] == "Accept, Origin"
    assert problem(await rich.client.get("/graphql")) == (400, "BAD_USER_INPUT")


async def test_without_a_page_there_is_none(plain: Site) -> None:
    """Without an IDE a browser gets 404, and JSON for a query where it takes that."""
    browser = {"Accept": "text/html, */*;q=0.8"}
    assert problem(await plain.client.get("/graphql", headers=browser)) == (404, "BAD_USER_INPUT")
    assert (await plain.get("{ __typename }", browser)).json() == {"data": {"__typename": "Query"}}
    assert problem(await plain.get("{ __typename }", {"Accept": "text/html"})) == (406, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"1",
        b'"{ __typename }"',
        b'[{"query": "{ __typename }"}]',
        b"{}",
        b'{"query": ""}',
        b'{"query": 1}',
        b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "{ __typename }", "variables": [1]}',
        b'{"query": "{ \xff }"}',
        b'{"query": "{ \x00 }"}',
        b'{"query": "{ \\ud800 }"}',
        b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 1500 + b"1" + b"}" * 1500 + b"}",
        b"[" * 15_000,
        b'{"query": "query($t: String) { echo(text: $t) }", "variables": {"t": "a\\u0000"}}',
        b'{"query": "query($j: JSON) { echo(json: $j) }", "variables": {"j": [{"\\u0000": 1}]}}',
        b'{"query": "{ echo(text: \\"\\\\u0000\\") }"}',
        b'{"query": "{ echo(text: \\"\\\\u{0}\\") }"}',
        b'{"query": "{ echo(text: \\"\\"\\"\\u0000\\"\\"\\") }"}',
        b'{"query": "{ a: __typename }", "operationName": "Other"}',
        b'{"query": "query A { __typename } query B { __typename }"}',
        b'{"query": "query($n: Int!) { echo(number: $n) }", "variables": {"n": "x"}}',
        b'{"query": "query($n: Int!) { echo(number: $n) }"}',
    ],
)
async def test_a_malformed_request_is_400(plain: Site, body: bytes) -> None:
    """Whatever is wrong with a request, the answer is a clear 400 in GraphQL's shape."""
    response = await plain.raw(body)
    assert problem(response) == (400, "BAD_USER_INPUT")
    assert list(response.json()) == ["errors"]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "",
    ],
)
async def test_only_json_is_read(plain: Site, content_type: str) -> None:
    """Forms, uploads and other encodings are 415."""
    assert problem(await plain.raw(b'{"query": "{ __typename }"}', content_type)) == (415, "BAD_USER_INPUT")


async def test_malformed_variables_in_the_url_are_400(plain: Site) -> None:
    """What is not JSON in a URL is refused as in a body."""
    assert problem(await plain.get("{ __typename }", variables="{")) == (400, "BAD_USER_INPUT")


async def test_numbers_beyond_64_bits_and_deep_answers_are_written(plain: Site) -> None:
    """What orjson cannot write is written nevertheless."""
    deep: Any = 2**80
    for _ in range(300):
        deep = [deep]
    response = await plain.post("query($j: JSON) { echo(json: $j) }", variables={"j": deep})
    assert response.status_code == 200
    assert response.text.count("[") == 301
