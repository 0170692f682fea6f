"""What tests share: a provisioned database, a running server, and clients that speak to it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import uvicorn
import websockets
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import make_url

from db.draft import Draft, create
from db.migrate import upgrade
from db.session import Database, Scope
from resolvers.principal import Role
from tests.wire import Wire
from tocsin import garbage
from tocsin.app import create_app, server_options
from tocsin.auth import sign
from tocsin.settings import Settings

# A server in this process must not freeze what the tests have, where Hypothesis looks for it.
garbage.SLOW_SECONDS = float("inf")

SECRET = "a secret that only the tests of this repository use"
ROWS = """
select n.*, read_at is null and not exists (
  select from tocsin.mark m
  where (m.tenant_id, m.user_id) = (n.tenant_id, n.user_id) and m.through_seq >= n.unread_seq
) as unread
from tocsin.notification n where deleted_at is null
"""
"""What inboxes show, in SQL of its own: `unread` is the rule for marks, word for word."""


@dataclass(frozen=True)
class Urls:
    """One database as its three kinds of role; `superuser` only to look past row level security."""

    superuser: str
    owner: str
    server: str


_templates: dict[str, str] = {}
"""The migrated database of a server, by its superuser's URL, and the role that owns all in it."""


@asynccontextmanager
async def provision(superuser_url: str, *, migrate: bool = True) -> AsyncIterator[Urls]:
    """Make a database with an owner and a server login, as an operator would; drop them at the end."""
    name, password = f"tocsin_test_{uuid4().hex[:12]}", uuid4().hex
    owner, server = f"{name}_owner", f"{name}_server"
    template = _templates.get(superuser_url, "") if migrate else ""
    connection = await asyncpg.connect(superuser_url)
    for role in ("tocsin_app", "tocsin_worker", "tocsin_host"):
        if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
            await connection.execute(f"create role {role} nologin")
    await connection.execute(f"create role {owner} login password '{password}'")
    await connection.execute(
        f"create role {server} login password '{password}' in role tocsin_app, tocsin_worker"
    )
    await connection.execute(f"create database {name} owner {owner} template {template or 'template1'}")
    base = make_url(superuser_url).set(database=name)
    urls = Urls(
        *(
            url.render_as_string(hide_password=False)
            for url in (
                base,
                base.set(username=owner, password=password),
                base.set(username=server, password=password),
            )
        )
    )
    try:
        if template:
            await _execute(urls.superuser, f"reassign owned by {template}_owner to {owner}")
        elif migrate:
            await upgrade(urls.owner)
        yield urls
    finally:
        await connection.execute(f"drop database {name} with (force)")
        await connection.execute(f"drop role {server}; drop role {owner}")
        await connection.close()


async def forgetful(superuser_url: str) -> None:
    """Have a server wait for no disk: it is gone after the tests. Those that crash one have their own."""
    await _execute(superuser_url, "alter system set fsync = off")
    await _execute(superuser_url, "select pg_reload_conf()")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@asynccontextmanager
async def template(superuser_url: str) -> AsyncIterator[None]:
    """Migrate one database; while the block runs, `provision` copies it, which takes a tenth of the time."""
    async with provision(superuser_url, migrate=False) as urls:
        name, owner = make_url(urls.superuser).database, make_url(urls.owner).username
        # What is reassigned in a copy are its objects, and all databases of the role: this is to be none of them.
        await _execute(
            superuser_url,
            f"alter database {name} owner to current_user; grant create on database {name} to {owner}",
        )
        await upgrade(urls.owner)
        _templates[superuser_url] = str(name)
        try:
            yield
        finally:
            del _templates[superuser_url]


def test_settings(urls: Urls, data_dir: Path, **changes: Any) -> Settings:
    """Whole settings for a server on a provisioned database, as open as that of `tocsin dev`."""
    return Settings(
        data_dir=data_dir,
        database_url=SecretStr(urls.server),
        owner_database_url=SecretStr(urls.owner),
        jwt_secret=SecretStr(SECRET),
        **{"rate_limit": 0, "introspection": True, "graphiql": True, "allow_get": True} | changes,
    )


