"""What a client and a load balancer see of a server while something is broken."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from resolvers.principal import Role
from tests.delivery.site import Client

_EVERY_SECONDS = 0.25
_LONGEST_SECONDS = 60
_NO_LIMITS = httpx.Limits(max_connections=None)
_BADGE = "{ stats { total } }"


class Probe:
    """Asks for the badge, /readyz and /healthz again and again, and keeps the answers with their times."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self._address, self._headers = address, headers
        self.answers: Counter[str] = Counter()
        self.longest = 0.0
        self.health: Counter[int] = Counter()
        self._ready: list[tuple[float, bool]] = []

    async def run(self) -> None:
        """Ask until cancelled; a new question does not wait for the answer to the one before."""
        async with (
            httpx.AsyncClient(timeout=_LONGEST_SECONDS, limits=_NO_LIMITS) as http,
            asyncio.TaskGroup() as group,
        ):
            while True:
                group.create_task(self._badge(http))
                group.create_task(self._look(http))
                await asyncio.sleep(_EVERY_SECONDS)

    async def _badge(self, http: httpx.AsyncClient) -> None:
        began = time.monotonic()
        answer = "none"
        with suppress(httpx.TransportError):
            body = (
                await http.post(f"{self._address}/graphql", json={"query": _BADGE}, headers=self._headers)
            ).json()
            answer = body["errors"][0]["extensions"]["code"] if "errors" in body else "data"
        self.answers[answer] += 1
        self.longest = max(self.longest, time.monotonic() - began)

    async def _look(self, http: httpx.AsyncClient) -> None:
        ready = await http.get(f"{self._address}/readyz")
        self._ready.append((time.monotonic(), ready.status_code == httpx.codes.OK))
        self.health[(await http.get(f"{self._address}/healthz")).status_code] += 1

    @property
    def ready(self) -> bool:
        """What /readyz said last."""
        return self._ready[-1][1]

    async def says(self, *, ready: bool, seconds: float = 240) -> float:
        """Return the seconds from now until /readyz says so."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while not any(at > began and it is ready for at, it in self._ready):  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.02)
        return time.monotonic() - began


@asynccontextmanager
async def probing(client: Client, address: str, tenant: str) -> AsyncIterator[Probe]:
    """Probe a server while the block runs."""
    probe = Probe(address, client.headers(tenant, Role.USER))
    task = asyncio.create_task(probe.run())
    try:
        yield probe
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
