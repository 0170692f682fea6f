"""Caddy, as compose.yaml has it, before two servers: streams, sockets, and a restart that nobody sees."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support import SECRET, Urls, open_socket
from tests.tocsin.processes import ROOT, Running, Tocsin, fetch, free_port, until
from tocsin.client import AsyncClient, Patience

pytestmark = pytest.mark.skipif(
    "TOCSIN_TEST_PROXY" not in os.environ, reason="It takes 15 s of CPU: `make check-deploy` asks for it."
)
_FILE = ROOT / "deploy" / "compose" / "Caddyfile"
_BADGE = "subscription { stats { unread } }"
_PROMPT_SECONDS = 1.5
_PACE_SECONDS = 0.03


@contextmanager
def _caddy(folder: Path, *servers: Running) -> Iterator[str]:
    """Run Caddy in front; yield its address."""
    binary, port = shutil.which("caddy"), free_port()
    if binary is None:
        pytest.skip("There is no caddy on this machine.")
    environ = os.environ | {
        "TOCSIN_SITE": f":{port}",
        "TOCSIN_UPSTREAMS": " ".join(it.url.removeprefix("http://") for it in servers),
        **{name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")},
    }
    with (folder / "caddy.log").open("wb") as log:
        command = [binary, "run", "--config", str(_FILE), "--adapter", "caddyfile"]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            assert until(lambda: _answers(url)), (folder / "caddy.log").read_text()
            yield url
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


class _Producer:
    """Notifies again and again, each time once: what a proxy loses is seen."""

    def __init__(self, url: str, token: str) -> None:
        self._client = AsyncClient(f"{url}/graphql", token, patience=Patience(attempts=1))
        self.done = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        async with self._client:
            while True:
                await self._one()

    async def _one(self) -> None:
        await self._client.notify(["grace"], type="t", title=f"{self.done}", idempotency_key=f"{self.done}")
        self.done += 1
        await asyncio.sleep(_PACE_SECONDS)

    async def come_to(self, count: int, running: "asyncio.Task[None]") -> None:
        """Wait until so many are done; fail with what it has failed with."""
        async with asyncio.timeout(30):
            while self.done < count:
                assert not running.done(), running.exception()
                await asyncio.sleep(0.02)


async def _streamed(url: str, token: str, values: asyncio.Queue[int]) -> None:
    """Follow the badge as server-sent events."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=30) as http,
        http.stream("POST", f"{url}/graphql", json={"query": _BADGE}, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data:") and '"unread"' in line:
                values.put_nowait(json.loads(line[5:])["data"]["stats"]["unread"])


async def test_live_updates_and_a_restart(own_urls: Urls, tmp_path: Path) -> None:
    """Each event comes at once; while one server is restarted no request fails, and each is done once."""
    tocsin = Tocsin(
        tmp_path / "data", {"database_url": own_urls.server, "jwt_secret": SECRET, "drain_seconds": "5"}
    )
    agent = tocsin.call("token", "--tenant", "t", "--user", "a", "--role", "agent").out.strip()
    ada = tocsin.call("token", "--tenant", "t", "--user", "ada").out.strip()
    ports = [str(free_port()) for _ in range(2)]
    with ExitStack() as stack:
        servers = [stack.enter_context(tocsin.start("serve", "--port", port)) for port in ports]
        for server in servers:
            await asyncio.to_thread(server.wait_for, server.is_ready)
        url = stack.enter_context(_caddy(tmp_path, *servers))
        await _check_live(url, agent, ada)
        producer = _Producer(url, agent)
        running = asyncio.create_task(producer.run())
        await producer.come_to(20, running)
        servers[0].process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(servers[0].process.wait, 20) == 0
        await producer.come_to(producer.done + 20, running)
        again = stack.enter_context(tocsin.start("serve", "--port", ports[0]))
        await asyncio.to_thread(again.wait_for, again.is_ready)
        await producer.come_to(producer.done + 20, running)
        running.cancel()
        await asyncio.wait([running])
    found = await fetch(
        own_urls.superuser,
        "select count(*), count(distinct title) from tocsin.notification where user_id = 'grace'",
    )
    # The one that was under way may be stored.
    assert found in ([(producer.done, producer.done)], [(producer.done + 1, producer.done + 1)])


async def _check_live(url: str, agent: str, ada: str) -> None:
    streamed: asyncio.Queue[int] = asyncio.Queue()
    following = asyncio.create_task(_streamed(url, ada, streamed))
    async with (
        AsyncClient(f"{url}/graphql", agent) as client,
        open_socket(url, {"authorization": f"Bearer {ada}"}) as socket,
    ):
        feed = await socket.subscribe(_BADGE)
        first = await feed.next()
        async with asyncio.timeout(5):
            assert (first, await streamed.get()) == ({"stats": {"unread": 0}}, 0)
        for unread in (1, 2, 3):
            said = time.monotonic()
            await client.notify(["ada"], type="t", title="x")
            assert (await feed.next(_PROMPT_SECONDS))["stats"]["unread"] == unread
            async with asyncio.timeout(_PROMPT_SECONDS):
                assert await streamed.get() == unread
            assert time.monotonic() - said < _PROMPT_SECONDS
    assert not following.done(), following.exception()
    following.cancel()
    await asyncio.wait([following])
