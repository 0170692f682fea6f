"""Settings made whole: which database a command gets, and whether it is migrated."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from db.revision import newest
from tests.support import Urls, provision
from tests.tocsin.processes import fetch, postgres_of
from tocsin.environment import environment, url
from tocsin.settings import Settings

_REVISION = "select version_num from tocsin.alembic_version"


@pytest.fixture
async def empty(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a database that nobody has migrated."""
    async with provision(superuser_url, migrate=False) as urls:
        yield urls


def test_the_embedded_database_is_up_and_migrated(tmp_path: Path) -> None:
    """Without a URL both are of the data dir's own Postgres, which runs as long as the block."""
    with environment(Settings(data_dir=tmp_path)) as whole:
        owner, server = url(whole.owner_database_url), url(whole.database_url)
        assert asyncio.run(fetch(owner, _REVISION)) == [(newest(),)]
        assert asyncio.run(fetch(owner, "select current_user")) == [("tocsin_owner",)]
        assert asyncio.run(fetch(server, "select current_user")) == [("tocsin_server",)]
    assert not postgres_of(tmp_path)


def test_two_commands_share_the_embedded_database(tmp_path: Path) -> None:
    """With the same data dir they have the same server, which the last one to end stops."""
    with environment(Settings(data_dir=tmp_path)) as first:
        with environment(Settings(data_dir=tmp_path)) as second:
            assert second == first
        assert asyncio.run(fetch(url(first.database_url), "select 1")) == [(1,)]


@pytest.mark.parametrize("given", ["database_url", "owner_database_url"])
def test_one_url_stands_for_both(given: str, tmp_path: Path) -> None:
    """With either URL alone nothing is embedded: `tocsin migrate` needs to know the owner's only."""
    settings = Settings(data_dir=tmp_path).model_copy(update={given: SecretStr("postgresql://there/db")})
    with environment(settings) as whole:
        assert url(whole.database_url) == url(whole.owner_database_url) == "postgresql://there/db"
    assert not list(tmp_path.iterdir())


def test_two_urls_stay_two(tmp_path: Path) -> None:
    """Each URL is for what it is called."""
    urls = {"database_url": SecretStr("server"), "owner_database_url": SecretStr("owner")}
    with environment(Settings(data_dir=tmp_path).model_copy(update=urls)) as whole:
        assert (url(whole.database_url), url(whole.owner_database_url)) == ("server", "owner")


def test_a_given_database_is_migrated_on_demand_only(empty: Urls, tmp_path: Path) -> None:
    """An operator's database is left alone, unless the command is there to migrate it."""
    settings = Settings(
        data_dir=tmp_path,
        database_url=SecretStr(empty.server),
        owner_database_url=SecretStr(empty.owner),
    )
    with environment(settings), pytest.raises(asyncpg.UndefinedTableError):
        asyncio.run(fetch(empty.owner, _REVISION))
    with environment(settings, migrate=True):
        assert asyncio.run(fetch(empty.owner, _REVISION)) == [(newest(),)]
