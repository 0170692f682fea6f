"""What is not set, and what stands in for it: looked at, and not made."""

import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from tocsin.doctor.finding import Finding, Level
from tocsin.keys import MIN_SECRET_BYTES, SECRET_KEYS, SIGNING_KEY
from tocsin.settings import Settings, variable

_ADVICE = "Set it, the same for all servers and workers, and keep a copy."


def database_finding(settings: Settings) -> Finding | None:
    """Say that the embedded Postgres is looked at; a problem if there is none yet. None: a URL is set."""
    if settings.database_url or settings.owner_database_url:
        return None
    said = f"{variable('database_url')} is unset"
    if not (settings.data_dir / "postgres").exists():
        return Finding(
            "database", Level.PROBLEM, f"{said}, and {settings.data_dir} has no database.", "Set it."
        )
    said = f"{said}: this is the embedded one in {settings.data_dir}."
    return Finding("database", Level.WARNING, said, "Set it, unless you develop.")


def key_findings(settings: Settings) -> Iterator[Finding]:
    """Say of each key that is not set where it comes from."""
    for name, path in _files(settings):
        said = f"{variable(name)} is unset"
        if path.exists():
            yield Finding("settings", Level.WARNING, f"{said}: the key in {path} is used.", _ADVICE)
        elif _can_be_made(path):
            said = f"{said}: a key would be made in {settings.data_dir}."
            yield Finding("settings", Level.WARNING, said, _ADVICE)
        else:
            said = f"{said}, and no key can be made in {settings.data_dir}."
            yield Finding("settings", Level.PROBLEM, said, _ADVICE)


def with_keys(settings: Settings) -> Settings:
    """Return settings with keys for this look in place of those that a server would make."""
    new = {
        "jwt_secret": secrets.token_urlsafe(MIN_SECRET_BYTES),
        "secret_keys": f"k1:{b64encode(secrets.token_bytes(32)).decode()}",
    }
    missing = {name for name, path in _files(settings) if not path.exists()}
    return settings.model_copy(update={name: SecretStr(new[name]) for name in missing})


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield each key that is not set, and the file that stands in for it."""
    if settings.jwt_algorithm == "HS256" and settings.jwt_secret is None:
        yield "jwt_secret", settings.data_dir / SIGNING_KEY
    if settings.secret_keys is None:
        yield "secret_keys", settings.data_dir / SECRET_KEYS


def _can_be_made(path: Path) -> bool:
    folder = next(it for it in path.absolute().parents if it.exists())
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
