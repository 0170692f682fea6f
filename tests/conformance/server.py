"""A small schema behind the real endpoint, on a real port."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, ClassVar

import strawberry
import uvicorn
from fastapi import FastAPI
from graphql import GraphQLError
from strawberry.scalars import JSON

from resolvers.errors import ErrorCode, TocsinError, bad_input, forbidden, unauthenticated
from resolvers.principal import Principal, Role
from schema.compiled import CompiledExecutor, Documents
from schema.limits import Limits, QueryLimits
from tocsin.app import server_options
from tocsin.connection import OperationScope
from tocsin.edge import EdgeApp
from tocsin.http import GraphQLEndpoint
from tocsin.settings import Settings

_serial = count(1)


@dataclass
class Operation:
    """What resolvers see; `serial` tells operations apart."""

    principal: Principal | None
    serial: int = field(default_factory=lambda: next(_serial))
    taken: ClassVar[list[int]] = []


Info = strawberry.Info[Operation, None]


@strawberry.type
class Me:
    """Who is asking."""

    tenant: str
    user: str


def get_serial(info: Info) -> int:
    """Return the number of this operation."""
    return info.context.serial


def get_failure(secret: str = "s3cret") -> int:
    """Fail as no one expects."""
    raise RuntimeError(f"password {secret}")


def get_refusal() -> int:
    """Fail as everyone expects."""
    raise bad_input(("first", "too many"))


@strawberry.type
class Query:
    """Fields that succeed or fail."""

    serial: int = strawberry.field(resolver=get_serial)
    fail: int | None = strawberry.field(resolver=get_failure)
    fail_hard: int = strawberry.field(resolver=get_failure)
    refuse: int | None = strawberry.field(resolver=get_refusal)

    @strawberry.field
    def me(self, info: Info) -> Me | None:
        """Return the caller."""
        who = info.context.principal
        return Me(tenant=who.tenant_id, user=who.user_id) if who else None

    @strawberry.field
    def echo(self, text: str = "", number: int = 0, json: JSON | None = None) -> JSON:
        """Return the arguments."""
        return JSON([text, number, json])

    @strawberry.field
    def node(self) -> "Query":
        """Go one level down."""
        return Query()

    @strawberry.field
    def wrong_type(self) -> int:
        """Return what cannot be serialised."""
        return "s3cret"  # type: ignore[return-value]

    @strawberry.field
    def core_error(self) -> int | None:
        """Raise graphql-core's own error, which is no TocsinError."""
        raise GraphQLError("s3cret", extensions={"code": "MADE_UP"})


@strawberry.type
class Mutation:
    """Fields that are not for GET."""

    serial: int = strawberry.field(resolver=get_serial)


@strawberry.type
class Subscription:
    """Streams that go on, end or break."""

    @strawberry.subscription
    async def ticks(self, info: Info, until: int = 2) -> AsyncGenerator[int, None]:
        """Yield the number of the operation some times."""
        for _ in range(until):
            yield info.context.serial
            await asyncio.sleep(0)

    @strawberry.subscription
    async def forever(self, info: Info) -> AsyncGenerator[int, None]:
        """Yield once, then wait."""
        yield info.context.serial
        await asyncio.Event().wait()

    @strawberry.subscription
    async def bulk(self, info: Info, size: int) -> AsyncGenerator[str, None]:
        """Yield as many bytes as wanted for ever, and count how often somebody took them."""
        taken = info.context.taken
        while True:
            taken.append(size)
            yield "x" * size

    @strawberry.subscription
    async def breaks(self) -> AsyncGenerator[int, None]:
        """Yield once, then fail."""
        yield 1
        raise RuntimeError("password s3cret")

    @strawberry.subscription
    async def refuses(self) -> AsyncGenerator[int, None]:
        """Refuse before the first event."""
        raise forbidden()
        yield 1

    @strawberry.subscription
    async def fields(self) -> AsyncGenerator[Query, None]:
        """Yield something whose fields may fail."""
        yield Query()


@dataclass
class Tokens:
    """An authenticate function; a token is `user` or `user:seconds`, and some are refused."""

    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def __call__(self, token: str, tenant: str | None) -> Principal:
        """Return a principal that expires after the seconds in the token, or an hour."""
        self.asked.append((token, tenant))
        if token in _REFUSED:
            raise _REFUSED[token]
        user, _, seconds = token.partition(":")
        expires = datetime.now(UTC) + timedelta(seconds=float(seconds or 3600))
        return Principal(tenant or "acme", user, frozenset({Role.USER}), expires)


_REFUSED: dict[str, Exception] = {
    "bad": unauthenticated(),
    "foreign": forbidden("The token is not for this tenant."),
    "many": TocsinError(ErrorCode.TENANT_REQUIRED, "The token is for several tenants: choose one."),
    "broken": RuntimeError("password s3cret"),
    "away": ConnectionRefusedError("password s3cret"),
}


def make_app(tokens: Tokens, settings: Settings | None = None, **page: Any) -> FastAPI:
    """Return an application wired as the real one is."""
    settings = settings or Settings(allow_get=True)
    limits = Limits(settings.max_depth, settings.max_aliases, settings.max_fields, 50, settings.max_tokens)
    schema = strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        extensions=[OperationScope, partial(QueryLimits, limits), Documents],
        execution_context_class=CompiledExecutor,
    )
    endpoint = GraphQLEndpoint(schema, settings, authenticate=tokens, new_operation=Operation, **page)
    app = EdgeApp(settings, "/graphql", endpoint.answer)
    app.include_router(endpoint)
    return app


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve on a free port of 127.0.0.1 in this event loop; gives host:port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = {**server_options(Settings(), "127.0.0.1", 0), "timeout_graceful_shutdown": 1}
        config = uvicorn.Config(app, lifespan="off", **options)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listener]))
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await running