test_settings.__test__ = False  # type: ignore[attr-defined]  # a helper, whatever its name says to pytest


@dataclass(frozen=True)
class Answer:
    """An HTTP answer and what GraphQL said in it."""

    status: int
    content: bytes
    data: Any
    errors: Sequence[Any]

    @property
    def codes(self) -> list[str]:
        """The codes of its errors."""
        return [error["extensions"]["code"] for error in self.errors]


class Api:
    """A running server."""

    def __init__(
        self,
        url: str,
        settings: Settings,
        database: Database,
        http: httpx.AsyncClient,
        *,
        kept_seconds: float = 2,
    ) -> None:
        self.url = url
        self.settings = settings
        self.database = database
        self.http = http
        self.wire = Wire(url, kept_seconds)

    def token(self, tenants: str | Sequence[str], user: str, *roles: Role, minutes: float = 60) -> str:
        """Return a valid token."""
        return sign(
            self.settings,
            tenants=[tenants] if isinstance(tenants, str) else tenants,
            user=user,
            roles=roles or [Role.USER],
            expires=timedelta(minutes=minutes),
        )

    def user(self, tenant: str, user: str, *roles: Role) -> "Api.User":
        """Return a caller with a valid token."""
        return Api.User(self, tenant, user, self.token(tenant, user, *roles))

    async def post(self, document: str, headers: dict[str, str] | None = None, **variables: Any) -> Answer:
        """Run an operation as whoever the headers say."""
        asked = json.dumps({"query": document, "variables": variables}, ensure_ascii=False).encode()
        status, content = await self.wire.post("/graphql", asked, headers or {})
        body = json.loads(content)
        return Answer(status, content, body.get("data"), body.get("errors", ()))

    @dataclass(frozen=True)
    class User:
        """A caller of the API."""

        api: "Api"
        tenant: str
        id: str
        token: str

        async def ask(self, document: str, **variables: Any) -> Answer:
            """Run an operation over HTTP."""
            return await self.api.post(document, {"Authorization": f"Bearer {self.token}"}, **variables)

        async def data(self, document: str, **variables: Any) -> Any:
            """Run an operation that must not fail, and return its data."""
            answer = await self.ask(document, **variables)
            assert not answer.errors, answer.errors
            return answer.data

        async def refusal(self, document: str, **variables: Any) -> Any:
            """Run an operation that must fail with one error, and return that."""
            answer = await self.ask(document, **variables)
            assert len(answer.errors) == 1, answer
            return answer.errors[0]

        async def receive(self, *titles: str, **fields: Any) -> list[str]:
            """Get notifications with these titles, in one transaction; return their ids."""
            drafts = [draft(self.id, title=title, **fields) for title in titles]
            async with self.api.database.transaction(Scope(self.tenant, None)) as tx:
                await create(tx, drafts)
            return [str(it.id) for it in drafts]

        @asynccontextmanager
        async def socket(self) -> AsyncIterator["Socket"]:
            """Open an acknowledged graphql-transport-ws connection."""
            async with open_socket(self.api.url, {"authorization": f"Bearer {self.token}"}) as socket:
                yield socket


def draft(user_id: str, **fields: Any) -> Draft:
    """Return a notification to store."""
    common = {"id": uuid4(), "type": "build.done", "category": "build", "title": "A build", "body": ""}
    return Draft(user_id=user_id, **{**common, **fields})


