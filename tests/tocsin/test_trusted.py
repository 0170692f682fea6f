"""Trusted documents: only a manifest's operations run, by id, and they were compiled when the server started."""

import json
from collections.abc import AsyncIterator
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.typing import Subprotocol

import schema.compiled.executor
from schema import build
from schema.compiled import valid
from schema.compiled.documents import kept
from schema.limits import Limits
from tests.support import Api, Urls, running_server, test_settings
from tests.tocsin.processes import Tocsin
from tocsin import trusted
from tocsin.auth import ConfigurationError
from tocsin.trusted import Trusted, trust

BADGE = "query Badge { stats { unread } }"
PAGE = "query Page($first: Int!) { notifications(first: $first) { nodes { title } } }"
LIVE = "subscription Live { stats { unread } }"
READ_ALL = "mutation ReadAll { markAllRead { marked } }"
CHOSEN = "query Chosen($all: Boolean!) { stats { unread total @include(if: $all) } }"
TWO = "query One { stats { unread } } query Two { stats { total } }"
MANIFEST = {md5(it.encode()).hexdigest(): it for it in (BADGE, PAGE, LIVE, READ_ALL, CHOSEN, TWO)}
IDS = {text: id for id, text in MANIFEST.items()}
UNKNOWN = "PERSISTED_QUERY_NOT_FOUND"


def digest(text: str) -> str:
    """Return the SHA-256 of a document."""
    return sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
async def site(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """Serve a manifest as Relay's compiler writes it: MD5 of the text."""
    folder = tmp_path_factory.mktemp("trusted")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    async with running_server(test_settings(urls, folder, trusted_documents=folder / "manifest.json")) as api:
        yield api


@pytest.fixture
async def reader(site: Api, tenant: str) -> Api.User:
    """Somebody with two unread notifications."""
    user = site.user(tenant, "ada")
    await user.receive("one", "two")
    return user


async def post(user: Api.User, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
    """Send parameters as JSON; return the answer."""
    own = {"Authorization": f"Bearer {user.token}"}
    return await user.api.http.post("/graphql", json=parameters, headers=own | (headers or {}))


@pytest.mark.parametrize(
    "named",
    [
        {"documentId": IDS[BADGE]},
        {"documentId": f"sha256:{digest(BADGE)}"},
        {"documentId": digest(BADGE), "query": None, "extensions": None},
        {"doc_id": IDS[BADGE]},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(BADGE)}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": IDS[BADGE]}}, "query": ""},
        {"extensions": {"persistedQuery": IDS[BADGE]}, "query": ""},
        {"query": BADGE},
        {"query": BADGE, "documentId": "whatever"},
    ],
)
async def test_a_document_is_named(reader: Api.User, named: dict[str, Any]) -> None:
    """By its id in the manifest, by its SHA-256, at each place where clients put it, or by its whole text."""
    assert (await post(reader, **named)).json() == {"data": {"stats": {"unread": 2}}}


@pytest.mark.parametrize(
    "named",
    [
        {"documentId": "nothing"},
        {"documentId": f"sha256:{IDS[BADGE]}"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest("{ stats { total } }")}}},
        {"query": "{ stats { total } }"},
        {"query": f"{BADGE} "},
        {"query": "{ stats { total } }", "documentId": IDS[BADGE]},
        {"query": "{ __schema { types { name } } }"},
        {"query": "{"},
    ],
)
async def test_nothing_else_runs(reader: Api.User, named: dict[str, Any]) -> None:
    """An unknown id and a text that is not in the manifest have one code: 200 in JSON, else 400."""
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        answer = await post(reader, {"Accept": accept}, **named)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"], "data" in answer.json()) == (
            status,
            {"code": UNKNOWN},
            False,
        )


@pytest.mark.parametrize(
    "wrong", [{}, {"query": 7}, {"documentId": 7}, {"documentId": ""}, {"extensions": {"persistedQuery": {}}}]
)
async def test_what_names_no_document(reader: Api.User, wrong: dict[str, Any]) -> None:
    """It is BAD_USER_INPUT, as without trusted documents."""
    answer = await post(reader, **wrong)
    assert [it["extensions"]["code"] for it in answer.json()["errors"]] == ["BAD_USER_INPUT"]


