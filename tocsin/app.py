"""The ASGI application: the rooms, wired together."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles
from strawberry import Schema
from strawberry.extensions import DisableIntrospection

import db.inbox
from db.revision import is_current
from db.session import OUTAGE, Database, Scope, open_database
from live.hub import Hub, Place
from live.sweep import keep_sweeping
from resolvers import unsubscribe as links
from resolvers.context import Context, Deployment, untraced
from resolvers.principal import Principal
from resolvers.reads import Reads
from resolvers.unsubscribe import Link
from schema import build
from schema.limits import Limits, QueryLimits
from tocsin import bell, logs, metrics
from tocsin.access import Access
from tocsin.auth import Authenticator
from tocsin.connection import OperationScope
from tocsin.edge import EdgeApp
from tocsin.environment import url
from tocsin.garbage import frozen_survivors
from tocsin.http import GraphQLEndpoint
from tocsin.hubs import open_hub
from tocsin.keys import secret_vault
from tocsin.notice import notice
from tocsin.protocols import HttpProtocol, WebSocketProtocol
from tocsin.rates import Rates
from tocsin.roles import require_safe_role
from tocsin.settings import Settings
from tocsin.tracing import tracing
from tocsin.trusted import trust
from tocsin.unsubscribe import router as unsubscribe_router

if TYPE_CHECKING:
    from tocsin.traces import Traces

# A client that has gone without a word is noticed within twice this time.
_PING_SECONDS = 20.0
_GRAPHIQL = Path(__file__).parent / "graphiql"
# The tightest under which GraphiQL works: its editor writes styles of its own and draws with data: images.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class _Assets(StaticFiles):
    """Files whose names never change, so browsers ask each time whether theirs is the newest."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Server:
    """What requests share, from start-up to shutdown."""

    database: Database
    hub: Hub
    reads: Reads
    access: Access

    def __init__(self, settings: Settings, traces: "Traces | None" = None) -> None:
        self._tokens = Authenticator(settings)
        self._traces = traces
        self._deployment = Deployment(
            secret_vault(settings),
            settings.allow_private_webhooks,
            traces.traceparent if traces else untraced,
        )
        self.rates = Rates(settings.rate_limit)
        self._stops = False

    async def authenticate(self, token: str, tenant: str | None) -> Principal:
        """Return who sent a token or a key."""
        return await self.access.principal(token, tenant)

    def remembered(self, token: str, tenant: str | None) -> Principal | None:
        """Return who sent a token that is well known."""
        return self.access.remembered(token, tenant)

    async def lost(self, principal: Principal) -> None:
        """Return when the principal's access is taken away."""
        await self.access.lost(principal)

    def operation(self, principal: Principal | None) -> Context:
        """Return the context of one operation."""
        return Context(principal, self.database, self.hub, self._deployment, self.reads)

    async def _places(self, tenant_id: str, users: Collection[str]) -> Mapping[str, Place]:
        heads = await db.inbox.heads(self.database.reader(Scope(tenant_id, None)), users)
        return {user_id: (head.epoch, head.seq) for user_id, head in heads.items()}

    def link(self, token: str) -> Link | None:
        """Return what a link in a mail stands for."""
        return links.read(self._deployment.vault, token)

    async def unsubscribe(self, link: Link) -> None:
        """Do what a link in a mail stands for."""
        await links.unsubscribe(self.database, link)

    async def is_ready(self) -> bool:
        """Tell whether the database answers and has the migrations of this code, and no stop is near."""
        if self._stops:
            return False
        try:
            async with asyncio.timeout(2):
                return await is_current(self.database)
        except OUTAGE:
            return False

    def stop(self) -> None:
        """Be ready no more."""
        self._stops = True

    @asynccontextmanager
    async def running(self, settings: Settings, *, login_too: bool) -> AsyncIterator[None]:
        """Hold the database and the hub open; refuse a role that could get around row level security."""
        async with AsyncExitStack() as stack:
            if self._traces:
                stack.enter_context(self._traces.exported())
            database_url = url(settings.database_url)
            self.hub = await stack.enter_async_context(open_hub(settings, self.rates.heard))
            self.database = await stack.enter_async_context(
                open_database(
                    database_url,
                    size=settings.database_pool_size,
                    on_commit=self.hub.announce,
                    connection_class=self._traces.connection_class if self._traces else asyncpg.Connection,
                )
            )
            await require_safe_role(self.database, login_too=login_too)
            self.reads = Reads(self.database)
            sweeping = asyncio.create_task(keep_sweeping(self.hub, self._places))
            stack.callback(sweeping.cancel)
            telling = asyncio.create_task(self.rates.keep_telling(self.hub))
            stack.callback(telling.cancel)
            self.access = Access(self._tokens, self.database, self.hub)
            stack.push_async_callback(self.access.close)
            yield


