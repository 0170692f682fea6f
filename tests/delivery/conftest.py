"""A database as the worker uses it, and an eye that sees past row level security."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.session import WORKER_ROLE, Database, open_database
from live.postgres import postgres_hub
from tests.delivery.receiver import Authority
from tests.delivery.shop import Shop
from tests.delivery.support import Eye, open_eye
from tests.support import Urls, provision, running_server, test_settings
from tocsin.keys import secret_vault
from tocsin.settings import Settings
from tocsin.worker import worker_database


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Database]:
    """Open the session's database as the worker does; what it writes reaches the running server."""
    async with worker_database(settings) as database:
        yield database


@pytest.fixture
async def eye(urls: Urls) -> AsyncIterator[Eye]:
    """Look at the session's database."""
    async with open_eye(urls) as eye:
        yield eye


@pytest.fixture
async def own_eye(own_urls: Urls) -> AsyncIterator[Eye]:
    """Look at the test's own database."""
    async with open_eye(own_urls) as eye:
        yield eye


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make a certificate authority that only the test trusts."""
    return Authority(tmp_path)


@pytest.fixture
async def shop(open_shop: Shop) -> Shop:
    """Return the module's deployment, in whose outbox is nothing that another test left."""
    await open_shop.eye.sql.execute("delete from tocsin.due")
    return open_shop


@pytest.fixture(scope="module")
async def open_shop(superuser_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """Run a deployment on a database of the module's own: workers look for work in all of it."""
    async with provision(superuser_url) as urls:
        settings = test_settings(urls, tmp_path_factory.mktemp("data"), allow_private_webhooks=True)
        async with (
            running_server(settings) as api,
            postgres_hub(urls.server) as hub,
            open_database(urls.server, role=WORKER_ROLE, on_commit=hub.announce) as worker,
            open_eye(urls) as eye,
        ):
            yield Shop(api, eye, worker, hub, secret_vault(settings))
