"""Servers and workers whose clocks go wrong, each another way, on a database whose clock is right."""

import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import libfaketime  # type: ignore[import-untyped]

from resolvers.principal import Role
from tests.delivery.site import Client, Site
from tests.delivery.soak import TENANTS, Measure, audit, notify_all
from tests.faults.command import Command
from tests.support import test_settings
from tests.tocsin.processes import free_port, until
from tocsin.auth import sign

HOUR = 3600
LIBRARY = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
_BADGE = "{ stats { total } }"
_QUIET = """mutation($user: ID!, $preferences: [PreferenceInput!]!) {
  updatePreferences(user: $user, preferences: $preferences) { id } }"""
_NOTIFY = """mutation($input: NotifyInput!, $key: String!) {
  notify(input: $input, idempotencyKey: $key) { replayed request { id } } }"""
_WAITING = "select count(*) from tocsin.delivery where status = 'DEFERRED' and user_id = $1"
_OUTSIDE = """
select (select count(*) from tocsin.notification where not created_at between $1 and now())
  + (select count(*) from tocsin.request where not created_at between $1 and now())
  + (select count(*) from tocsin.delivery where not created_at between $1 and now())
  + (select count(*) from tocsin.attempt where not at between $1 and now()) as count
"""
_RETRIES = "select count(*) from tocsin.delivery where status = 'SENT' and attempts <> 2"


def skewed_command(site: Site, seconds: int, *words: str) -> Command:
    """Start a command that lives so many seconds ahead; its monotonic clock, as on any host, is right."""
    # Under a path of its own: LD_PRELOAD takes a space for the end of one.
    library = Path(tempfile.gettempdir()) / f"libfaketime-{uuid4().hex}.so"
    site.ended.callback(library.unlink)
    shutil.copyfile(LIBRARY, library)
    faked = {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return Command(site, *words, environ=faked | {"DONT_FAKE_MONOTONIC": "1"})


class SkewedClient(Client):
    """A client whose tokens are of the clock of the server that it asks."""

    ahead = 0

    @property
    def address(self) -> str:
        """Where its server is."""
        return self._addresses[0]

    def headers(self, tenant: str, role: Role) -> dict[str, str]:
        """Return the headers of a call."""
        return authorization(self._site, tenant, role, issued=self.ahead)


def authorization(
    site: Site, tenant: str, role: Role, *, issued: int, minutes: float = 60, user: str = ""
) -> dict[str, str]:
    """Return a header with a token issued so many seconds from now, for so many minutes."""
    token = sign(
        test_settings(site.urls, site.folder / "data"),
        tenants=[tenant],
        user=user or role.value.lower(),
        roles=[role],
        expires=timedelta(minutes=minutes),
        clock=lambda: time.time() + issued,
    )
    return {"Authorization": f"Bearer {token}"}


def server(site: Site, seconds: int) -> tuple[Command, str]:
    """Start a server that lives so many seconds ahead; return its address, too."""
    port = free_port()
    return skewed_command(site, seconds, "serve", "--port", str(port)), f"http://127.0.0.1:{port}"


def is_up(address: str) -> bool:
    """Tell whether a server is ready, as soon as it is; it has 60 seconds."""

    def is_ready() -> bool:
        try:
            return httpx.get(f"{address}/readyz").is_success
        except httpx.TransportError:
            return False

    return until(is_ready, 60)


async def accepts(site: Site, address: str, *, issued: int, minutes: float) -> bool:
    """Tell whether a server takes a token."""
    headers = authorization(site, "acme", Role.USER, issued=issued, minutes=minutes)
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{address}/graphql", json={"query": _BADGE}, headers=headers)
    assert answer.status_code in {200, 401}
    return answer.status_code == httpx.codes.OK


# -- the scenario ------------------------------------------------------------------------------------------


async def skewed(site: Site, notifies: int) -> list[Measure]:
    """Say things at a server an hour ahead and at one an hour behind; such workers deliver them, retried once."""
    (began,) = await site.sql("select now() as at")
    programs: list[Command] = []
    keys: list[str] = []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        clients = []
        for ahead in (HOUR, -HOUR):
            program, address = server(site, ahead)
            programs += [program, skewed_command(site, ahead, "worker")]
            clients.append(SkewedClient(site, [address], http))
            clients[-1].ahead = ahead
        assert all(is_up(client.address) for client in clients)
        for tenant in TENANTS:
            await clients[0].open_tenant(tenant, ["WEBHOOK"], "?first=500%20Oops")
        said = time.monotonic()
        for number, client in enumerate(clients):
            keys += await notify_all(client, iter(range(number * notifies, (number + 1) * notifies)))
        await site.drained(300)
        lasted = time.monotonic() - said
        books = await audit(site, keys, len(keys) * 2, ["WEBHOOK"])
        outside = (await site.sql(_OUTSIDE, began["at"]))[0]["count"]
        wrong = (await site.sql(_RETRIES))[0]["count"]
        first = min(keys)  # acme's, and said to `out`; they are in the order in which they were answered
        odd = [it for client in clients for it in await _oddities(site, client, first)]
    return [
        Measure("seconds until all was delivered", round(lasted, 1), 60, is_time=True),
        Measure("rows with another time than the database's", outside, 0),
        Measure("deliveries not sent at their second attempt", wrong, 0),
        Measure("keys and quiet hours by a wrong clock", len(odd), 0),
        Measure("processes that ended", sum(not it.is_running for it in programs), 0),
        *books,
    ]


async def _oddities(site: Site, client: SkewedClient, key: str) -> list[str]:
    """Return what goes by the clock of a client's server: whether a key is known, and when quiet hours are."""
    tenant, user, now = key.partition("-")[0], f"ada{client.ahead}", datetime.now(UTC)
    said = {"type": "soak.test", "title": key, "recipients": [{"id": "out", "email": "out@example.org"}]}
    again = await client.ask(tenant, Role.AGENT, _NOTIFY, input=said, key=key)
    odd = [] if again["notify"]["replayed"] else ["key"]
    for category, start, waits in (("none", None, 0), ("now", -30, 1), ("soon", 30, 0)):
        if start is not None:
            hours = [f"{now + timedelta(minutes=start + it):%H:%M}" for it in (0, 60)]
            window = {"category": category, "quietStart": hours[0], "quietEnd": hours[1]}
            await client.ask(tenant, Role.ADMIN, _QUIET, user=user, preferences=[window])
        before = (await site.sql(_WAITING, user))[0]["count"]
        said = {"type": "soak.odd", "category": category, "title": category, "recipients": [{"id": user}]}
        await client.ask(tenant, Role.AGENT, _NOTIFY, input=said, key=f"{user}-{category}")
        if (await site.sql(_WAITING, user))[0]["count"] - before != waits:
            odd.append(category)
    return odd
