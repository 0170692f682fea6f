"""A whole deployment as processes: servers, workers, and the receivers that they deliver to."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from db.session import OUTAGE
from resolvers.principal import Role
from tests.delivery.peer import Entry, Peer, peer
from tests.forked import Forked, Streams, run_command
from tests.support import SECRET, Api, Urls, test_settings
from tests.tocsin.processes import Tocsin, free_port

KINDS: Sequence[str] = ("EMAIL", "SLACK", "WEBHOOK")
SENDER = "tocsin@example.org"

_NOTIFY = """mutation($input: NotifyInput!, $key: String!) {
  notify(input: $input, idempotencyKey: $key) { request { id } replayed } }"""
_CREATE_CHANNEL = "mutation($input: ChannelInput!) { createChannel(input: $input) { channel { id } } }"
_OPT_OUT = """mutation { updatePreferences(
  preferences: [{category: "*", channelKind: WEBHOOK, enabled: false}]) { id } }"""
_NAMES = {Role.ADMIN: "root", Role.AGENT: "bot", Role.USER: "out"}
_PATIENCE_SECONDS = 0.1


class Program:
    """A process; `start` may be called again when it was killed. Its output goes to a file."""

    def __init__(self, run: Callable[[], None], environ: dict[str, str], log: Path) -> None:
        self._what = run, environ, log.parent, Streams(log, log)
        self.start()

    def start(self) -> None:
        """Start it."""
        self.process = Forked(*self._what)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None


@dataclass(frozen=True)
class Site:
    """A deployment. What is started in it ends with it."""

    urls: Urls
    folder: Path
    web: Peer
    mail: Peer
    ended: ExitStack
    settings: dict[str, str]

    def program(self, run: Callable[[], None]) -> Program:
        """Start a process that runs something."""
        environ = Tocsin(self.folder / "data", self.settings).environ()
        program = Program(run, environ, self.folder / f"{time.monotonic_ns()}.log")
        self.ended.callback(program.kill)
        return program

    def workers(self, count: int) -> list[Program]:
        """Start workers."""
        return [self.program(partial(run_command, "worker")) for _ in range(count)]

    def servers(self, count: int) -> tuple[list[Program], list[str]]:
        """Start servers; return their addresses, too."""
        ports = [free_port() for _ in range(count)]
        programs = [self.program(partial(run_command, "serve", "--port", str(port))) for port in ports]
        return programs, [f"http://127.0.0.1:{port}" for port in ports]

    def received(self) -> list[Entry]:
        """Return what came to the receivers."""
        return self.web.entries() + self.mail.entries()

    def address(self, kind: str, query: str = "") -> str:
        """Return where the receiver takes POSTs."""
        return f"http://127.0.0.1:{self.web.port}/{kind}{query}"

    async def sql(self, query: str, *values: object) -> list[Any]:
        """Ask the database past row level security, over a connection of its own; wait while it is away."""
        while True:
            try:
                connection = await asyncpg.connect(self.urls.superuser)
                try:
                    return await connection.fetch(query, *values)
                finally:
                    await connection.close(timeout=5)
            except OUTAGE:
                await asyncio.sleep(_PATIENCE_SECONDS)

    async def drained(self, seconds: float, tenant: str = "") -> None:
        """Return as soon as nothing is in the outbox, or in a tenant's part of it."""
        query = "select count(*) from tocsin.due where $1 in ('', tenant_id)"
        async with asyncio.timeout(seconds):
            while (await self.sql(query, tenant))[0]["count"]:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(_PATIENCE_SECONDS)


@contextmanager
def deployed(urls: Urls, folder: Path, **settings: str) -> Iterator[Site]:
    """Run the receivers, and what is started; kill it all where the block ends. settings: TOCSIN_* in small."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        peer("http", folder / "web.jsonl") as web,
        peer("smtp", folder / "mail.jsonl") as mail,
        ExitStack() as ended,
    ):
        whole = {
            "database_url": urls.server,
            "owner_database_url": urls.owner,
            "jwt_secret": SECRET,
            "allow_private_webhooks": "true",
            **({"smtp_url": f"smtp://127.0.0.1:{mail.port}"} if "EMAIL" in KINDS else {}),
            **settings,
        }
        yield Site(urls, folder, web, mail, ended, whole)


class Client:
    """A client that tries each call again, at one server after the other, until it is answered."""

    def __init__(self, site: Site, addresses: Sequence[str], http: httpx.AsyncClient) -> None:
        self._site, self._http, self._addresses = site, http, list(addresses)
        self.troubles: list[str] = []
        self._tokens: dict[tuple[str, Role], str] = {}

    @property
    def retries(self) -> int:
        """How often a call was tried again."""
        return len(self.troubles)

    def headers(self, tenant: str, role: Role) -> dict[str, str]:
        """Return the headers of a call."""
        if (tenant, role) not in self._tokens:
            settings = test_settings(self._site.urls, self._site.folder / "data")
            # The signing is all that is wanted of it.
            api = Api("", settings, None, self._http)  # type: ignore[arg-type]
            self._tokens[tenant, role] = api.token(tenant, _NAMES[role], role)
        return {"Authorization": f"Bearer {self._tokens[tenant, role]}"}

    async def ask(self, tenant: str, role: Role, document: str, **variables: Any) -> Any:
        """Return the data of an operation."""
        headers = self.headers(tenant, role)
        while True:
            try:
                answer = await self._http.post(
                    f"{self._addresses[0]}/graphql",
                    json={"query": document, "variables": variables},
                    headers=headers,
                )
                body = answer.json()
            except (httpx.TransportError, ValueError) as error:
                self.troubles.append(repr(error))
                self._addresses.append(self._addresses.pop(0))
            else:
                codes = {error["extensions"]["code"] for error in body.get("errors", ())}
                if not codes:
                    return body["data"]
                assert codes == {"UNAVAILABLE"}, body
                self.troubles.append(str(body["errors"]))
            await asyncio.sleep(_PATIENCE_SECONDS)

    async def open_tenant(self, tenant: str, kinds: Sequence[str], query: str = "") -> None:
        """Give a tenant a channel of each kind, and a user `out` who does not want webhooks."""
        for kind in kinds:
            config = {"from": SENDER} if kind == "EMAIL" else {"url": self._site.address(kind, query)}
            channel = {"kind": kind, "name": kind, "config": config}
            await self.ask(tenant, Role.ADMIN, _CREATE_CHANNEL, input=channel)
        await self.ask(tenant, Role.USER, _OPT_OUT)

    async def notify(self, tenant: str, key: str, *users: str, **more: Any) -> None:
        """Say something to users; the title is the key."""
        people = [{"id": user, "email": f"{user}@example.org"} for user in users]
        said = {"type": "soak.test", "title": key, "recipients": people, **more}
        await self.ask(tenant, Role.AGENT, _NOTIFY, input=said, key=key)
