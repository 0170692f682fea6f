"""Clients that come and go leave nothing behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from live.hub import Hub
from tests.live.churn import churn, megabytes, settled
from tests.support import Api, Urls, provision, serving, test_settings
from tocsin.app import create_app


@pytest.fixture
async def own(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a migrated database."""
    async with provision(superuser_url) as urls:
        yield urls


@asynccontextmanager
async def server_alone(urls: Urls, data_dir: Path) -> AsyncIterator[tuple[Api, Hub]]:
    """Run a server of one's own, with a client that keeps no connections."""
    # A pool that is soon at its largest, which it keeps.
    settings = test_settings(urls, data_dir, database_pool_size=2)
    app = create_app(settings)
    limits = httpx.Limits(max_keepalive_connections=0)
    async with (
        serving(app, settings) as url,
        httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as http,
    ):
        server = app.state.server
        yield Api(url, settings, server.database, http), server.hub


async def test_five_hundred_cycles_leave_nothing(own: Urls, tmp_path: Path) -> None:
    """Tasks, descriptors, waiters and connections are exactly what they were."""
    async with server_alone(own, tmp_path) as (api, hub):
        await leaves_nothing(api, hub, 500)


async def leaves_nothing(api: Api, hub: Hub, cycles: int) -> float:
    """Churn, and compare what is held before and after; return the growth of memory in megabytes."""
    # The pool opens its connections, and libraries their caches, with the first clients.
    await churn(api, 80)
    before, size = await settled(api, hub), megabytes()
    await churn(api, cycles)
    assert await settled(api, hub) == before
    assert before.waiters == 0
    return megabytes() - size
