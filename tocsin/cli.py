"""The command line: `tocsin --help`."""

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

import asyncpg
import typer
import uvicorn
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from db.embedded import EmbeddedError
from db.migrate import is_current, newest
from db.session import APP_ROLE, Database, open_database
from delivery import reconcile as reconciling
from resolvers.principal import Role
from schema import build
from tocsin import dev as development
from tocsin.app import create_app, require_safe_role, server_options
from tocsin.auth import Authenticator, ConfigurationError, sign
from tocsin.environment import environment, url
from tocsin.hubs import open_hub
from tocsin.importer import Report, import_lines
from tocsin.keys import secret_vault
from tocsin.settings import Settings, variable
from tocsin.worker import run_until_signal, worker_database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.callback()
def main() -> None:
    """Tocsin: a self-hosted, multi-tenant notification inbox behind one GraphQL API."""
    # So that SIGTERM, like Ctrl-C, leaves every `with` block and with that stops the embedded Postgres.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Say what the person at the terminal can mend in one sentence; anything else keeps its traceback."""
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(f"{variable(str(it['loc'][0]))}: {it['msg']}" for it in error.errors())
        _fail(f"Settings: {wrong}")
    except (ConfigurationError, EmbeddedError, development.AlreadyRunningError) as error:
        _fail(str(error))
    except CommandError as error:
        _fail(f"The database was migrated by a newer Tocsin than this one. ({error})")
    except OSError as error:
        where = error.filename or "The database cannot be reached"
        _fail(f"{where}: {error.strerror or error or type(error).__name__}")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
        _fail(_database_fault(error))


def _fail(message: str) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


def _database_fault(error: BaseException) -> str:
    while error.__cause__ and not isinstance(error, asyncpg.PostgresError):
        error = error.__cause__  # SQLAlchemy wraps what the driver says in a statement and a link
    said = f"The database cannot be used: {str(error).partition(chr(10))[0]}"
    if not isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"{said}: run `tocsin migrate`." if APP_ROLE in said else said
    if APP_ROLE in said:
        return f"{said}. A superuser can allow it: GRANT tocsin_app, tocsin_worker TO the role in the URL."
    return (
        f"{said}. Migrate as the database's owner, with CREATEROLE or after a superuser's"
        " CREATE ROLE tocsin_app; CREATE ROLE tocsin_worker."
    )


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if not found:
        raise typer.BadParameter("a number and s, m, h or d, e.g. 12h", param_hint="--expires")
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
            # The workers read the settings again; of these only the embedded Postgres's URL is not there yet.
            os.environ[variable("database_url")] = url(settings.database_url)
            uvicorn.run("tocsin.app:from_environment", factory=True, workers=workers, **options)


async def _require_safe_role(settings: Settings) -> None:
    async with open_database(url(settings.database_url), size=1) as database:
        await require_safe_role(database)


@app.command()
def worker() -> None:
    """Run the jobs that nobody waits for: cleanup, every TOCSIN_CLEANUP_MINUTES. Several may run at once."""
    _log_to_stderr()
    with _plain_errors(), environment(Settings()) as settings:
        asyncio.run(run_until_signal(settings))


@app.command()
def reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Write what was counted.")] = False,
) -> None:
    """Compare each inbox's counters with its rows; the exit code is 1 if some differ and are left so."""
    _log_to_stderr()
    with _plain_errors(), environment(Settings()) as settings:
        found = asyncio.run(_reconcile(settings, repair=repair))
    typer.echo(f"{found} counters differed{', all are mended' if found and repair else ''}.")
    if found and not repair:
        raise typer.Exit(1)


async def _reconcile(settings: Settings, *, repair: bool) -> int:
    async with worker_database(settings) as database:
        return len(await reconciling.run(database, repair=repair))


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


@app.command()
def migrate() -> None:
    """Bring the database up to date, as its owner (TOCSIN_OWNER_DATABASE_URL)."""
    with _plain_errors(), environment(Settings(), migrate=True):
        typer.echo(f"The database is at revision {newest()}.")


@app.command()
def token(
    tenant: Annotated[list[str], typer.Option(help="Tenant; repeat for a token of several.")],
    user: Annotated[str, typer.Option(help="User, the token's sub.")],
    role: Annotated[list[Role] | None, typer.Option(help="Role; user unless given, repeatable.")] = None,
    expires: Annotated[str, typer.Option(help="Lifetime: 30m, 12h, 7d.")] = "12h",
) -> None:
    """Print a token that the server of this data dir, or of this TOCSIN_JWT_SECRET, accepts."""
    with _plain_errors():
        settings = Settings()
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

    A line is an object: tenant, recipients, type, category, title, and optionally body, url, targets and
    createdAt. Bad lines are reported, the good ones stored; the exit code is then 1.
    """
    with (
        _plain_errors(),
        environment(Settings()) as settings,
        file.open("rb") as lines,
        typer.progressbar(length=file.stat().st_size, label="Importing", file=sys.stderr) as bar,
    ):
        report = asyncio.run(_import(settings, lines, bar.update))
    for number, reason in report.bad:
        typer.secho(f"line {number}: {reason}", fg="yellow", err=True)
    typer.echo(
        f"{report.events} events: {report.stored} notifications stored, "
        f"{report.already_stored} already there, {len(report.bad)} bad lines."
    )
    if report.bad:
        raise typer.Exit(1)


async def _import(settings: Settings, lines: BinaryIO, progress: Callable[[int], None]) -> Report:
    async with _hub_and_database(settings) as database:
        return await import_lines(database, lines, progress)


@asynccontextmanager
async def _hub_and_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database so that what is written shows in the subscriptions of running servers."""
    database_url = url(settings.database_url)
    async with (
        open_hub(settings) as hub,
        open_database(database_url, size=2, on_commit=hub.announce) as database,
    ):
        await _require_current(database)
        yield database


async def _require_current(database: Database) -> None:
    with suppress(asyncpg.UndefinedTableError):
        if await is_current(database):
            return
    raise ConfigurationError(f"The database is not at revision {newest()}: run `tocsin migrate`.")


@app.command()
def schema() -> None:
    """Print the GraphQL schema as SDL."""
    typer.echo(build().as_str())
