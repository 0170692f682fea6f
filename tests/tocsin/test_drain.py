"""`tocsin serve` that is told to stop while it is busy: nobody loses anything."""

import asyncio
import json
import signal
from collections import Counter
from itertools import count
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support import Urls
from tests.tocsin.processes import Running, Tocsin, until
from tocsin.protocols import RETURN_WITHIN_MS

_SECRET = "a secret that only these tests use, with 32 bytes"
_NOTIFY = """mutation($key: String!) {
  notify(input: {recipients: [{id: "ada"}], type: "t", category: "c", title: "x"}, idempotencyKey: $key) {
    created
  }
}"""
_EVENTS = """subscription($since: String) {
  inboxEvents(since: $since) { cursor ... on NotificationCreated { notification { id } } }
}"""


class Reader:
    """A client that keeps its cursor."""

    def __init__(self, token: str, cursor: str) -> None:
        self._token = token
        self._cursor = cursor
        self.seen: list[str] = []
        self.warm = asyncio.Event()
        self.closed: tuple[int | None, str | None] = None, None

    async def follow(self, running: Running, wanted: int | None = None) -> None:
        """Follow the inbox from its cursor until the server closes, or until it has seen so many."""
        url = running.url.replace("http", "ws", 1) + "/graphql"
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
            await self._begin(socket)
            try:
                while wanted is None or len(self.seen) < wanted:
                    self._take(json.loads(await socket.recv())["payload"]["data"]["inboxEvents"])
            except ConnectionClosed:
                self.closed = socket.close_code, socket.close_reason

    async def _begin(self, socket: ClientConnection) -> None:
        payload = {"authorization": f"Bearer {self._token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert "connection_ack" in str(await socket.recv())
        query = {"query": _EVENTS, "variables": {"since": self._cursor}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))

    def _take(self, event: dict[str, object]) -> None:
        self._cursor = str(event["cursor"])
        self.seen.append(str(event["notification"]["id"]))  # type: ignore[index]
        if len(self.seen) == 20:
            self.warm.set()


class Writer:
    """An agent that notifies with keys, one after the other."""

    def __init__(self, name: str, token: str) -> None:
        self._keys = (f"{name}-{number}" for number in count())
        self._headers = {"Authorization": f"Bearer {token}"}
        self.acknowledged: list[str] = []
        self.unsure = ""

    async def work(self, running: Running) -> None:
        """Notify until the server is no more there; the last key is then unsure."""
        async with httpx.AsyncClient(base_url=running.url, headers=self._headers, timeout=20) as http:
            while True:
                self.unsure = next(self._keys)
                try:
                    await self.notify(http, self.unsure)
                except httpx.TransportError:
                    return
                self.acknowledged.append(self.unsure)

    async def again(self, running: Running) -> None:
        """Send the unsure one again, elsewhere."""
        async with httpx.AsyncClient(base_url=running.url, headers=self._headers, timeout=20) as http:
            await self.notify(http, self.unsure)

    async def notify(self, http: httpx.AsyncClient, key: str) -> None:
        """Send one; an answer is an acknowledgement."""
        answer = await http.post("/graphql", json={"query": _NOTIFY, "variables": {"key": key}})
        assert answer.json() == {"data": {"notify": {"created": 1}}}


async def test_a_server_that_is_told_to_stop_under_load(own: Urls, tmp_path: Path) -> None:
    """Sockets close with 1012, what was acknowledged is there, and readers miss nothing at another server."""
    tocsin = Tocsin(tmp_path, {"database_url": own.server, "jwt_secret": _SECRET})
    token, key = tocsin.token("acme", "ada"), tocsin.token("acme", "ci", "agent")
    with tocsin.serve() as first, tocsin.serve() as second:
        cursor = first.ask(token, "{ notifications(first: 1) { eventCursor } }")["notifications"][
            "eventCursor"
        ]
        readers = [Reader(token, cursor) for _ in range(5)]
        writers = [Writer(name, key) for name in "abcd"]
        following = [asyncio.create_task(reader.follow(first)) for reader in readers]
        working = [asyncio.create_task(writer.work(first)) for writer in writers]
        async with asyncio.timeout(30):
            await asyncio.gather(*(reader.warm.wait() for reader in readers))
            assert await asyncio.to_thread(first.end) == 0
            await asyncio.gather(*following, *working)
        assert "Traceback" not in first.text()
        assert "Cancel" not in first.text()
        for reader in readers:
            code, reason = reader.closed
            assert code == 1012
            assert 0 <= json.loads(reason or "")["retryAfterMs"] <= RETURN_WITHIN_MS
        await asyncio.gather(*(writer.again(second) for writer in writers))
        sent = sum(len(writer.acknowledged) + 1 for writer in writers)
        async with asyncio.timeout(30):
            await asyncio.gather(*(reader.follow(second, sent) for reader in readers))
        stored = second.ask(token, "{ stats { total } }")["stats"]["total"]
        assert [stored] + [len(set(reader.seen)) for reader in readers] == [sent] * 6
        assert {count for reader in readers for count in Counter(reader.seen).values()} == {1}


def test_load_balancers_are_told_first(own: Urls, tmp_path: Path) -> None:
    """For TOCSIN_DRAIN_SECONDS after SIGTERM the server says 503 at /readyz and serves; then it is gone."""
    settings = {"database_url": own.server, "jwt_secret": _SECRET, "drain_seconds": "2"}
    tocsin = Tocsin(tmp_path, settings)
    token = tocsin.token("acme", "grace")
    with tocsin.serve() as running:
        running.process.send_signal(signal.SIGTERM)
        assert until(lambda: httpx.get(f"{running.url}/readyz", verify=False).status_code == 503)
        assert running.ask(token, "{ stats { total } }") == {"stats": {"total": 0}}
        assert running.process.poll() is None
        assert running.process.wait(20) == 0
        assert not running.is_ready()


def test_a_second_signal_does_not_wait(own: Urls, tmp_path: Path) -> None:
    """Who sends SIGTERM twice has it stop at once."""
    settings = {"database_url": own.server, "jwt_secret": _SECRET, "drain_seconds": "300"}
    with Tocsin(tmp_path, settings).serve() as running:
        running.process.send_signal(signal.SIGTERM)
        assert until(lambda: not running.is_ready())
        assert running.end() == 0
