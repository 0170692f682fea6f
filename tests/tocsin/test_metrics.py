"""/metrics of real processes: exact numbers, no tenant, and the table in the manual."""

import asyncio
import random
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from resolvers.principal import Role
from tests.delivery.receiver import answer, receiving
from tests.delivery.support import command
from tests.delivery.test_canaries import TEST, create
from tests.support import Urls, open_socket, running_server, test_settings
from tests.tocsin.processes import Tocsin, free_port

_SECRET = "a secret that only these tests use, with 32 bytes"
_LINE = re.compile(r"^(tocsin_\w+)(\{.*\})? (\S+)$", re.MULTILINE)
_DOCUMENTED = re.compile(r"^\| `(tocsin_\w+)", re.MULTILINE)


def scraped(port: int) -> tuple[str, dict[str, float]]:
    """Return what /metrics prints, and the samples of ours that are not 0, but for buckets and times."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    found = {name + labels: float(value) for name, labels, value in _LINE.findall(text)}
    ours = {name: it for name, it in found.items() if it and not re.search("_(bucket|sum)", name)}
    return text, ours


async def until(port: int, there: Callable[[dict[str, float]], bool]) -> tuple[str, dict[str, float]]:
    """Scrape until something is there."""
    async with asyncio.timeout(20):
        while True:
            with suppress(httpx.TransportError):
                text, found = await asyncio.to_thread(scraped, port)
                if there(found):
                    return text, found
            await asyncio.sleep(0.1)


def two_free_ports() -> int:
    """Return a port that nobody uses, nor the next; clients are given others, so they stay free."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 1))
            return port


def families(text: str) -> set[str]:
    """Return the names of our metrics."""
    return set(re.findall(r"^# TYPE (tocsin_\w+) ", text, re.MULTILINE))


async def test_a_server(own_urls: Urls, tmp_path: Path) -> None:
    """Requests by type and outcome, sockets and subscriptions, exactly; nothing that a caller chose."""
    port = free_port()
    settings = {"database_url": own_urls.server, "jwt_secret": _SECRET, "metrics_port": str(port)}
    tocsin = Tocsin(tmp_path / "data", settings)
    token = tocsin.token("canary-tenant", "canary-user")
    with tocsin.serve() as running:
        for _ in range(3):
            running.ask(token, "query CanaryName { stats { unread } }")
        running.ask(token, "mutation { markAllRead { marked } }")
        async with httpx.AsyncClient(base_url=running.url, verify=False) as http:
            for body in ({"query": "{ stats { unread } }"}, {"query": "{ canary }"}, {"query": "{"}):
                await http.post("/graphql", json=body)
        async with open_socket(running.url, {"authorization": f"Bearer {token}"}) as socket:
            feed = await socket.subscribe("subscription { stats { unread } }")
            await feed.next()
            text, found = await until(port, lambda it: it.get("tocsin_subscriptions") == 1)
    assert found.pop("tocsin_pool_connections") >= 1
    found.pop("tocsin_pool_connections_used", None)
    found.pop("tocsin_hints_told_total", None)
    assert found == {
        'tocsin_requests_total{code="OK",type="query"}': 3,
        'tocsin_requests_total{code="OK",type="mutation"}': 1,
        'tocsin_requests_total{code="UNAUTHENTICATED",type="query"}': 1,
        'tocsin_requests_total{code="GRAPHQL_VALIDATION_FAILED",type="none"}': 1,
        'tocsin_requests_total{code="GRAPHQL_PARSE_FAILED",type="none"}': 1,
        'tocsin_request_seconds_count{type="query"}': 4,
        'tocsin_request_seconds_count{type="mutation"}': 1,
        'tocsin_request_seconds_count{type="none"}': 2,
        "tocsin_live_connections": 1,
        "tocsin_subscriptions": 1,
        "tocsin_hub_connects_total": 1,
    }
    assert "canary" not in text.lower()


async def test_each_process_of_a_server_has_a_port(own_urls: Urls, tmp_path: Path) -> None:
    """Two workers take the first and the next; together they have counted every request."""
    port = two_free_ports()
    settings = {"database_url": own_urls.server, "jwt_secret": _SECRET, "metrics_port": str(port)}
    tocsin = Tocsin(tmp_path / "data", settings)
    token = tocsin.token("acme", "ada")
    with tocsin.serve("--workers", "2") as running:
        for it in (port, port + 1):
            await until(it, lambda found: "tocsin_hub_connects_total" in found)
        for _ in range(20):
            running.ask(token, "{ stats { unread } }")
        counts = [
            scraped(it)[1].get('tocsin_requests_total{code="OK",type="query"}', 0) for it in (port, port + 1)
        ]
    assert sum(counts) == 20


async def test_a_worker(own_urls: Urls, tmp_path: Path, repository: Path) -> None:
    """Attempts by kind and outcome, and the outbox; with a server's, the names are those in the manual."""
    here, there = free_port(), free_port()
    environment = {
        "TOCSIN_JWT_SECRET": "x" * 32,
        "TOCSIN_ALLOW_PRIVATE_WEBHOOKS": "true",
        "TOCSIN_METRICS_PORT": str(there),
    }
    settings = test_settings(own_urls, tmp_path, allow_private_webhooks=True, metrics_port=here)
    async with running_server(settings) as api, receiving(answer("200 OK"), answer("404 No")) as receiver:
        root = api.user("canary-tenant", "root", Role.ADMIN)
        channel = await create(root, "WEBHOOK", url=f"http://{receiver.host}:{receiver.port}/")
        await root.data(TEST, id=channel)
        await root.data(TEST, id=channel)
        async with command(own_urls, tmp_path, "worker", **environment):
            count = "tocsin_delivery_attempts_total"
            text, found = await until(
                there, lambda it: sum(value for name, value in it.items() if name.startswith(count)) == 2
            )
            settled = await until(there, lambda it: "tocsin_outbox_due" not in it)
        served, _found = await asyncio.to_thread(scraped, here)
    attempts = {name: value for name, value in found.items() if name.startswith(count)}
    assert sum(attempts.values()) == 2
    assert attempts[f'{count}{{kind="WEBHOOK",outcome="Sent"}}'] == 1
    assert found['tocsin_delivery_seconds_count{kind="WEBHOOK"}'] == 1
    assert "tocsin_leases_lost_total" not in settled[1]
    assert "canary" not in text + served
    table = _DOCUMENTED.findall((repository / "docs/how-to/observe.md").read_text())
    assert sorted(table) == sorted(families(text) | families(served))
