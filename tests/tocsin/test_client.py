"""`tocsin.client`: producers that neither lose a notify nor say it twice."""

import asyncio
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast, get_type_hints

import httpx
import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, build_schema

from resolvers.principal import Role
from tests.machines import machine
from tests.support import SECRET, Api, Urls, running_server, test_settings
from tests.tocsin.processes import ROOT, Tocsin, fetch, free_port
from tocsin.client import AsyncClient, Client, Content, Notified, Patience, Recipient, TocsinError
from tocsin.client.core import Again, Call, _camel_case

_INBOX = "{ notifications { totalCount nodes { title body url severity } } }"


async def _say(client: Client, *recipients: str, **more: object) -> Notified:
    """Notify from a thread, for the server runs in this one's loop."""
    return await asyncio.to_thread(client.notify, recipients, **{"type": "t", "title": "Hello"} | more)  # type: ignore[arg-type]


async def test_both_clients(api: Api, admin: Api.User, ada: Api.User) -> None:
    """A notify by an agent's key arrives as it was said; the same key again says nothing more."""
    key = (await machine(admin)).token
    fields: Content = {"title": "Invoice 17", "body": "Late", "url": "/invoices/17", "severity": "HIGH"}
    with Client(f"{api.url}/graphql", key) as client:
        first = await _say(client, "ada", "grace", idempotency_key="17", **fields)
    async with AsyncClient(f"{api.url}/graphql", lambda: asyncio.sleep(0, key)) as client:
        second = await client.notify(["ada", "grace"], type="t", idempotency_key="17", **fields)
    assert (first.status, first.created, first.replayed, first.idempotency_key) == ("DONE", 2, False, "17")
    assert second == first._replace(replayed=True, notifications=second.notifications)
    assert {*first.notifications} == {*second.notifications}
    assert await ada.data(_INBOX) == {"notifications": {"totalCount": 1, "nodes": [fields]}}


async def test_everything_that_can_be_said(api: Api, urls: Urls, agent: Api.User) -> None:
    """Names with underscores, people with addresses, everyone; a call without a key makes one."""
    with Client(f"{api.url}/graphql", lambda: agent.token, tenant=agent.tenant) as client:
        done = await asyncio.to_thread(
            lambda: client.notify(
                [Recipient("ada", email="ada@example.com", timezone="Europe/Paris"), "grace"],
                type="t",
                title="x",
                project_id="p",
                data={"order": 17},
                channels=["IN_APP"],
                escalate_after_minutes=5,
            )
        )
        all_of_them = await asyncio.to_thread(lambda: client.notify("everyone", type="t", title="x"))
    assert (done.created, all_of_them.status, all_of_them.created) == (2, "ACCEPTED", 0)
    assert len({done.idempotency_key, all_of_them.idempotency_key}) == 2
    rows = await fetch(
        urls.superuser,
        "select user_id, email, timezone, n.data::text from tocsin.notification n"
        " join tocsin.recipient r on (r.tenant_id, r.id) = (n.tenant_id, user_id)"
        " where n.tenant_id = $1 order by user_id",
        agent.tenant,
    )
    assert rows == [
        ("ada", "ada@example.com", "Europe/Paris", '{"order": 17}'),
        ("grace", None, None, '{"order": 17}'),
    ]


async def test_what_is_refused(api: Api, agent: Api.User, ada: Api.User) -> None:
    """A conflict, bad input, a wrong token, another address: the code says which, after one attempt."""
    cases = {
        "IDEMPOTENCY_CONFLICT": (agent.token, "/graphql", {"idempotency_key": "k", "title": "Other"}),
        "BAD_USER_INPUT": (agent.token, "/graphql", {"title": ""}),
        "UNAUTHENTICATED": ("nonsense", "/graphql", {}),
        "FORBIDDEN": (ada.token, "/graphql", {}),
        "HTTP_404": (agent.token, "/elsewhere", {}),
    }
    with Client(f"{api.url}/graphql", agent.token) as client:
        await _say(client, "ada", idempotency_key="k")
    for code, (token, path, more) in cases.items():
        with Client(f"{api.url}{path}", token) as client, pytest.raises(TocsinError) as refused:
            await _say(client, "ada", **more)
        assert (refused.value.code, refused.value.idempotency_key != "") == (code, True)
        assert code != "BAD_USER_INPUT" or refused.value.extensions["fields"][0]["field"] == "title"
    assert (await ada.data("{ stats { total } }"))["stats"] == {"total": 1}


