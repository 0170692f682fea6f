"""The scenarios of the faults' soak, scaled down; `make soak` runs them at full size."""

from pathlib import Path

from db.migrate import upgrade
from tests.delivery.site import deployed
from tests.delivery.soak import Measure
from tests.faults import soak
from tests.faults.disk import small_disk

SHORT = {"lease_seconds": "12", "send_timeout_seconds": "2"}


def _told(measures: list[Measure]) -> dict[str, float]:
    """Return what was counted, all of which must be as it should."""
    assert [str(it) for it in measures if not it.is_fine] == []
    return {it.name: it.value for it in measures}


async def test_a_network_that_swallows(superuser_url: str, tmp_path: Path) -> None:
    """Requests are answered UNAVAILABLE, /readyz says 503, and all goes on by itself when it is back."""
    async with soak.cut_off(superuser_url) as (urls, network):
        with deployed(urls, tmp_path, **SHORT) as site:
            told = _told(await soak.blackhole(site, network, 12, patient=False))
    assert told["answers UNAVAILABLE"] > 0
    assert told["acknowledged notify calls"] > 0


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Calls are refused as UNAVAILABLE, nothing that was acknowledged is lost, and only Postgres is restarted."""
    with small_disk(tmp_path / "postgres") as disk:
        await upgrade(disk.urls.owner)
        with deployed(disk.urls, tmp_path, **SHORT) as site:
            told = _told(await soak.disk_full(site, disk, 5))
    assert told["calls refused meanwhile"] > 0
    assert told["panics of Postgres"] > 0
    assert told["acknowledged notify calls"] > 0
