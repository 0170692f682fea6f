"""A database as the worker uses it, and an eye that sees past row level security."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.session import Database
from tests.delivery.receiver import Authority
from tests.delivery.support import Eye, open_eye
from tests.support import Urls, provision
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
async def own_urls(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a database of the test's own."""
    async with provision(superuser_url) as urls:
        yield urls


@pytest.fixture
async def own_eye(own_urls: Urls) -> AsyncIterator[Eye]:
    """Look at the test's own database."""
    async with open_eye(own_urls) as eye:
        yield eye


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Make a certificate authority that only the test trusts."""
    return Authority(tmp_path)
