"""Traces of real processes, as an OTLP receiver has them."""

import asyncio
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import Socket, Urls
from tests.tocsin.processes import Running, Tocsin, fetch, until
from tocsin.auth import ConfigurationError
from tocsin.settings import Settings
from tocsin.tracing import tracing

_SECRET = "a secret that only these tests use, with 32 bytes"
_TRACE, _PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_TRACEPARENT = {"traceparent": f"00-{_TRACE}-{_PARENT}-01"}
_CREATE = "mutation($input: ChannelInput!) { createChannel(input: $input) { channel { id } } }"
_NOTIFY = "mutation($input: NotifyInput!) { notify(input: $input) { created } }"
_SAID = {
    "type": "canary.type",
    "title": "canary-title",
    "body": "canary-body",
    "url": "https://example.com/canary-url",
    "channels": ["WEBHOOK"],
}


@dataclass
class Collector:
    """What an OTLP receiver, which takes webhooks too, was sent."""

    url: str
    exported: list[bytes] = field(default_factory=list)
    webhooks: list[bytes] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        """Keep what came."""
        (self.exported if path == "/v1/traces" else self.webhooks).append(body)

    def spans(self) -> list[Any]:
        """Return all spans in the order in which they began."""
        sent = [ExportTraceServiceRequest.FromString(body) for body in self.exported]
        resources = [it for request in sent for it in request.resource_spans]
        names = [
            a.value.string_value
            for it in resources
            for a in it.resource.attributes
            if a.key == "service.name"
        ]
        assert set(names) <= {"tocsin"}
        spans = [span for it in resources for scope in it.scope_spans for span in scope.spans]
        return sorted(spans, key=lambda span: (span.start_time_unix_nano, -span.end_time_unix_nano))

    def tree(self, trace: str, parent: str) -> list[Any]:
        """Return (name, below) of each span of a trace below one; a name alone where nothing is below."""
        found = [
            it for it in self.spans() if it.trace_id.hex() == trace and it.parent_span_id.hex() == parent
        ]
        below = [(it.name, self.tree(trace, it.span_id.hex())) for it in found]
        return [(name, more) if more else name for name, more in below]

    def attributes(self) -> set[str]:
        """Return the names of all attributes."""
        return {it.key for span in self.spans() for it in span.attributes}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, collector: Collector, *args: Any) -> None:
        self._collector = collector
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._collector.take(self.path, body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _listening(url: str = "") -> Iterator[Collector]:
    collector = Collector(url)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, collector)) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Run a receiver that the processes of the test send their traces to."""
    with _listening() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector


def _tocsin(urls: Urls, tmp_path: Path, *, traces: bool) -> Tocsin:
    settings = {
        "database_url": urls.server,
        "jwt_secret": _SECRET,
        "allow_private_webhooks": "true",
        **({"traces": "true"} if traces else {}),
    }
    return Tocsin(tmp_path / "data", settings)


def _ask(
    running: Running, token: str, document: str, headers: dict[str, str] | None = None, **variables: Any
) -> Any:
    asked = {"query": document, "variables": variables}
    headers = {"Authorization": f"Bearer {token}", **(headers or {})}
    body = httpx.post(f"{running.url}/graphql", json=asked, headers=headers, timeout=20, verify=False).json()
    assert "errors" not in body, body
    return body["data"]


def _notified(tocsin: Tocsin, collector: Collector, *inputs: dict[str, Any]) -> tuple[str, str]:
    """Say things one after the other, the last in the known trace; return what server and worker printed."""
    token = tocsin.token("acme", "canary-root", "admin")
    with tocsin.serve() as server, tocsin.start("worker") as worker:
        config = {"url": f"{collector.url}/canary-path"}
        _ask(server, token, _CREATE, input={"kind": "WEBHOOK", "name": "canary-name", "config": config})
        for number, input in enumerate(inputs):
            headers = _TRACEPARENT if number == len(inputs) - 1 else {}
            before = len(collector.webhooks)
            _ask(server, token, _NOTIFY, headers, input={**_SAID, **input})
            wanted = before + len(input.get("recipients", (1, 2)))
            assert until(lambda wanted=wanted: len(collector.webhooks) == wanted), worker.text()  # type: ignore[misc]
        assert (server.end(), worker.end()) == (0, 0)
        return server.text(), worker.text()


def _recipients(*names: str) -> dict[str, Any]:
    return {
        "recipients": [{"id": f"canary-{name}", "email": f"{name}@canary-mail.example"} for name in names]
    }


_BEGUN = ["BEGIN", "db.session.SET_CONTEXT"]
_TO_INBOXES = [
    *("db.audience._SUBJECT", "db.inbox._ADD_TENANT", "db.inbox._ADD_TYPES", "db.inbox._ADD_INBOXES"),
    *("db.inbox._LOCK_MANY", "db.inbox._ADD_RECIPIENTS", "db.inbox._ADD_COUNTS"),
]
_KNOWN = ["tocsin.recipient", "tocsin.recipient"]  # built for the columns that are given
_TO_CHANNELS = [
    *("db.audience._PREFERENCES", "db.audience._PEOPLE", "db.audience._KEPT_CHANNELS", "db.delivery._PLAN"),
    "db.request._ADVANCE",
]
_DELIVERED = ("deliver", ["open", "send", "settle"])


async def test_one_trace_from_the_request_to_the_delivery(
    own_urls: Urls, tmp_path: Path, collector: Collector
) -> None:
    """Server, resolver, statements and delivery: each below the one that asked for it, in the client's trace."""
    _notified(_tocsin(own_urls, tmp_path, traces=True), collector, _recipients("ada"))
    notified = [*_BEGUN, "db.request._INSERT", *_TO_INBOXES, *_KNOWN, *_TO_CHANNELS, "COMMIT", _DELIVERED]
    assert collector.tree(_TRACE, _PARENT) == [("mutation", [("Mutation.notify", notified)])]


