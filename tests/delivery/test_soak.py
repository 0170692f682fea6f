"""The scenarios of the soak, scaled down; `make soak` runs them at full size."""

from pathlib import Path

from db.migrate import upgrade
from tests.delivery import soak
from tests.delivery.crash import crashing_postgres
from tests.delivery.site import KINDS, deployed
from tests.delivery.soak import counted, short_lived
from tests.support import Urls

SHORT = {"lease_seconds": "12", "send_timeout_seconds": "2"}


async def test_workers_killed(own_urls: Urls, tmp_path: Path) -> None:
    """A random worker killed every second: nothing is lost, and the books balance."""
    with deployed(own_urls, tmp_path, **SHORT) as site:
        told = counted(await soak.kill_workers(site, 200, workers=3))
    assert told["kills"] >= 2
    assert (told["acknowledged notify calls"], told["suppressed"]) == (200, 8)
    assert told["sent"] == 200 * len(KINDS) - 8


async def test_worker_stopped_past_its_lease(own_urls: Urls, tmp_path: Path) -> None:
    """Continued, it has results of which none is accepted."""
    with deployed(own_urls, tmp_path, **SHORT) as site:
        told = counted(await soak.stop_worker(site, 20, short_lived(site, 2.5, 2)))
    assert (told["sent by both workers"], told["stale results accepted"]) == (20, 0)


async def test_servers_killed(own_urls: Urls, tmp_path: Path) -> None:
    """Clients that retry calls with keys lose none and double none."""
    with deployed(own_urls, tmp_path, **SHORT) as site:
        told = counted(await soak.kill_api(site, 200, every=1))
    assert told["kills"] >= 1
    assert (told["acknowledged notify calls"], told["suppressed"]) == (200, 8)


async def test_postgres_killed(tmp_path: Path) -> None:
    """Twice killed with -9 it has all that was acknowledged, and nobody else had to be started again."""
    with crashing_postgres(tmp_path / "postgres") as postgres:
        await upgrade(postgres.urls.owner)
        with deployed(postgres.urls, tmp_path, **SHORT) as site:
            told = counted(await soak.kill_postgres(site, postgres, kills=2, every=1))
    assert told["calls tried again"] > 0
    assert told["acknowledged notify calls"] > 0


async def test_flood(own_urls: Urls, tmp_path: Path) -> None:
    """2,000 deliveries of one tenant to a receiver that takes 3 seconds hold up nobody else's."""
    with deployed(own_urls, tmp_path, **SHORT) as site:
        told = counted(await soak.flood(site, 2_000, slow_seconds=3))
    assert told["of the flood still waiting"] > 1_500
