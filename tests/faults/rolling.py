"""A rolling restart under load: SIGTERM to one server after the other, and to workers while they deliver."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx

from resolvers.principal import Role
from tests.delivery.site import Client, Site
from tests.delivery.soak import TENANTS, Measure, audit, open_client
from tests.faults.command import Command
from tests.tocsin.processes import free_port

KINDS = ("SLACK", "WEBHOOK")
_AT_ONCE = 8
_NOTIFY = """mutation($input: NotifyInput!, $key: String!) {
  notify(input: $input, idempotencyKey: $key) { replayed } }"""
_READY_SECONDS = 60.0


class Balancer:
    """Knows which servers are up by /readyz, as a load balancer does, and asks no other."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses, self._ready, self._turn = addresses, set[str](), 0

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        async with httpx.AsyncClient(timeout=2) as http, asyncio.TaskGroup() as group:
            for address in self._addresses:
                group.create_task(self._watch(http, address))

    async def _watch(self, http: httpx.AsyncClient, address: str) -> None:
        while True:
            if await is_ready(http, address):
                self._ready.add(address)
            else:
                self._ready.discard(address)
            await asyncio.sleep(0.1)

    def next(self) -> str:
        """Return the next of those that are ready."""
        self._turn += 1
        found = [it for it in self._addresses if it in self._ready]
        return found[self._turn % len(found)]


async def is_ready(http: httpx.AsyncClient, address: str) -> bool:
    """Tell what /readyz says."""
    try:
        return (await http.get(f"{address}/readyz")).is_success
    except httpx.TransportError:
        return False


class Caller:
    """Calls steadily over connections that are kept alive. Retries only what was never sent."""

    def __init__(self, name: str, client: Client, pause: float) -> None:
        self._pause = pause
        self._name, self._headers = name, {it: client.headers(it, Role.AGENT) for it in TENANTS}
        self.acknowledged: list[str] = []
        self.refused = self.unanswered = self.failed = 0

    async def run(self, http: httpx.AsyncClient, where: Balancer, over: asyncio.Event) -> None:
        """Call until it is over."""
        number = 0
        while not over.is_set():
            tenant = TENANTS[number % len(TENANTS)]
            await self._call(http, where, tenant, f"{tenant}-{self._name}{number:06}")
            number += 1
            await asyncio.sleep(self._pause)

    async def _call(self, http: httpx.AsyncClient, where: Balancer, tenant: str, key: str) -> None:
        people = [{"id": f"user-{self._name}"}]
        said = {"type": "soak.test", "title": key, "recipients": people}
        asked = {"query": _NOTIFY, "variables": {"input": said, "key": key}}
        while True:
            try:
                answer = await http.post(f"{where.next()}/graphql", json=asked, headers=self._headers[tenant])
            except httpx.ConnectError:
                self.refused += 1
                await asyncio.sleep(0.05)
            except httpx.TransportError:
                self.unanswered += 1
            else:
                if answer.is_success and "errors" not in answer.json():
                    self.acknowledged.append(key)
                else:
                    self.failed += 1
                return


async def rolling_restart(
    site: Site, rounds: int, processes: Sequence[int] = (1, 1), *, pause: float = 0.05
) -> list[Measure]:
    """End each server, of so many processes, and two workers so many times under load, and start them again."""
    ports = [free_port() for _ in processes]
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    servers = [
        Command(site, "serve", "--port", str(port), "--workers", str(count))
        for port, count in zip(ports, processes, strict=True)
    ]
    workers = [Command(site, "worker") for _ in range(2)]
    codes: list[int] = []
    async with open_client(site, addresses[:1]) as client, AsyncExitStack() as stack:
        for tenant in TENANTS:
            await client.open_tenant(tenant, KINDS)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        balancer, over = Balancer(addresses), asyncio.Event()
        watching = asyncio.create_task(balancer.run())
        await _all_ready(http, addresses)
        await asyncio.sleep(0.5)
        callers = [Caller("abcdefgh"[it], client, pause) for it in range(_AT_ONCE)]
        calling = [asyncio.create_task(it.run(http, balancer, over)) for it in callers]
        for _ in range(rounds):
            for program in (*servers, *workers):
                await asyncio.sleep(1)
                codes.append(await asyncio.to_thread(program.end))
                program.start()
                await _all_ready(http, addresses)
                await asyncio.sleep(0.5)  # the balancer has seen it
        over.set()
        await asyncio.gather(*calling)
        watching.cancel()
        await asyncio.wait({watching})
        await site.drained(600)
    keys = [key for caller in callers for key in caller.acknowledged]
    return [
        Measure("processes ended", len(codes)),
        Measure("with another code than 0", sum(code != 0 for code in codes), 0),
        Measure("calls without an answer after they were sent", sum(it.unanswered for it in callers), 0),
        Measure("answers with an error", sum(it.failed for it in callers), 0),
        Measure("connections refused", sum(it.refused for it in callers), 0),
        *await audit(site, keys, 0, KINDS),
    ]


async def _all_ready(http: httpx.AsyncClient, addresses: Sequence[str]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not all([await is_ready(http, it) for it in addresses]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