async def test_one_trace_of_what_is_for_everyone(
    own_urls: Urls, tmp_path: Path, collector: Collector
) -> None:
    """What a worker fans out, and the deliveries that come of it, are below the notify."""
    everyone = {"everyone": True}
    _notified(_tocsin(own_urls, tmp_path, traces=True), collector, _recipients("ada", "grace"), everyone)
    held = [*_BEGUN, "db.outbox._HOLD", "db.request._LOCK", "db.request._NEXT"]
    rest = ["db.inbox._ADD_TENANT", "db.request._FINISH", "db.outbox._DROP"]
    spread = ("fan out", [*held, *_TO_INBOXES, *_TO_CHANNELS, "COMMIT", *held, *rest, "COMMIT"])
    accepted = [*_BEGUN, "db.request._EVERYONE", "db.request._INSERT", "db.work._ADD", "COMMIT"]
    assert collector.tree(_TRACE, _PARENT) == [
        ("mutation", [("Mutation.notify", [*accepted, spread, _DELIVERED, _DELIVERED])])
    ]


async def test_attributes_hold_nothing_of_tenants(
    own_urls: Urls, tmp_path: Path, collector: Collector
) -> None:
    """A known few, by which a span is told from others; no bytes that left hold what was said, or to whom."""
    _notified(_tocsin(own_urls, tmp_path, traces=True), collector, _recipients("ada"))
    assert collector.attributes() == {
        *("db.system", "http.request.method", "http.response.status_code"),
        *("tocsin.code", "tocsin.deliveries", "tocsin.delivery_id", "tocsin.kind", "tocsin.outcome"),
        *("tocsin.request_id", "tocsin.status_code", "tocsin.tenant"),
    }
    (sent,) = [it for it in collector.spans() if it.name == "send"]
    assert {it.key: it.value.string_value or it.value.int_value for it in sent.attributes} == {
        "tocsin.kind": "WEBHOOK",
        "tocsin.outcome": "Sent",
        "tocsin.status_code": 200,
    }
    assert b"canary-title" in collector.webhooks[0]
    assert [body for body in collector.exported if b"canary" in body or collector.url.encode() in body] == []