class Socket:
    """A graphql-transport-ws client of the tests."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self._connection = connection
        self._ids = count(1)
        self._queues: dict[str, asyncio.Queue[dict[str, Any]]] = {}

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self._connection.send(json.dumps(message))

    async def read(self) -> None:
        """Sort incoming messages by operation until the connection closes."""
        with suppress(websockets.ConnectionClosedError):
            async for text in self._connection:
                message = json.loads(text)
                if message["type"] == "ping":
                    await self.send(type="pong")
                elif "id" in message:
                    self._queues[message["id"]].put_nowait(message)

    def abort(self) -> None:
        """Lose the connection without a word."""
        self._connection.transport.abort()

    async def closed(self, seconds: float = 20) -> tuple[int | None, str | None]:
        """Return the code and reason with which the server closes, which must be in time."""
        async with asyncio.timeout(seconds):
            await self._connection.wait_closed()
        return self._connection.close_code, self._connection.close_reason

    async def subscribe(self, document: str, **variables: Any) -> "Feed":
        """Start an operation."""
        return await self.start({"query": document, "variables": variables})

    async def start(self, payload: dict[str, Any]) -> "Feed":
        """Start an operation with this payload."""
        id = str(next(self._ids))
        self._queues[id] = asyncio.Queue()
        await self.send(id=id, type="subscribe", payload=payload)
        return Feed(self, id, self._queues[id])


class Feed:
    """The messages of one operation."""

    def __init__(self, socket: Socket, id: str, queue: "asyncio.Queue[dict[str, Any]]") -> None:
        self._socket, self.id, self._queue = socket, id, queue

    async def message(self, seconds: float = 20) -> dict[str, Any]:
        """Return the next message, whatever its type."""
        async with asyncio.timeout(seconds):
            return await self._queue.get()

    async def next(self, seconds: float = 20) -> Any:
        """Return the data of the next event, which must be there in time and without errors."""
        message = await self.message(seconds)
        assert message["type"] == "next", message
        assert not message["payload"].get("errors"), message
        return message["payload"]["data"]

    def arrived(self) -> list[Any]:
        """Return the data of the events that are there, which must be without errors."""
        messages = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        assert all(it["type"] == "next" and not it["payload"].get("errors") for it in messages), messages
        return [it["payload"]["data"] for it in messages]

    async def silent(self, seconds: float = 0.5) -> bool:
        """Tell whether nothing arrives for a while."""
        try:
            await self.message(seconds)
        except TimeoutError:
            return True
        return False

    async def stop(self) -> None:
        """End the operation."""
        await self._socket.send(id=self.id, type="complete")


@asynccontextmanager
async def open_socket(url: str, payload: dict[str, Any]) -> AsyncIterator[Socket]:
    """Open a connection and have it acknowledged."""
    address = url.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(address, subprotocols=["graphql-transport-ws"]) as connection:  # type: ignore[list-item]
        socket = Socket(connection)
        await socket.send(type="connection_init", payload=payload)
        assert '"connection_ack"' in str(await connection.recv())
        reader = asyncio.create_task(socket.read())
        yield socket
        reader.cancel()


@contextmanager
def _listening() -> Iterator[socket.socket]:
    # With its protocol named asyncio sets TCP_NODELAY, as uvloop always does.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@asynccontextmanager
async def serving(app: FastAPI, settings: Settings) -> AsyncIterator[str]:
    """Serve an application on a free port; yield its address."""
    with _listening() as listener:
        host, port = listener.getsockname()
        server = uvicorn.Server(uvicorn.Config(app, **server_options(settings, host, port)))
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        try:
            yield f"http://{host}:{port}"
        finally:  # or its closed socket stays in the loop, and breaks whatever gets its number next
            server.should_exit = True
            await task


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[Api]:
    """Run the application and a client for it."""
    app = create_app(settings)
    # The server closes an idle connection after 5 s; one that is used again just then would fail.
    limits = httpx.Limits(keepalive_expiry=2)
    async with (
        serving(app, settings) as url,
        # It speaks to no other server, and spares the time to load certificates.
        httpx.AsyncClient(base_url=url, timeout=30, limits=limits, verify=False) as http,
    ):
        api = Api(url, settings, app.state.server.database, http)
        try:
            yield api
        finally:
            api.wire.close()
