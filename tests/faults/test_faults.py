"""The scenarios of the faults' soak, scaled down; `make soak` runs them at full size."""

from pathlib import Path

from db.migrate import upgrade
from tests.delivery.site import deployed
from tests.delivery.soak import counted
from tests.faults import rolling, skew, soak
from tests.faults.disk import small_disk
from tests.faults.skew import HOUR
from tests.support import Urls

SHORT = {"lease_seconds": "12", "send_timeout_seconds": "2"}
PAUSE = 0.2
"""Seconds that each of eight callers pauses: some 40 calls a second, which leave the machine to other tests."""


async def test_a_network_that_swallows(superuser_url: str, tmp_path: Path) -> None:
    """Requests are answered UNAVAILABLE, /readyz says 503, and all goes on by itself when it is back."""
    async with soak.cut_off(superuser_url) as (urls, network):
        with deployed(urls, tmp_path, **SHORT) as site:
            told = counted(await soak.blackhole(site, network, 12, patient=False, pause=PAUSE))
    assert told["answers UNAVAILABLE"] > 0
    assert told["acknowledged notify calls"] > 0


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Calls are refused as UNAVAILABLE, nothing that was acknowledged is lost, and only Postgres is restarted."""
    with small_disk(tmp_path / "postgres") as disk:
        await upgrade(disk.urls.owner)
        with deployed(disk.urls, tmp_path, **SHORT) as site:
            told = counted(await soak.disk_full(site, disk, 5, pause=PAUSE))
    assert told["calls refused meanwhile"] > 0
    assert told["panics of Postgres"] > 0
    assert told["acknowledged notify calls"] > 0


async def test_clocks_an_hour_wrong(own_urls: Urls, tmp_path: Path) -> None:
    """Servers and workers an hour ahead and behind store, retry and wait by the clock of the database."""
    with deployed(own_urls, tmp_path, **SHORT) as site:
        told = counted(await skew.skewed(site, 20))
    assert (told["acknowledged notify calls"], told["sent"]) == (40, 40)


async def test_a_token_lasts_by_the_clock_of_the_server(own_urls: Urls, tmp_path: Path) -> None:
    """What has expired, or is not yet issued, by its own clock is refused, whatever the database's says."""
    moments = (-HOUR, 0, HOUR)
    with deployed(own_urls, tmp_path, **SHORT) as site:
        addresses = [skew.server(site, ahead)[1] for ahead in (-HOUR, HOUR)]
        assert all(map(skew.is_up, addresses))
        behind, ahead = [
            [await skew.accepts(site, address, issued=it, minutes=30) for it in moments]
            for address in addresses
        ]
    assert behind == [True, False, False]
    assert ahead == [False, False, True]


async def test_a_rolling_restart(own_urls: Urls, tmp_path: Path) -> None:
    """With a second of notice no call that was sent goes without its answer, and nothing is delivered twice."""
    with deployed(own_urls, tmp_path, drain_seconds="1", **SHORT) as site:
        told = counted(await rolling.rolling_restart(site, 1, pause=PAUSE))
    assert told["processes ended"] == 4
    assert told["acknowledged notify calls"] > 0
