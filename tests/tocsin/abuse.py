"""A server process under attack: what it is sent, what it answers, and what that costs it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import websockets

from tests.conformance.client import EVENTS
from tests.tocsin.corpus import Attack

MAX_CPU_MS = 50.0
_TRIES, _MOST_TRIES = 5, 25
_PATIENT = 20.0


class Target:
    """A server process, whose CPU time the kernel tells to the nanosecond."""

    def __init__(self, url: str, pid: int, token: str) -> None:
        self.url = url
        self.pid = pid
        self.token = token
        self.http = httpx.AsyncClient(base_url=url, timeout=_PATIENT)
        self.headers = {"Authorization": f"Bearer {token}"}

    def cpu_ms(self) -> float:
        """Return what its threads have used."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6

    async def cost(self, attack: Callable[[], Awaitable[object]]) -> float:
        """Return the CPU of the cheapest of some tries, in ms: what is beside it is noise."""
        costs = []
        for number in range(_MOST_TRIES):
            before = self.cpu_ms()
            await attack()
            costs.append(self.cpu_ms() - before)
            if costs[-1] <= MAX_CPU_MS / 2 or (number >= _TRIES and min(costs) <= MAX_CPU_MS):
                break
        return min(costs)

    async def post(self, attack: Attack) -> list[str]:
        """Send an operation over HTTP; return the codes of the errors."""
        response = await self.http.post("/graphql", json=attack.fresh(), headers=self.headers)
        return codes(response.json())

    async def stream(self, attack: Attack) -> list[str]:
        """Send an operation as a stream; return the codes of the errors in it."""
        response = await self.http.post("/graphql", json=attack.fresh(), headers=self.headers | EVENTS)
        if response.status_code != 200:
            return codes(response.json())
        lines = [line[6:] for line in response.text.split("\r\n") if line.startswith("data: {")]
        return [code for line in lines for code in codes(json.loads(line))]

    async def subscribe(self, attack: Attack) -> list[str]:
        """Send an operation over a socket; return the codes of the errors, or the code that closed it."""
        text = json.dumps({"id": "1", "type": "subscribe", "payload": attack.fresh()})
        return await self.say(text)

    async def say(self, text: str) -> list[str]:
        """Send a text to an acknowledged socket; return the codes of the errors, or the code that closed it."""
        async with websockets.connect(
            self.url.replace("http", "ws") + "/graphql",
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            max_size=None,
        ) as socket:
            payload = {"authorization": self.headers["Authorization"]}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            await socket.recv()
            try:
                await socket.send(text)
                answer = json.loads(await asyncio.wait_for(socket.recv(), _PATIENT))
            except websockets.ConnectionClosed:
                return [str(socket.close_code)]
        payload = answer["payload"]
        return codes({"errors": payload} if answer["type"] == "error" else payload)


def codes(body: Any) -> list[str]:
    """Return the codes of the errors in a response, each once."""
    return sorted({error["extensions"]["code"] for error in body.get("errors", ())})