async def test_they_are_off_unless_wanted(
    own_urls: Urls, tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the setting nothing leaves, no request knows its trace, and OpenTelemetry is not imported."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    server, worker = _notified(
        replace(_tocsin(own_urls, tmp_path, traces=False), afresh=True), collector, _recipients("ada")
    )
    assert ("strawberry.schema" in server, "delivery.dispatcher" in worker) == (
        True,
        True,
    )  # imports are seen
    # FastAPI imports OpenTelemetry's API itself.
    wanted = re.compile(r"opentelemetry\.(?:sdk|exporter|proto)|\b(?:db|schema|delivery|tocsin)\.traces")
    assert wanted.findall(server) == []
    assert "opentelemetry" not in worker
    assert collector.exported == []
    assert await fetch(own_urls.superuser, "select traceparent from tocsin.request") == [(None,)]


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_receiver_that_is_away_holds_nobody(
    own_urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    """Requests are answered as ever, and the server stops as asked, whether it refuses or never answers."""
    with socket.socket() as receiver:
        receiver.bind(("127.0.0.1", 0))
        if hangs:
            receiver.listen()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.getsockname()[1]}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        tocsin = _tocsin(own_urls, tmp_path, traces=True)
        token = tocsin.token("acme", "ada")
        with tocsin.serve() as server:
            waits = [_seconds(lambda: _ask(server, token, "{ stats { unread } }")) for _ in range(40)]
            ended = _seconds(server.end)
            assert server.process.returncode == 0
    assert max(waits) < 2
    assert ended < 8


def _seconds(run: Callable[[], object]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began


async def test_operations_of_a_socket(own_urls: Urls, tmp_path: Path, collector: Collector) -> None:
    """Each has a span of its own, in the trace of the request that opened the socket."""
    tocsin = _tocsin(own_urls, tmp_path, traces=True)
    token = tocsin.token("acme", "ada")
    with tocsin.serve() as server:
        address = server.url.replace("http", "ws", 1) + "/graphql"
        async with websockets.connect(
            address,
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            additional_headers=_TRACEPARENT,
        ) as connection:
            opened = Socket(connection)
            await opened.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            assert '"connection_ack"' in str(await connection.recv())
            reader = asyncio.create_task(opened.read())
            for document in ("{ stats { unread } }", "subscription { stats { unread } }"):
                feed = await opened.subscribe(document)
                await feed.next()
            reader.cancel()
        assert server.end() == 0
    query = ("query", [("Query.stats", ["db.inbox._HEAD"])])
    assert collector.tree(_TRACE, _PARENT) == [query, "subscription"]


async def test_answers_are_the_same(own_urls: Urls, tmp_path: Path, collector: Collector) -> None:
    """With traces and without, byte for byte, the first time and from a plan; also what fails."""
    documents = [
        "{ stats { unread } again: stats { byType { key unread } } }",
        "{ notifications(first: 2) { nodes { id title } } auditLog { nodes { id } } }",
        'mutation { a: markAllRead { marked } read(ids: ["x"]) { __typename } }',
        "{ notifications(first: -1) { nodes { id } } }",
    ]
    assert _answers(own_urls, tmp_path, documents, traces=False) == (
        answers := _answers(own_urls, tmp_path, documents, traces=True)
    )
    assert sum(b'"errors"' in it for it in answers) == 9
    assert collector.exported


def _answers(own_urls: Urls, tmp_path: Path, documents: list[str], *, traces: bool) -> list[bytes]:
    tocsin = _tocsin(own_urls, tmp_path, traces=traces)
    headers = {"Authorization": f"Bearer {tocsin.token('acme', 'ada')}", "X-Request-Id": "a"}
    with tocsin.serve() as server, httpx.Client(verify=False, headers=headers) as http:
        answers = [
            http.post(f"{server.url}/graphql", json={"query": document}).content
            for document in documents
            for _ in range(3)
        ]
        assert server.end() == 0  # which exports what is left
    return answers


def test_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """To want traces without the extra is an error that names the setting and the extra."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "tocsin.traces", raising=False)
    with pytest.raises(ConfigurationError, match="TOCSIN_TRACES: install tocsin with the extra `otel`"):
        tracing(Settings(traces=True))
