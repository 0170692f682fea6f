"""`tocsin dev`: everything on one machine, with a demo to explore."""

import asyncio
import fcntl
import functools
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import typer
import uvicorn

from db.session import open_database
from resolvers.principal import Role
from tocsin import demo
from tocsin.app import create_app, server_options
from tocsin.auth import sign
from tocsin.bell import page
from tocsin.environment import environment, url
from tocsin.fault import AlreadyRunningError
from tocsin.roles import require_safe_role
from tocsin.settings import Settings, for_development
from tocsin.worker import working

_HOST = "127.0.0.1"
_LIFETIME = timedelta(days=30)
_PEOPLE = (
    ("a user", "strawberry", "grace", Role.USER),
    ("an admin", "strawberry", "ada", Role.ADMIN),
    ("a user of another tenant", "graphql-ws", "ken", Role.USER),
)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Hold the data dir for the one `tocsin dev` that may run on it; the kernel lets go when it dies."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "dev.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, data_dir)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, data_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunningError(f"`tocsin dev` is already running on {data_dir.resolve()}.") from None


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise AlreadyRunningError(f"Port {port} is taken: try --port. ({error.strerror})") from None


def run(settings: Settings, *, port: int, demo: bool) -> None:
    """Run until Ctrl-C or SIGTERM; Postgres stops with it. Raises AlreadyRunningError."""
    with _alone(settings.data_dir):
        _require_free(port)
        with environment(for_development(settings), migrate=True) as whole, suppress(KeyboardInterrupt):
            asyncio.run(_serve(whole, port, with_demo=demo))


async def _serve(settings: Settings, port: int, *, with_demo: bool) -> None:
    # Here one URL may serve both to migrate and to serve, so only the role that is acted as must be safe.
    async with open_database(url(settings.database_url), size=2) as database:
        await require_safe_role(database, login_too=False)
        if with_demo:
            await demo.seed(database)
    app = create_app(settings, alongside=demo.tick if with_demo else None, login_too=False)
    has_page = with_demo and _can_sign(settings)
    if has_page:
        app.include_router(page.router(demo.PEOPLE, functools.partial(_token, settings)))
    server = _Server(uvicorn.Config(app, **server_options(settings, _HOST, port)))
    server.greeting = lambda: _greet(settings, port, has_page=has_page)
    async with working(settings, login_too=False):
        await server.serve()


class _Server(uvicorn.Server):
    """A server that greets once it listens."""

    greeting: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then greet."""
        await super().startup(sockets)
        if self.started:
            self.greeting()


def _can_sign(settings: Settings) -> bool:
    """Tell whether the key that tokens are checked with makes them, too."""
    return settings.jwt_algorithm == "HS256"


def _token(settings: Settings, tenant: str, user: str, role: Role) -> str:
    return sign(settings, tenants=[tenant], user=user, roles=[role], expires=_LIFETIME)


def _greet(settings: Settings, port: int, *, has_page: bool) -> None:
    """Print where to look and with which tokens."""
    address = f"http://{_HOST}:{port}"
    demo_page = f"Demo: {address}/\n" if has_page else ""
    typer.secho(f"\nTocsin runs. {demo_page}GraphiQL: {address}/graphql", bold=True)
    if _can_sign(settings):
        for who, tenant, user, role in _PEOPLE:
            token = _token(settings, tenant, user, role)
            typer.echo(f"\n{who} ({user} of {tenant}): {address}/graphql#token={token}\n  Bearer {token}")
    typer.echo("\nCtrl-C stops it.")
