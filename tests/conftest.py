"""One Postgres, one migrated database and one running server for the whole session; tenants are per test."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

# With --rls-alone the application's own predicates are taken out before any statement is compiled, so that
# whatever then still separates tenants and users is the database.
if os.environ.get("TOCSIN_TEST_RLS_ALONE"):
    from sqlalchemy import ColumnElement, true

    import db.statement

    def anything(_table: object) -> ColumnElement[bool]:
        """Let every row pass."""
        return true()

    db.statement.owned = db.statement.in_tenant = anything  # type: ignore[assignment]

from db import embedded
from db.session import Database
from resolvers.principal import Role
from tests.support import Api, Urls, forgetful, provision, running_server, template, test_settings
from tocsin.settings import Settings

# httpcore imports it at each lock, and what is not installed is looked for on the whole path each time.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


# The files that take longest, most of them because they start processes. One that begins last is waited for.
LONGEST = (
    *(
        "faults/test_faults.py",
        "isolation/test_probes.py",
        "delivery/test_soak.py",
        "delivery/test_worker.py",
    ),
    *("tocsin/test_serve.py", "tocsin/test_dev.py", "tocsin/test_cli.py", "tocsin/test_drain.py"),
    *("isolation/test_live.py", "tocsin/test_upgrades.py", "delivery/test_retries.py"),
    *("codegen/test_codegen.py", "tocsin/test_restore.py", "clients/test_live.py", "live/test_badges.py"),
    "isolation/test_coverage.py",
)


def _turn(item: pytest.Item) -> int:
    name = item.path.relative_to(Path(__file__).parent).as_posix()
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage meanwhile: all that is imported and collected stays, and looking takes a third of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Begin with the longest; with the database alone, leave out what never asks it: nothing is new there."""
    items.sort(key=_turn)
    if os.environ.get("TOCSIN_TEST_RLS_ALONE"):
        silent = [item for item in items if "superuser_url" not in item.fixturenames]
        config.hook.pytest_deselected(items=silent)
        items[:] = [item for item in items if "superuser_url" in item.fixturenames]


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """TOCSIN_TEST_DATABASE_URL, or an embedded Postgres of this session."""
    if given := os.environ.get("TOCSIN_TEST_DATABASE_URL"):
        yield given
        return
    with embedded.start(tmp_path_factory.mktemp("embedded") / "postgres") as postgres:
        yield postgres.superuser_url


@pytest.fixture(scope="session")
async def superuser_url(postgres_url: str) -> AsyncIterator[str]:
    """Where databases are made; they are copies of one that was migrated."""
    if not os.environ.get("TOCSIN_TEST_DATABASE_URL"):
        await forgetful(postgres_url)
    async with template(postgres_url):
        yield postgres_url


@pytest.fixture(scope="session")
async def urls(superuser_url: str) -> AsyncIterator[Urls]:
    """A fresh, migrated database with an owner and a server login of its own."""
    async with provision(superuser_url) as urls:
        yield urls


@pytest.fixture(scope="module")
async def own(superuser_url: str) -> AsyncIterator[Urls]:
    """A migrated database of the module's own: what others have or do in theirs would be in the way."""
    async with provision(superuser_url) as urls:
        yield urls


@pytest.fixture
async def own_urls(superuser_url: str) -> AsyncIterator[Urls]:
    """A migrated database of the test's own, which it may spoil."""
    async with provision(superuser_url) as urls:
        yield urls


@pytest.fixture(scope="session")
def settings(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Whole settings of the test server."""
    return test_settings(urls, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[Api]:
    """A running server with clients for it."""
    async with running_server(settings) as api:
        yield api


@pytest.fixture
def database(api: Api) -> Database:
    """The database as the running server uses it; what is written here reaches its subscriptions."""
    return api.database


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test knows."""
    return f"tenant-{uuid4().hex[:12]}"


@pytest.fixture
def ada(api: Api, tenant: str) -> "Api.User":
    """A user of the tenant."""
    return api.user(tenant, "ada")


@pytest.fixture
def grace(api: Api, tenant: str) -> "Api.User":
    """Another user of the same tenant."""
    return api.user(tenant, "grace")


@pytest.fixture
def stranger(api: Api) -> "Api.User":
    """A user of another tenant with the same id as `ada`."""
    return api.user(f"other-{uuid4().hex[:12]}", "ada")


@pytest.fixture
def admin(api: Api, tenant: str) -> "Api.User":
    """An admin of the tenant."""
    return api.user(tenant, "root", Role.ADMIN)


@pytest.fixture
def agent(api: Api, tenant: str) -> "Api.User":
    """An agent of the tenant."""
    return api.user(tenant, "ci-bot", Role.AGENT)


@pytest.fixture
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage is collected, but for a full collection at the start; what a server has frozen is seen again."""
    watching = gc.callbacks[:]
    gc.callbacks.clear()
    gc.unfreeze()
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.callbacks[:] = watching