def test_it_takes_what_the_schema_takes() -> None:
    """Each field of the inputs is a keyword, each value of the enums a literal, and there are no others."""
    schema = build_schema((ROOT / "schema.graphql").read_text())

    def names(type_name: str) -> set[str]:
        return {*cast(GraphQLInputObjectType, schema.type_map[type_name]).fields}

    def literals(name: str) -> set[str]:
        return set(re.findall(r"'(\w+)'", str(get_type_hints(Content)[name])))

    given = {_camel_case(it) for it in get_type_hints(Content)}
    assert given == names("NotifyInput") - {"recipients", "everyone", "type"}
    assert {*get_type_hints(Recipient)} == names("RecipientInput")
    for name, type_name in (("severity", "Severity"), ("channels", "ChannelKind")):
        assert literals(name) == {*cast(GraphQLEnumType, schema.type_map[type_name]).values}


def test_what_python_refuses() -> None:
    """A mistake in the call is no request: an id in place of a list, an unknown word, half an address."""
    with Client("http://127.0.0.1:1/graphql", "t") as client:
        with pytest.raises(TypeError, match="list of ids"):
            client.notify("ada", type="t")
        with pytest.raises(TypeError, match="does not know titel"):
            client.notify(["ada"], type="t", titel="x")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="whole address"):
        Client("tocsin.example", "t")


async def test_nobody_there() -> None:
    """What has no answer is tried as often as patience says, and then says that, with the key."""
    patience = Patience(attempts=3, first_seconds=0.05)
    with (
        Client(f"http://127.0.0.1:{free_port()}/graphql", "t", patience=patience) as client,
        pytest.raises(TocsinError) as refused,
    ):
        await _say(client, "ada", idempotency_key="k")
    assert (refused.value.code, refused.value.idempotency_key) == ("UNREACHABLE", "k")


async def _trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.05)


async def test_an_answer_that_never_ends() -> None:
    """A server that is never silent, and never done, is left when the attempt's time is over."""
    patience, started = Patience(attempts=2, attempt_seconds=0.3, first_seconds=0.05), time.monotonic()
    async with await asyncio.start_server(_trickle, "127.0.0.1", port := free_port()):
        url = f"http://127.0.0.1:{port}/graphql"
        with Client(url, "t", patience=patience) as client, pytest.raises(TocsinError) as refused:
            await _say(client, "ada")
        async with AsyncClient(url, "t", patience=patience) as other:
            with pytest.raises(TocsinError) as refused_too:
                await other.notify(["ada"], type="t", title="x")
    assert (refused.value.code, refused_too.value.code) == ("UNREACHABLE", "UNREACHABLE")
    assert 1.2 < time.monotonic() - started < 10


async def test_a_rate_limit_is_waited_for(urls: Urls, tmp_path: Path, tenant: str) -> None:
    """Who asks for too much waits as long as the server says, and then all of it is done."""
    settings = test_settings(urls, tmp_path, rate_limit=600)  # 10 points a second; a notify is 5
    async with running_server(settings) as api:
        token = api.token(tenant, "ci-bot", Role.AGENT)
        async with AsyncClient(f"{api.url}/graphql", token) as client, httpx.AsyncClient() as http:
            spend = "{ " + " ".join(f"a{i}: stats {{ total }}" for i in range(20)) + " }"
            headers = {"Authorization": f"Bearer {token}"}
            while (await http.post(f"{api.url}/graphql", json={"query": spend}, headers=headers)).is_success:
                pass
            started = time.monotonic()
            done = [await client.notify(["ada"], type="t", title=str(it)) for it in range(3)]
            assert [it.created for it in done] == [1, 1, 1]
            assert time.monotonic() - started > 0.9
            hurried = AsyncClient(f"{api.url}/graphql", token, patience=Patience(seconds=0.5))
            with pytest.raises(TocsinError) as refused:
                await _until_refused(hurried)
            await hurried.close()
            assert refused.value.code == "RATE_LIMITED"
            assert refused.value.extensions["retryAfter"] >= 1


async def _until_refused(client: AsyncClient) -> None:
    for number in range(99):
        await client.notify(["ada"], type="t", title=str(number))