async def test_variables_and_names_of_operations(reader: Api.User) -> None:
    """They come with the id as they come with a text; an operation of several has to be named."""
    page = await post(reader, documentId=IDS[PAGE], variables={"first": 1})
    assert len(page.json()["data"]["notifications"]["nodes"]) == 1
    two = await post(reader, documentId=IDS[TWO], operationName="Two")
    assert two.json()["data"] == {"stats": {"total": 2}}
    unnamed = await post(reader, documentId=IDS[TWO])
    assert [it["extensions"]["code"] for it in unnamed.json()["errors"]] == ["BAD_USER_INPUT"]
    for all, stats in ((True, {"unread": 2, "total": 2}), (False, {"unread": 2})):
        chosen = await post(reader, documentId=IDS[CHOSEN], variables={"all": all})
        assert chosen.json()["data"] == {"stats": stats}


async def test_in_a_url(reader: Api.User) -> None:
    """A query by its id; a mutation needs POST, by its id too."""
    headers = {"Authorization": f"Bearer {reader.token}"}
    get = reader.api.http.get
    found = await get("/graphql", params={"documentId": IDS[BADGE]}, headers=headers)
    assert found.json() == {"data": {"stats": {"unread": 2}}}
    refused = await get("/graphql", params={"documentId": IDS[READ_ALL]}, headers=headers)
    assert refused.status_code == 405
    unknown = await get("/graphql", params={"documentId": "nothing"}, headers=headers)
    assert [it["extensions"]["code"] for it in unknown.json()["errors"]] == [UNKNOWN]


async def test_over_a_websocket(reader: Api.User) -> None:
    """A subscription by its id, and an unknown one beside it: an error message, and the socket stays."""
    async with reader.socket() as socket:
        feed = await socket.subscribe(LIVE)
        assert await feed.next() == {"stats": {"unread": 2}}
        refused = await (await socket.subscribe("subscription { stats { total } }")).message()
        assert (refused["type"], [it["extensions"]["code"] for it in refused["payload"]]) == (
            "error",
            [UNKNOWN],
        )
        for named in (
            {"documentId": IDS[BADGE]},
            {"query": "", "extensions": {"persistedQuery": IDS[BADGE]}},
        ):
            badge = await socket.start(named)
            assert await badge.next() == {"stats": {"unread": 2}}
        await post(reader, documentId=IDS[READ_ALL])
        assert await feed.next() == {"stats": {"unread": 0}}


async def test_who_has_not_begun_is_told_nothing(site: Api) -> None:
    """A subscribe before connection_init closes with 4401, whether the id is known or not."""
    for id in (IDS[LIVE], "nothing"):
        async with websockets.connect(
            site.url.replace("http", "ws", 1) + "/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
        ) as wire:
            await wire.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"documentId": id}}))
            await wire.wait_closed()
            assert (wire.close_code, wire.close_reason) == (4401, "Unauthorized")


async def test_as_server_sent_events(reader: Api.User) -> None:
    """A query by its id ends with `complete`; an unknown id is no stream."""
    events = {"Accept": "text/event-stream"}
    found = await post(reader, events, documentId=IDS[BADGE])
    assert found.text == (
        'event: next\r\ndata: {"data":{"stats":{"unread":2}}}\r\n\r\nevent: complete\r\ndata: \r\n\r\n'
    )
    unknown = await post(reader, events, documentId="nothing")
    assert (unknown.status_code, unknown.json()["errors"][0]["extensions"]["code"]) == (400, UNKNOWN)


async def test_without_the_setting_an_id_names_nothing(ada: Api.User) -> None:
    """It is BAD_USER_INPUT, and texts run as ever."""
    answer = await post(ada, documentId=IDS[BADGE])
    assert [it["extensions"]["code"] for it in answer.json()["errors"]] == ["BAD_USER_INPUT"]
    assert (await post(ada, query=BADGE)).json() == {"data": {"stats": {"unread": 0}}}


# -- at start ----------------------------------------------------------------------------------------------


def written(folder: Path, content: str) -> Path:
    """Return a manifest with this content."""
    path = folder / "manifest.json"
    path.write_text(content)
    return path


def test_all_is_compiled(tmp_path: Path) -> None:
    """All documents are valid and have plans, but for those whose variables decide what they select."""
    ours = build()
    trust(written(tmp_path, json.dumps(MANIFEST)), ours, Limits())
    assert all(valid(ours, text) for text in MANIFEST.values())
    planned = {text: {name for it, name, *_ in _plans(ours) if it == text} for text in MANIFEST.values()}
    assert planned == {
        BADGE: {"Badge"},
        PAGE: {"Page"},
        LIVE: {"Live"},
        READ_ALL: {"ReadAll"},
        CHOSEN: set(),
        TWO: {"One", "Two"},
    }