Alongside = Callable[[Database], Awaitable[None]]


def create_app(settings: Settings, *, alongside: Alongside | None = None, login_too: bool = True) -> FastAPI:
    """Return the application for whole settings (see `environment`).

    alongside: what runs beside it from start to shutdown. login_too: whether the role that logs in must
    be as harmless as the one that it acts as.
    """
    traces = tracing(settings)
    server = Server(settings, traces)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with server.running(settings, login_too=login_too):
            task = asyncio.ensure_future(alongside(server.database)) if alongside else None
            read = functools.partial(
                metrics.of_server, server.hub, server.database, lambda: endpoint.seats.taken_by_all
            )
            with (
                metrics.exposed(settings, read),
                frozen_survivors(),
                notice(settings.drain_seconds, server.stop),
            ):
                yield
            if task:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    endpoint = _endpoint(settings, server, traces)
    app = EdgeApp(settings, "/graphql", endpoint.answer, title="Tocsin", lifespan=lifespan)
    app.state.server = server
    app.include_router(endpoint)
    app.include_router(unsubscribe_router(server.link, server.unsubscribe))
    app.include_router(bell.router())
    _add_health(app, server)
    if settings.graphiql:
        app.mount("/graphiql", _Assets(directory=_GRAPHIQL / "assets"))
    return app


def _endpoint(settings: Settings, server: Server, traces: "Traces | None") -> GraphQLEndpoint:
    limits = Limits(
        max_depth=settings.max_depth,
        max_aliases=settings.max_aliases,
        max_fields=settings.max_fields,
        max_tokens=settings.max_tokens,
    )
    hidden = [] if settings.introspection else [DisableIntrospection]
    schema = build([OperationScope, functools.partial(QueryLimits, limits), *hidden])
    endpoint = _traced_endpoint(traces, schema) if traces else GraphQLEndpoint
    found = settings.trusted_documents
    trusted = {"settle": trust(found, schema, limits).settle} if found else {}
    return endpoint(
        schema,
        settings,
        **trusted,
        authenticate=server.authenticate,
        remembered=server.remembered,
        lost=server.lost,
        rates=server.rates,
        new_operation=server.operation,
        ide=_GRAPHIQL / "index.html" if settings.graphiql else None,
        ide_policy=_PAGE_POLICY,
        observe=metrics.observe if settings.metrics_port else None,
    )


def _traced_endpoint(traces: "Traces", schema: Schema) -> Callable[..., GraphQLEndpoint]:
    """Have a schema's root fields traced, and return what makes an endpoint that is traced, too."""
    from schema.traces import trace_root_fields  # noqa: PLC0415  it needs the extra
    from tocsin.traced import TracedEndpoint  # noqa: PLC0415

    trace_root_fields(schema, traces.tracer)
    return functools.partial(TracedEndpoint, traces)


def _add_health(app: FastAPI, server: Server) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        """Tell that the process answers."""
        return Response("ok", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        """Tell whether the database is reachable and its migrations are current."""
        ready = await server.is_ready()
        return Response("ready" if ready else "not ready", 200 if ready else 503, media_type="text/plain")


def server_options(settings: Settings, host: str, port: int) -> dict[str, Any]:
    """Return uvicorn's options: the same limits whichever command serves."""
    return {
        "host": host,
        "port": port,
        "http": HttpProtocol,
        "ws": WebSocketProtocol,
        "ws_max_size": settings.max_message_bytes,
        # It would allocate 46 KB for each socket; what is said to most is a number.
        "ws_per_message_deflate": False,
        "ws_ping_interval": _PING_SECONDS,
        "ws_ping_timeout": _PING_SECONDS,
        "timeout_graceful_shutdown": 10,
        "server_header": False,
        "access_log": False,
        "log_level": "warning",
        "log_config": None,
    }


def from_environment() -> FastAPI:
    """Return the application for settings from the environment alone; what each worker process calls."""
    settings = Settings()
    logs.configure(settings)
    return create_app(settings)