async def test_a_server_that_is_killed(own_urls: Urls, tmp_path: Path) -> None:
    """With kill -9 in the middle and a start later: nothing is lost and nothing doubled."""
    tocsin = Tocsin(tmp_path / "data", {"database_url": own_urls.server, "jwt_secret": SECRET})
    port, many = str(free_port()), 60
    token = tocsin.call("token", "--tenant", "t", "--user", "a", "--role", "agent").out
    said: list[Notified] = []
    middle = threading.Event()

    def say(number: int) -> None:
        said.append(client.notify(["ada"], type="t", title=f"{number}"))
        if len(said) == many // 3:
            middle.set()

    def run() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(say, range(many)))

    patience = Patience(attempts=60, seconds=60, most_seconds=0.5)
    with Client(f"http://127.0.0.1:{port}/graphql", token.strip(), patience=patience) as client:
        with tocsin.start("serve", "--port", port) as first:
            await asyncio.to_thread(first.wait_for, first.is_ready)
            producing = asyncio.create_task(asyncio.to_thread(run))
            await asyncio.to_thread(middle.wait, 30)
        with tocsin.start("serve", "--port", port):
            await producing
    assert len(said) == many
    found = await fetch(own_urls.superuser, "select title, count(*) from tocsin.notification group by title")
    assert sorted(found, key=lambda row: int(row[0])) == [(str(it), 1) for it in range(many)]
    assert len({it.request_id for it in said}) == many


def _call(patience: Patience = Patience()) -> Call:  # noqa: B008  it is immutable
    return Call(patience, 0, ["ada"], "t", "k", {})


@pytest.mark.parametrize(
    ("status", "headers", "content", "after"),
    [
        (429, {}, b'{"errors": [{"extensions": {"code": "RATE_LIMITED", "retryAfter": 3}}]}', 3),
        (503, {"retry-after": "7"}, b"<html>", 7),
        (503, {"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT"}, b"", 0),
        (502, {}, b"Bad Gateway", 0),
        (503, {}, b'{"errors": [{"message": "no healthy upstream"}]}', 0),
        (504, {}, b'{"errors": ["upstream"], "data": []}', 0),
        (200, {}, b'{"data": {"notify": null}, "errors": [{"extensions": {"code": "UNAVAILABLE"}}]}', 0),
    ],
)
def test_what_is_tried_again(status: int, headers: dict[str, str], content: bytes, after: float) -> None:
    """Tocsin's own answers and those of proxies; whatever the status, the code decides."""
    outcome = _call().answered(status, headers, content)
    assert isinstance(outcome, Again)
    assert outcome.after == after


@pytest.mark.parametrize(
    "content",
    [
        *(b'{"data": null}', b'{"data": [1]}', b"[]", b"null", b"\xff"),
        *(b'{"errors": [{"message": "x"}]}', b'{"errors": [{"extensions": {"code": "INTERNAL"}}]}'),
    ],
)
def test_what_is_not(content: bytes) -> None:
    """A 200 that says nothing, and a fault of the server: another attempt would not help."""
    with pytest.raises(TocsinError):
        _call().answered(200, {}, content)


def test_the_waits() -> None:
    """They double up to a limit, and end before the deadline or with the last attempt."""
    call, again = _call(Patience(attempts=5, seconds=100, first_seconds=1, most_seconds=3)), None
    again = call.unanswered(TimeoutError("x"))
    waits = [call.pause(again, 0) for _ in range(4)]
    assert all(it <= wait <= 2 * it for it, wait in zip([0.5, 1, 1.5, 1.5], waits, strict=True)), waits
    with pytest.raises(TocsinError, match="UNREACHABLE"):
        call.pause(again, 0)
    with pytest.raises(TocsinError):
        _call(Patience(seconds=10)).pause(again._replace(after=10), 0)
    assert _call(Patience(seconds=10)).pause(again._replace(after=9), 0) == 9


def test_it_needs_nothing_of_the_server() -> None:
    """A producer's process gets httpx and the standard library: no database driver, no web framework."""
    code = (
        "import sys; old = {*sys.modules}; import tocsin.client;"
        " print(*sorted({it.split('.')[0] for it in {*sys.modules} - old} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    third_party = {*done.stdout.split()}
    assert {"tocsin", "httpx"} <= third_party
    assert (
        third_party & {"db", "resolvers", "schema", "asyncpg", "fastapi", "pydantic", "sqlalchemy"} == set()
    )
