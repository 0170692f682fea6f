"""The application's start, and how it tells whether it can work."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from db.migrate import downgrade, upgrade
from db.revision import newest
from tests.support import Api, Urls, running_server, test_settings
from tests.tocsin.processes import fetch
from tocsin.app import create_app
from tocsin.auth import ConfigurationError

_SET_REVISION = "update tocsin.alembic_version set version_num = $1"
_ENDED = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1"


@pytest.fixture
async def server(own_urls: Urls, tmp_path: Path) -> AsyncIterator[Api]:
    """Run a server on that database."""
    async with running_server(test_settings(own_urls, tmp_path)) as api:
        yield api


async def health(server: Api) -> tuple[tuple[int, str], tuple[int, str]]:
    """Return what /healthz and /readyz say."""
    alive, ready = [await server.http.get(path) for path in ("/healthz", "/readyz")]
    return (alive.status_code, alive.text), (ready.status_code, ready.text)


READY = ((200, "ok"), (200, "ready"))
NOT_READY = ((200, "ok"), (503, "not ready"))


async def test_ready_with_a_current_database(server: Api) -> None:
    """A server on a database of its own revision is ready."""
    assert await health(server) == READY


@pytest.mark.parametrize(("revision", "said"), [("0001", NOT_READY), ("9999", READY)])
async def test_ready_with_another_revision(
    server: Api, own_urls: Urls, revision: str, said: tuple[tuple[int, str], ...]
) -> None:
    """A database that is behind makes the server not ready; one that is ahead does not: it is being upgraded."""
    await fetch(own_urls.owner, _SET_REVISION, revision)
    assert await health(server) == said
    await fetch(own_urls.owner, _SET_REVISION, newest())
    assert await health(server) == READY


async def test_ready_again_after_the_migration(server: Api, own_urls: Urls) -> None:
    """A server that was started before its database was migrated becomes ready without a restart."""
    await downgrade(own_urls.owner, "base")
    assert await health(server) == NOT_READY
    await upgrade(own_urls.owner)
    assert await health(server) == READY


async def test_not_ready_while_the_database_is_down(server: Api, own_urls: Urls, superuser_url: str) -> None:
    """Without a database the process is alive and not ready; when it is back, so is the server."""
    name = own_urls.superuser.rpartition("/")[2].partition("?")[0]
    await fetch(superuser_url, f"alter database {name} allow_connections false")
    await fetch(superuser_url, _ENDED, name)
    assert await health(server) == NOT_READY
    await fetch(superuser_url, f"alter database {name} allow_connections true")
    assert await health(server) == READY


async def test_a_role_that_sees_everything_is_refused(own_urls: Urls, tmp_path: Path) -> None:
    """The application does not start as a superuser, as the tables' owner, or with an unsafe tocsin_app."""
    for url, fault in ((own_urls.superuser, "is a superuser"), (own_urls.owner, "owns Tocsin's tables")):
        if url == own_urls.owner:
            await fetch(
                own_urls.superuser, f"grant tocsin_app to {own_urls.owner.split('://')[1].split(':')[0]}"
            )
        app = create_app(
            test_settings(own_urls, tmp_path).model_copy(update={"database_url": SecretStr(url)})
        )
        with pytest.raises(ConfigurationError, match=f"TOCSIN_DATABASE_URL: .* {fault}"):
            async with app.router.lifespan_context(app):
                pass


async def test_dev_may_log_in_as_superuser(own_urls: Urls, tmp_path: Path) -> None:
    """With login_too=False only the role that is acted as must be harmless."""
    settings = test_settings(own_urls, tmp_path).model_copy(
        update={"database_url": SecretStr(own_urls.superuser)}
    )
    app = create_app(settings, login_too=False)
    async with app.router.lifespan_context(app):
        assert await app.state.server.is_ready()
