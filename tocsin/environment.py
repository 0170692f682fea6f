"""Settings made whole: the embedded Postgres stands in for a database that is not set."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from db import embedded
from tocsin.settings import Settings


@contextmanager
def environment(settings: Settings, *, migrate: bool = False) -> Iterator[Settings]:
    """Yield settings with both database URLs; while the block runs, the embedded Postgres they name is up.

    Commands with the same data dir share one embedded Postgres; the last one to end stops it. It is always
    migrated, for nobody else looks after it; a database of the operator's own only if `migrate` says so.
    """
    given = settings.database_url or settings.owner_database_url
    if given is not None:
        whole = _with_urls(settings, given, settings.owner_database_url or given)
        if migrate:
            _upgrade(whole)
        yield whole
        return
    with embedded.start(settings.data_dir / "postgres") as postgres:
        whole = _with_urls(settings, SecretStr(postgres.server_url), SecretStr(postgres.owner_url))
        _upgrade(whole)
        yield whole


def _with_urls(settings: Settings, server: SecretStr, owner: SecretStr) -> Settings:
    return settings.model_copy(update={"database_url": server, "owner_database_url": owner})


def _upgrade(settings: Settings) -> None:
    from db.migrate import upgrade  # noqa: PLC0415  Alembic takes long to load

    asyncio.run(upgrade(url(settings.owner_database_url)))


def url(secret: SecretStr | None) -> str:
    """Return a database URL of whole settings."""
    assert secret is not None  # noqa: S101  environment() filled it in
    return secret.get_secret_value()
