"""The command line: `tocsin --help`.

What only some commands need is imported there: GraphQL and the web framework take half a second to load.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import asyncpg
import typer
from uvicorn.loops.auto import auto_loop_factory

from db import epoch
from db.revision import is_current, newest
from db.session import Database, open_database
from delivery import reconcile as reconciling
from live.hub import Hub
from resolvers.context import Context, Deployment
from resolvers.principal import Principal, Role
from tocsin import importer, rotation
from tocsin.auth import Authenticator, ConfigurationError, sign
from tocsin.environment import environment, url
from tocsin.fault import plain_errors
from tocsin.garbage import loading
from tocsin.hubs import open_hub
from tocsin.keys import secret_vault
from tocsin.roles import require_safe_role
from tocsin.settings import Settings, variable
from tocsin.worker import run_until_signal, worker_database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

T = TypeVar("T")
_COLOURS = {"warning": "yellow", "problem": "red"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.callback()
def main() -> None:
    """Tocsin: a self-hosted, multi-tenant notification inbox behind one GraphQL API."""
    # So that SIGTERM, like Ctrl-C, leaves every `with` block and with that stops the embedded Postgres.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


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
    with loading():
        from tocsin import dev as development  # noqa: PLC0415
    with plain_errors(), _logging(Settings()) as settings:
        development.run(settings, port=port, demo=demo)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(help="Server processes.", min=1, max=64)] = 1,
) -> None:
    """Serve the API. Refuses to start with an unsafe setting and says which."""
    with loading():
        import uvicorn  # noqa: PLC0415

        from tocsin.app import create_app, server_options  # noqa: PLC0415

    with plain_errors(), _logging(Settings()) as logged, environment(logged) as settings:
        Authenticator(settings)
        secret_vault(settings)
        application = create_app(settings)
        asyncio.run(_require_safe_role(settings))
        options = server_options(settings, host, port)
        if workers == 1:
            uvicorn.run(application, **options)
        else:
            # The workers read the settings again; of these only the embedded Postgres's URL is not there yet.
            os.environ[variable("database_url")] = url(settings.database_url)
            uvicorn.run("tocsin.app:from_environment", factory=True, workers=workers, **options)


async def _require_safe_role(settings: Settings) -> None:
    async with open_database(url(settings.database_url), size=1) as database:
        await require_safe_role(database)


@app.command()
def worker() -> None:
    """Deliver what is due and fan out what is for everyone; clean up every TOCSIN_CLEANUP_MINUTES.

    Several may run at once.
    """
    with (
        plain_errors(),
        _logging(Settings()) as logged,
        environment(logged) as settings,
        asyncio.Runner(loop_factory=auto_loop_factory()) as runner,  # the loop that servers have, too
    ):
        runner.run(run_until_signal(settings))


@app.command()
def reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Write what was counted.")] = False,
) -> None:
    """Compare each inbox's counters with its rows; the exit code is 1 if some differ and are left so."""
    with plain_errors(), _logging(Settings()) as logged, environment(logged) as settings:
        found = asyncio.run(_reconcile(settings, repair=repair))
    typer.echo(f"{found} counters differed{', all are mended' if found and repair else ''}.")
    if found and not repair:
        raise typer.Exit(1)


async def _reconcile(settings: Settings, *, repair: bool) -> int:
    async with worker_database(settings) as database:
        return len(await reconciling.run(database, repair=repair))


@contextmanager
def _logging(settings: Settings) -> Iterator[Settings]:
    """Log as the settings say."""
    from tocsin import logs  # noqa: PLC0415

    logs.configure(settings)
    yield settings


@app.command()
def migrate() -> None:
    """Bring the database up to date, as its owner (TOCSIN_OWNER_DATABASE_URL)."""
    with plain_errors(), environment(Settings(), migrate=True):
        typer.echo(f"The database is at revision {newest()}.")