async def test_the_first_request_is_not_parsed_validated_or_planned(
    urls: Urls, tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that just started cannot do any of it any more, and answers; a new text it could not answer."""
    path = written(tmp_path, json.dumps(MANIFEST))
    for found, settings in (
        (True, test_settings(urls, tmp_path, trusted_documents=path)),
        (False, test_settings(urls, tmp_path)),
    ):
        async with running_server(settings) as api:
            user = api.user(tenant, "ada")
            with monkeypatch.context() as patch:
                for name in ("strawberry.schema.schema.parse", "strawberry.schema.schema.validate_document"):
                    patch.setattr(name, None)
                patch.setattr(schema.compiled.executor, "Plan", None)
                answers = [
                    (await post(user, query=text, variables=variables)).json()
                    for text, variables in ((BADGE, {}), (PAGE, {"first": 1}))
                ]
            assert [answer.get("errors") is None for answer in answers] == [found, found]


def _plans(ours: Any) -> list[Any]:
    return list(kept(ours._schema).plans._lasting)  # type: ignore[attr-defined]


def test_nothing_pushes_them_out(tmp_path: Path) -> None:
    """Not even what is over the bounds of all that is kept otherwise, which stays bounded."""
    ours = build()
    trust(written(tmp_path, json.dumps(MANIFEST)), ours, Limits())
    plans = kept(ours._schema).plans
    for number in range(3_000):
        plans.put(("text", number), "a plan", "text")
    assert len(plans) == 1_000
    assert len(_plans(ours)) == 6
    assert plans.get((BADGE, "Badge", ())) is not None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON in UTF-8"),
        ('{"a": "\\ud800"}', "is not JSON in UTF-8"),
        ("[]", "is not one JSON object of documents"),
        ("{}", "is not one JSON object of documents"),
        ('{"a": 1}', "is not one JSON object of documents"),
        ('{"format": "apollo-persisted-query-manifest", "operations": []}', "is not one JSON object"),
        ('{"good": "{ stats { unread } }", "bad": "{"}', "document bad: Syntax Error"),
        ('{"a": "{ nothing }"}', "document a: Cannot query field 'nothing'"),
        ('{"a": "fragment F on Query { stats { unread } }"}', "document a: Fragment 'F' is never used"),
        ('{"a": "{ stats { byType { key } } }"}', "document a: The operation exceeds the limit of depth: 2"),
        (json.dumps({"a": "{ " + "stats { unread } " * 20 + "}"}), "more than 30 tokens"),
    ],
)
def test_a_bad_manifest_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    """The server does not start, and says which document it is and why."""
    with pytest.raises(ConfigurationError) as refused:
        trust(written(tmp_path, content), build(), Limits(max_depth=2, max_tokens=30))
    assert str(refused.value).startswith("TOCSIN_TRUSTED_DOCUMENTS: ")
    assert sentence.lower() in str(refused.value).lower()


def test_a_large_manifest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled stays in memory, so a manifest is bounded."""
    content = json.dumps(MANIFEST)
    monkeypatch.setattr(trusted, "MOST_BYTES", len(content))
    assert isinstance(trust(written(tmp_path, content), build(), Limits()), Trusted)
    with pytest.raises(ConfigurationError, match="is larger than"):
        trust(written(tmp_path, f"{content} "), build(), Limits())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_refuses_to_start(workers: str, tmp_path: Path) -> None:
    """`tocsin serve` says it in one sentence, before any database is looked for, and its exit code is 1."""
    given = {
        "database_url": "postgresql://nowhere.invalid/db",
        "jwt_secret": "a secret that only these tests use, with 32 bytes",
        "trusted_documents": str(written(tmp_path, '{"a": "{ nothing }"}')),
    }
    tocsin = Tocsin(tmp_path, given)
    done = tocsin.call("serve", "--workers", workers)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("TOCSIN_TRUSTED_DOCUMENTS: document a: Cannot query field 'nothing'")
    assert len(done.err.splitlines()) == 1
    (tmp_path / "manifest.json").unlink()
    done = tocsin.call("serve", "--workers", workers)
    assert (done.code, "manifest.json: No such file" in done.err) == (1, True)
