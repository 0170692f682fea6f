"""What /readyz says in each state of the world; /healthz says 200 in all of them, and both say so soon."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

import db.pool
from db.revision import newest
from tests.faults.proxy import Proxy
from tests.faults.soak import cut_off
from tests.support import Urls, serving, test_settings
from tests.tocsin.processes import fetch, free_port
from tocsin.app import Server, create_app

_SET_REVISION = "update tocsin.alembic_version set version_num = $1"
_ENDED = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1"


class World(NamedTuple):
    """A server, and what it stands on."""

    server: Server
    urls: Urls
    network: Proxy
    admin: str
    address: str


@asynccontextmanager
async def down(world: World) -> AsyncIterator[None]:
    """Have the database take no connections."""
    name = make_url(world.urls.superuser).database
    await fetch(world.admin, f"alter database {name} allow_connections false")
    await fetch(world.admin, _ENDED, name)
    yield
    await fetch(world.admin, f"alter database {name} allow_connections true")


@asynccontextmanager
async def swallowed(world: World) -> AsyncIterator[None]:
    """Have the network to the database swallow everything."""
    world.network.cut()
    yield
    world.network.heal()


@asynccontextmanager
async def behind(world: World) -> AsyncIterator[None]:
    """Have the database lack migrations."""
    await fetch(world.urls.owner, _SET_REVISION, "0001")
    yield
    await fetch(world.urls.owner, _SET_REVISION, newest())


@asynccontextmanager
async def draining(world: World) -> AsyncIterator[None]:
    """Tell the server that its end is near."""
    world.server.stop()
    yield
    world.server._stops = False


@asynccontextmanager
async def as_it_should_be(_world: World) -> AsyncIterator[None]:
    """Leave all as it is; NATS, which only carries hints, is nowhere all the time."""
    yield


@pytest.fixture
async def world(superuser_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Run a server over a network that can be cut, told of a NATS that is not there."""
    async with cut_off(superuser_url) as (urls, network):
        settings = test_settings(urls, tmp_path, hub=SecretStr(f"nats://127.0.0.1:{free_port()}"))
        app = create_app(settings)
        async with serving(app, settings) as address:
            yield World(app.state.server, urls, network, superuser_url, address)


async def told(world: World) -> tuple[int, int]:
    """Return what /healthz and /readyz say, both within four seconds."""
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=world.address) as http:
        alive, ready = await asyncio.gather(http.get("/healthz"), http.get("/readyz"))
    assert time.monotonic() - began < 4
    return alive.status_code, ready.status_code


@pytest.mark.parametrize(
    ("state", "status"),
    [(as_it_should_be, 200), (down, 503), (swallowed, 503), (behind, 503), (draining, 503)],
)
async def test_readyz(
    state: Callable[[World], AbstractAsyncContextManager[None]],
    status: int,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is 200 as long as the database answers, is migrated, and no stop is near; then it is so again."""
    monkeypatch.setattr(db.pool, "_WAIT_SECONDS", 1)
    async with state(world):
        assert [await told(world) for _ in range(12)] == [(200, status)] * 12
    assert await told(world) == (200, 200)