@app.command()
def token(
    tenant: Annotated[list[str], typer.Option(help="Tenant; repeat for a token of several.")],
    user: Annotated[str, typer.Option(help="User, the token's sub.")],
    role: Annotated[list[Role] | None, typer.Option(help="Role; user unless given, repeatable.")] = None,
    expires: Annotated[str, typer.Option(help="Lifetime: 30m, 12h, 7d.")] = "12h",
) -> None:
    """Print a token that the server of this data dir, or of this TOCSIN_JWT_SECRET, accepts."""
    with plain_errors():
        settings = Settings()
        try:
            typer.echo(
                sign(
                    settings, tenants=tenant, user=user, roles=role or [Role.USER], expires=_duration(expires)
                )
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


_Lines = Annotated[Path, typer.Argument(help="JSON lines, one event each.", exists=True, dir_okay=False)]


@app.command("import")
def import_(file: _Lines) -> None:
    """Store events from a file; a line that is there already is not stored twice.

    A line is an object: tenant, recipients, type, category, title, and optionally body, url, targets and
    createdAt. Bad lines are reported, the good ones stored; the exit code is then 1.
    """
    with (
        plain_errors(),
        environment(Settings()) as settings,
        _opened(file, "Importing") as (lines, progress),
    ):
        report = asyncio.run(_import(settings, lines, progress))
    _end(
        report.bad,
        f"{report.events} events: {report.stored} notifications stored, {report.already_stored} already there",
    )


async def _import(settings: Settings, lines: BinaryIO, progress: Callable[[int], None]) -> importer.Report:
    async with _hub_and_database(settings) as (_hub, database):
        return await importer.import_lines(database, lines, progress)


@app.command()
def notify(file: _Lines) -> None:
    """Notify people of events from a file; within 24 hours a line is not said twice.

    A line is an object: tenant, recipients (ids, or objects with id, email, name and timezone) or everyone,
    and all else that the mutation notify takes, by the same names. Without an idempotencyKey the line is its
    own. Bad lines are reported, the good ones said; the exit code is then 1.
    """
    from tocsin.notifier import notify_lines  # noqa: PLC0415

    with (
        plain_errors(),
        environment(Settings()) as settings,
        _opened(file, "Notifying") as (lines, progress),
    ):
        report = asyncio.run(_in_contexts(settings, lambda contexts: notify_lines(contexts, lines, progress)))
    _end(
        report.bad,
        f"{report.said} lines said: {report.created} notifications stored, {report.later} left to the worker, "
        f"{report.replayed} lines said before",
    )


async def _in_contexts(
    settings: Settings, work: Callable[[Callable[[Principal], Context]], Awaitable[T]]
) -> T:
    """Do what needs an operation's context for one principal or another."""
    deployment = Deployment(secret_vault(settings), settings.allow_private_webhooks)
    async with _hub_and_database(settings) as (hub, database):
        return await work(lambda principal: Context(principal, database, hub, deployment))


@contextmanager
def _opened(file: Path, label: str) -> Iterator[tuple[BinaryIO, Callable[[int], None]]]:
    """Open a file of JSON lines, and show how much of it is done."""
    with (
        file.open("rb") as lines,
        typer.progressbar(length=file.stat().st_size, label=label, file=sys.stderr) as bar,
    ):
        yield lines, bar.update


def _end(bad: Sequence[tuple[int, str]], summary: str) -> None:
    """Report bad lines, and say what was done with the good ones."""
    for number, reason in bad:
        typer.secho(f"line {number}: {reason}", fg="yellow", err=True)
    typer.echo(f"{summary}, {len(bad)} bad lines.")
    if bad:
        raise typer.Exit(1)


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt the secrets of all channels with the first key of TOCSIN_SECRET_KEYS.

    First give every server and worker the new key in front of the old one; remove the old one afterwards. The
    exit code is 1 if some channels have secrets that no key opens: give them new ones.
    """
    with plain_errors(), environment(Settings()) as settings:
        report = asyncio.run(_rotate_keys(settings))
    for tenant_id, channel_id in sorted(report.closed):
        typer.secho(f"channel {channel_id} of {tenant_id} cannot be opened", fg="yellow", err=True)
    typer.echo(f"{report.resealed} secrets resealed, {len(report.closed)} channels cannot be opened.")
    if report.closed:
        raise typer.Exit(1)


async def _rotate_keys(settings: Settings) -> rotation.Report:
    vault = secret_vault(settings)
    async with _hub_and_database(settings) as (_hub, database):
        return await rotation.rotate(database, vault)


@app.command("new-epoch")
def new_epoch() -> None:
    """After a restore or a failover that lost something: let clients read their inboxes again.

    As the tables' owner (TOCSIN_OWNER_DATABASE_URL). Safe to run again, also while servers run.
    """
    with plain_errors(), environment(Settings()) as settings:
        begun = asyncio.run(_new_epoch(settings))
    typer.echo(f"{begun.inboxes} inboxes of {begun.tenants} tenants are in a new epoch.")


async def _new_epoch(settings: Settings) -> epoch.Begun:
    async with open_database(url(settings.owner_database_url), size=1, role=None) as database:
        await _require_current(database)
        return await epoch.begin(database)


@asynccontextmanager
async def _hub_and_database(settings: Settings) -> AsyncIterator[tuple[Hub, Database]]:
    """Open the database so that what is written shows in the subscriptions of running servers."""
    database_url = url(settings.database_url)
    async with (
        open_hub(settings) as hub,
        open_database(database_url, size=2, on_commit=hub.announce) as database,
    ):
        await _require_current(database)
        yield hub, database


async def _require_current(database: Database) -> None:
    with suppress(asyncpg.UndefinedTableError):
        if await is_current(database):
            return
    raise ConfigurationError(f"The database is not at revision {newest()}: run `tocsin migrate`.")


@app.command()
def doctor() -> None:
    """Look at everything that a server or worker with these settings needs; say what to do.

    Changes nothing and sends no mail. The exit code is 1 if there is a problem.
    """
    with loading():
        from tocsin import doctor as examination  # noqa: PLC0415

    def is_well(found: examination.Finding) -> bool:
        typer.secho(str(found), fg=_COLOURS.get(found.level))
        return found.level is not examination.Level.PROBLEM

    async def examine(settings: Settings) -> bool:
        return all([is_well(found) async for found in examination.findings(settings)])

    with plain_errors():
        given = Settings()
        if (unset := examination.database_finding(given)) and not is_well(unset):
            raise typer.Exit(1)
        with environment(given) as settings:
            passed = asyncio.run(examine(settings))
    if not passed:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the GraphQL schema as SDL."""
    from schema import build  # noqa: PLC0415

    typer.echo(build().as_str())
