"""What a server tells strangers: the twelve checks of graphql-cop, and what no answer ever has in it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

import tocsin.protocols
from resolvers.principal import Role
from tests.conformance.client import EVENTS
from tests.support import Api, Urls, running_server, test_settings
from tests.tocsin.corpus import attacks
from tocsin.settings import Settings

# What `tocsin serve` does unless it is told otherwise.
DEFAULTS = {it: Settings.model_fields[it].default for it in ("introspection", "graphiql", "allow_get")}


@pytest.fixture(scope="module")
async def hard(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server as operators have it."""
    async with running_server(test_settings(urls, tmp_path_factory.mktemp("hard"), **DEFAULTS)) as api:
        yield api


async def cop(api: Api, query: str) -> Any:
    """Send what graphql-cop sends, an operation of the name cop, and return the answer."""
    return (await api.http.post("/graphql", json={"query": query, "operationName": "cop"})).json()


# --- graphql-cop 1.14, named as its checks are


async def test_field_suggestions(hard: Api) -> None:
    """A wrong name is an error that says no right one."""
    (error,) = (await cop(hard, "query cop { __schema { directive } }"))["errors"][:1]
    assert "Did you mean" not in error["message"]
    (error,) = (await cop(hard, "query cop { stat }"))["errors"]
    assert "Did you mean" not in error["message"]


async def test_introspection(hard: Api) -> None:
    """The schema is not told."""
    for document in ("{ __schema { types { name fields { name } } } }", '{ __type(name: "Query") { name } }'):
        body = await cop(hard, f"query cop {document}")
        assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert "data" not in body


async def test_detect_graphiql(hard: Api) -> None:
    """There is no page."""
    answer = await hard.http.get("/graphql", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "GraphiQL" not in answer.text


async def test_get_method_support(hard: Api) -> None:
    """A query with GET is 405, and so is a stream."""
    for headers in ({}, EVENTS):
        answer = await hard.http.get("/graphql", params={"query": "query cop {__typename}"}, headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_alias_overloading(hard: Api) -> None:
    """101 aliases are too many."""
    aliases = " ".join(f"alias{i}:__typename" for i in range(101))
    body = await cop(hard, f"query cop {{ {aliases} }}")
    assert body["errors"][0]["extensions"]["limit"] == "maxAliases"


async def test_batch_query(hard: Api) -> None:
    """Ten operations in a list are no operation."""
    answer = await hard.http.post("/graphql", json=[{"query": "query cop { __typename }"}] * 10)
    assert answer.status_code == 400
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_USER_INPUT"]


async def test_trace_mode(hard: Api) -> None:
    """Neither data nor errors come with a trace."""
    assert await cop(hard, "query cop { __typename }") == {"data": {"__typename": "Query"}}
    (error,) = (await cop(hard, "query cop { wrong }"))["errors"]
    assert set(error["extensions"]) == {"code"}


async def test_directive_overloading(hard: Api) -> None:
    """Ten times an unknown directive is not ten errors that graphql-cop would count: the limit comes first."""
    body = await cop(hard, "query cop { __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }")
    assert len(body["errors"]) != 10


async def test_circular_query_introspection(hard: Api) -> None:
    """No introspection, no circle."""
    inner = "fields { type { " * 4 + "name" + " } }" * 4
    body = await cop(hard, f"query cop {{ __schema {{ types {{ {inner} }} }} }}")
    assert "data" not in body


async def test_get_based_mutation(hard: Api, api: Api) -> None:
    """Not even where queries may be asked with GET."""
    for server in (hard, api):
        answer = await server.http.get("/graphql", params={"query": "mutation cop {__typename}"})
        assert answer.status_code == 405


async def test_post_based_csrf(hard: Api) -> None:
    """A form is 415."""
    answer = await hard.http.post("/graphql", data={"query": "query cop { __typename }"})
    assert answer.status_code == 415


async def test_unhandled_error_detection(hard: Api) -> None:
    """A document that is none has a code and no exception."""
    (error,) = (await cop(hard, "qwerty cop { abc }"))["errors"]
    assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}


# --- What never leaves

_LEAK = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|/usr/|/root/|/home/|/tmp/|asyncpg|sqlalchemy|strawberry|uvicorn|"
    r"\bselect .* from\b|\binsert into\b|\bset_config\b|\bpg_|tocsin\.\w+_\w|<[\w.]+ object at|0x[0-9a-f]{6}|"
    r"(?:Type|Value|Key|Attribute|Runtime|Index)Error",
    re.IGNORECASE | re.DOTALL,
)
_VALUES: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    "x" * 300,
    "\u0000",
    "'; select 1 --",
    [],
    [[]],
    {},
    {"a": {"b": []}},
]
_VALUED = [
    "query($v: Int) { notifications(first: $v) { totalCount } }",
    "query($v: String) { notifications(after: $v) { totalCount } }",
    "query($v: ID!) { notification(id: $v) { id } }",
    "query($v: NotificationFilter) { stats(filter: $v) { unread } }",
    "query($v: ID!) { channel(id: $v) { id } }",
    "query($v: ID!) { notifyRequest(id: $v) { id } }",
    "query($v: ChannelKind) { channels(kind: $v) { totalCount } }",
    "mutation($v: [ID!]!) { read(ids: $v) { __typename } }",
    "mutation($v: NotifyInput!) { notify(input: $v) { __typename } }",
    "mutation($v: String!) { createAgent(name: $v) { key } }",
    "subscription($v: String) { inboxEvents(after: $v) { __typename } }",
]


