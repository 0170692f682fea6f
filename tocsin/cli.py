"""The command line: `tocsin --help`."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

import db.migrate
from db.embedded import EmbeddedError
from db.safety import unsafe_role
from db.session import Database, open_database
from live.postgres import postgres_hub
from resolvers.principal import Role
from schema import build
from tocsin import dev as development
from tocsin.app import create_app, server_options
from tocsin.auth import Authenticator, ConfigurationError, sign
from tocsin.environment import environment, url, with_signing_key
from tocsin.importer import Report, import_lines
from tocsin.keys import secret_vault
from tocsin.settings import Settings

app = typer.Typer(
    help="Tocsin: a self-hosted, multi-tenant notification inbox behind one GraphQL API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Say what the person at the terminal can mend in one sentence; anything else keeps its traceback."""
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(
            f"TOCSIN_{'_'.join(map(str, it['loc'])).upper()}: {it['msg']}" for it in error.errors()
        )
        _fail(f"Settings: {wrong}")
    except (ConfigurationError, EmbeddedError, development.AlreadyRunningError) as error:
        _fail(str(error))
    except (OSError, asyncpg.PostgresError, SQLAlchemyError) as error:
        _fail(f"The database cannot be used: {type(error).__name__}: {error}")


def _fail(message: str) -> None:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise typer.BadParameter("a number and s, m, h or d, e.g. 12h")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65_535)] = 8000,
    demo: Annotated[bool, typer.Option(help="Fill and move three demo tenants.")] = True,
) -> None:
    """Run everything on this machine: Postgres, migrations, a demo, the server and GraphiQL."""
    with _plain_errors():
        development.run(Settings(), port=port, demo=demo)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Server processes.", min=1, max=64)] = 1,
) -> None:
    """Serve the API. Refuses to start with an unsafe setting and says which."""
    with _plain_errors(), environment(Settings()) as settings:
        Authenticator(settings)
        secret_vault(settings)
        asyncio.run(_require_safe_role(settings))
        options = server_options(settings, host, port)
        if workers == 1:
            uvicorn.run(create_app(settings), **options)
        else:
            uvicorn.run("tocsin.app:from_environment", factory=True, workers=workers, **options)


async def _require_safe_role(settings: Settings) -> None:
    async with open_database(url(settings.database_url), size=1) as database:
        if reason := await unsafe_role(database):
            raise ConfigurationError(f"TOCSIN_DATABASE_URL: {reason}")


@app.command()
def migrate() -> None:
    """Bring the database up to date, as its owner (TOCSIN_OWNER_DATABASE_URL)."""
    with _plain_errors(), environment(Settings()) as settings:
        asyncio.run(db.migrate.upgrade(url(settings.owner_database_url)))
        typer.echo(f"The database is at revision {db.migrate.newest()}.")


@app.command()
def token(
    tenant: Annotated[list[str], typer.Option(help="Tenant; repeat for a token of several.")],
    user: Annotated[str, typer.Option(help="User, the token's sub.")],
    role: Annotated[list[Role] | None, typer.Option(help="Role; user unless given, repeatable.")] = None,
    expires: Annotated[str, typer.Option(help="Lifetime: 30m, 12h, 7d.")] = "12h",
) -> None:
    """Print a token that the server of this data dir, or of this TOCSIN_JWT_SECRET, accepts."""
    with _plain_errors():
        settings = with_signing_key(Settings())
        try:
            typer.echo(
                sign(
                    settings, tenants=tenant, user=user, roles=role or [Role.USER], expires=_duration(expires)
                )
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines, one event each.", exists=True, dir_okay=False)],
) -> None:
    """Store events from a file; a line that is there already is not stored twice.

    A line is an object: tenant, recipients, type, category, title, and optionally body, url, targets, createdAt.
    """
    with _plain_errors(), environment(Settings()) as settings:
        report = asyncio.run(_import(settings, file))
    for number, reason in report.bad:
        typer.secho(f"line {number}: {reason}", fg="yellow", err=True)
    typer.echo(
        f"{report.events} events: {report.stored} notifications stored, "
        f"{report.already_stored} already there, {len(report.bad)} bad lines."
    )
    if report.bad:
        raise typer.Exit(1)


async def _import(settings: Settings, file: Path) -> Report:
    async with _hub_and_database(settings) as database:
        with (
            file.open("rb") as lines,
            typer.progressbar(length=file.stat().st_size, label="Importing") as bar,
        ):
            return await import_lines(database, lines, bar.update)


@asynccontextmanager
async def _hub_and_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database so that what is written shows in the subscriptions of running servers."""
    database_url = url(settings.database_url)
    async with (
        postgres_hub(database_url) as hub,
        open_database(database_url, size=2, on_commit=hub.announce) as database,
    ):
        if not await db.migrate.is_current(database):
            raise ConfigurationError("The database is not up to date: run `tocsin migrate`.")
        yield database


@app.command()
def schema() -> None:
    """Print the GraphQL schema as SDL."""
    typer.echo(build().as_str())
