"""What a command says when it cannot go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import asyncpg
import typer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from db.embedded import EmbeddedError
from db.revision import MigrationError
from db.session import APP_ROLE, WORKER_ROLE
from tocsin.auth import ConfigurationError
from tocsin.settings import variable


class AlreadyRunningError(Exception):
    """Something else has what this `tocsin dev` needs; the message says what."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say what the person at the terminal can mend in one sentence; anything else keeps its traceback."""
    try:
        yield
    except Exception as error:
        if said := sentence(error):
            _fail(said)
        raise


def sentence(error: Exception) -> str | None:
    """Return what to say, without a secret, of an error that a person can mend; None: it is another one."""
    match error:
        case ValidationError():
            wrong = "; ".join(f"{variable(str(it['loc'][0]))}: {it['msg']}" for it in error.errors())
            return f"Settings: {wrong}"
        case ConfigurationError() | EmbeddedError() | AlreadyRunningError():
            return str(error)
        case MigrationError():
            return f"The database was migrated by a newer Tocsin than this one. ({error})"
        case OSError():
            where = error.filename or "The database cannot be reached"
            return f"{where}: {error.strerror or error or type(error).__name__}"
        case asyncpg.PostgresError() | asyncpg.InterfaceError() | SQLAlchemyError():
            return _database_fault(error)
    return None


def _fail(message: str) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


def _database_fault(error: BaseException) -> str:
    while error.__cause__ and not isinstance(error, asyncpg.PostgresError):
        error = error.__cause__  # SQLAlchemy wraps what the driver says in a statement and a link
    said = f"The database cannot be used: {str(error).partition(chr(10))[0]}"
    is_about_a_role = APP_ROLE in said or WORKER_ROLE in said
    if not isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"{said}: run `tocsin migrate`." if is_about_a_role else said
    if is_about_a_role:
        return f"{said}. A superuser can allow it: GRANT tocsin_app, tocsin_worker TO the role in the URL."
    return (
        f"{said}. Migrate as the database's owner, with CREATEROLE or after a superuser's"
        " CREATE ROLE tocsin_app; CREATE ROLE tocsin_worker; CREATE ROLE tocsin_host."
    )