def mistakes() -> Iterator[dict[str, Any]]:
    """Yield wrong values for variables and literals, and wrong documents."""
    for document in _VALUED:
        for value in _VALUES:
            yield {"query": document, "variables": {"v": value}}
    for name in ("notificatons", "stat", "chanels", "__typenam", "me", "users", "password", "pgUser"):
        for document in ("{ %s }", "{ stats { %s } }", "mutation { %s }", "{ stats(%s: 1) { unread } }"):
            yield {"query": document % name}
        yield {"query": f"{{ ...F }} fragment F on {name} {{ a }}"}
        yield {"query": f"query($v: {name}) {{ stats {{ unread }} }}"}
        yield {"query": f"{{ channels(kind: {name}) {{ totalCount }} }}"}
        yield {"query": f"{{ __typename @{name} }}"}
        yield {"query": "{ __typename }", "operationName": name}
        yield {"query": f"{{ stats(filter: {{ {name}: 1 }}) {{ unread }} }}"}
        yield {"query": _VALUED[3], "variables": {"v": {name: 1}}}
    for attack in attacks():
        if len(str(attack.payload)) < 50_000:
            yield attack.payload


async def test_no_answer_tells_of_what_is_behind_it(hard: Api, tenant: str) -> None:
    """A few hundred mistakes, as a user and an admin and over two transports: no trace, SQL, path or hint."""
    asked = 0
    for caller in (hard.user(tenant, "ada"), hard.user(tenant, "root", Role.ADMIN)):
        headers = {"Authorization": f"Bearer {caller.token}", "Accept": "application/json"}
        for payload in mistakes():
            answer = await hard.http.post("/graphql", json=payload, headers=headers)
            body = answer.json()
            asked += 1
            said = [error["message"] for error in body.get("errors", ())]
            assert answer.status_code < 500, (payload, body)
            assert not _LEAK.search(answer.text.replace(str(payload["query"]), "")), (payload, answer.text)
            assert not any("Did you mean" in message for message in said), (payload, said)
            assert not any(error["extensions"]["code"] == "INTERNAL" for error in body.get("errors", ()))
    assert asked >= 400


async def test_a_socket_suggests_nothing_either(hard: Api, tenant: str) -> None:
    """Neither for a wrong document nor for a wrong variable."""
    async with hard.user(tenant, "ada").socket() as socket:
        wrong = await (await socket.subscribe("{ stat }")).message()
        value = await (await socket.subscribe(_VALUED[3], v={"typs": []})).message()
    assert wrong["type"] == "error"
    messages = [it["message"] for it in wrong["payload"]]
    body = value["payload"]
    messages += [it["message"] for it in (body if isinstance(body, list) else body["errors"])]
    assert len(messages) == 2
    assert not any("Did you mean" in it for it in messages)


async def test_suggestions_and_introspection_are_there_by_default(api: Api) -> None:
    """They follow one setting, and GET another."""
    (error,) = (await api.post("{ stat { unread } }")).errors
    assert error["message"] == "Cannot query field 'stat' on type 'Query'. Did you mean 'stats'?"
    assert (await api.post("{ __schema { queryType { name } } }")).data == {
        "__schema": {"queryType": {"name": "Query"}}
    }
    answer = await api.http.get("/graphql", params={"query": "{ __typename }"})
    assert answer.json() == {"data": {"__typename": "Query"}}


# --- Requests that never end


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
    ids=["nothing", "half a header", "a byte of a body", "a chunk of a body"],
)
async def test_a_request_that_does_not_come_is_closed(
    sent: bytes, urls: Urls, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever drips in: 408 and the end within twice the time; who asked in time is not touched."""
    monkeypatch.setattr(tocsin.protocols, "REQUEST_SECONDS", 0.4)
    async with running_server(test_settings(urls, tmp_path_factory.mktemp("slow"))) as api:
        url = httpx.URL(api.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(sent)

        async def drip() -> None:
            while True:
                await asyncio.sleep(0.1)
                writer.write(b" " if b"chunked" not in sent else b"1\r\n \r\n")

        dripping = asyncio.create_task(drip() if sent else asyncio.sleep(9))
        async with asyncio.timeout(3):
            answer = await reader.read()
        dripping.cancel()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.count(b"HTTP/1.1") == 1
        for _ in range(3):
            assert (await api.post("{ __typename }")).status == 200
            await asyncio.sleep(0.3)
