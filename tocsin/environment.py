"""Settings made whole: the embedded Postgres and the development key stand in for what is not set."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from db import embedded
from db.migrate import upgrade
from tocsin.auth import load_or_create_secret
from tocsin.settings import Settings


def with_signing_key(settings: Settings) -> Settings:
    """Return the settings with the data dir's own HS256 key, if no key was set."""
    if settings.jwt_algorithm != "HS256" or settings.jwt_secret is not None:
        return settings
    return settings.model_copy(update={"jwt_secret": load_or_create_secret(settings.data_dir)})


@contextmanager
def environment(settings: Settings) -> Iterator[Settings]:
    """Yield whole settings; while the block runs, the database they name is up.

    Commands with the same data dir share one embedded Postgres; the last one to end stops it. It is always
    migrated, for nobody else looks after it.
    """
    settings = with_signing_key(settings)
    if settings.database_url is not None:
        owner = settings.owner_database_url or settings.database_url
        yield settings.model_copy(update={"owner_database_url": owner})
        return
    with embedded.start(settings.data_dir / "postgres") as postgres:
        urls = {
            "database_url": SecretStr(postgres.server_url),
            "owner_database_url": SecretStr(postgres.owner_url),
        }
        asyncio.run(upgrade(postgres.owner_url))
        yield settings.model_copy(update=urls)


def url(secret: SecretStr | None) -> str:
    """Return a database URL of whole settings."""
    assert secret is not None  # noqa: S101  environment() filled it in
    return secret.get_secret_value()
