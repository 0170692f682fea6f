"""What one of each costs, for docs/scaling.md: `python -m bench.units`.

CPU time and memory, so that a busy machine disturbs little. Clients run in this process and are not counted.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx

from db import embedded
from resolvers.principal import Role
from tests.support import SECRET, Urls, open_socket, provision, test_settings
from tests.tocsin.processes import Running, Tocsin, fetch, postgres_of
from tocsin.auth import sign

SOCKETS, NOTIFIES, AT_A_TIME = 300, 600, 8
_NOTIFY = """mutation($user: ID!) {
  notify(input: {
    recipients: [{id: $user}], type: "t", category: "c", title: "A build is done", body: "It took 12 minutes."
  }) { created }
}"""
_STATS = "subscription { stats { unread } }"
_EVENTS = "subscription { inboxEvents { cursor ... on NotificationCreated { notification { id title } } } }"
_STORED = """
select (select count(*) from tocsin.notification), sum(pg_total_relation_size(oid))::bigint
from pg_class where relnamespace = 'tocsin'::regnamespace and relkind = 'r'"""
_TICK = os.sysconf("SC_CLK_TCK")


def _cpu(pids: Iterable[int]) -> float:
    """Return the seconds of CPU that processes have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(it[11]) + int(it[12]) for it in fields) / _TICK


def _resident(pid: int) -> int:
    """Return the KB of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Bench:
    """A server, its database, and who may ask it."""

    def __init__(self, server: Running, urls: Urls, folder: Path) -> None:
        self._server, self._urls, self._folder = server, urls, folder
        self._settings = test_settings(urls, folder)

    def token(self, user: str, role: Role = Role.USER) -> str:
        """Return a token."""
        hour = timedelta(hours=1)
        return sign(self._settings, tenants=["acme"], user=user, roles=[role], expires=hour)

    def _used(self) -> tuple[float, float]:
        return _cpu([self._server.process.pid]), _cpu(postgres_of(self._folder))

    async def cost(self, label: str, times: int, run: Callable[[], Awaitable[None]]) -> None:
        """Print the CPU that something took that was done so many times."""
        began = self._used()
        await run()
        await asyncio.sleep(1)  # what comes after the answers counts too
        server, postgres = (
            (end - begin) / times * 1e6 for begin, end in zip(began, self._used(), strict=True)
        )
        sys.stdout.write(f"{label}: server {server:,.0f} us, Postgres {postgres:,.0f} us\n")

    async def notify(self, times: int) -> None:
        """Notify one user after the other, some at a time."""
        headers = {"Authorization": f"Bearer {self.token('bot', Role.AGENT)}"}
        numbers = iter(range(times))

        async def some(http: httpx.AsyncClient) -> None:
            for number in numbers:
                body = {"query": _NOTIFY, "variables": {"user": f"user-{number % SOCKETS}"}}
                answer = (await http.post("/graphql", json=body, headers=headers)).json()
                assert answer["data"]["notify"]["created"] == 1, answer

        async with httpx.AsyncClient(base_url=self._server.url, timeout=60) as http:
            await asyncio.gather(*(some(http) for _one in range(AT_A_TIME)))

    async def connect(self, stack: AsyncExitStack) -> None:
        """Open the sockets, each of a user with both subscriptions."""
        for number in range(SOCKETS):
            payload = {"authorization": f"Bearer {self.token(f'user-{number}')}"}
            socket = await stack.enter_async_context(open_socket(self._server.url, payload))
            await (await socket.subscribe(_STATS)).next(30)
            await socket.subscribe(_EVENTS)

    def resident(self) -> int:
        """Return the KB of memory that the server has."""
        return _resident(self._server.process.pid)

    async def stored(self) -> tuple[int, int]:
        """Return how many notifications there are, and the bytes of all tables with their indexes."""
        ((rows, size),) = await fetch(self._urls.superuser, _STORED)
        return rows, size


async def _measure(bench: Bench) -> None:
    await bench.notify(SOCKETS)  # makes users and inboxes, and warms up
    began = await bench.stored()
    await bench.cost("a notify of one recipient", NOTIFIES, lambda: bench.notify(NOTIFIES))
    rows, size = (end - begin for begin, end in zip(began, await bench.stored(), strict=True))
    sys.stdout.write(f"a notification stored: {size / rows:,.0f} bytes\n")
    before = bench.resident()
    async with AsyncExitStack() as stack:
        await bench.connect(stack)
        sys.stdout.write(
            f"a socket with both subscriptions: {(bench.resident() - before) / SOCKETS:,.1f} KB\n"
        )
        await bench.cost("the same notify, told to one socket", NOTIFIES, lambda: bench.notify(NOTIFIES))


async def _main(folder: Path) -> None:
    with embedded.start(folder / "postgres") as postgres:
        async with provision(postgres.superuser_url) as urls:
            tocsin = Tocsin(folder, {"database_url": urls.server, "jwt_secret": SECRET}, afresh=True)
            with tocsin.serve() as server:
                await _measure(Bench(server, urls, folder))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(_main(Path(name)))
