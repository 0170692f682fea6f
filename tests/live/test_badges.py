"""Tabs on two servers miss nothing and show the right badge, whatever happens to hints and connections."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.live.soak_badges import MODES, Size, run
from tests.support import Urls, provision

_SIZE = Size(sockets=40, writes=400, drops=3, every=0.5, sweep=0.5, jitter=0.2)


@pytest.fixture(scope="module")
async def own(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a migrated database."""
    async with provision(superuser_url) as urls:
        yield urls


@pytest.mark.parametrize("mode", MODES)
async def test_forty_tabs_and_four_hundred_writes(mode: str, own: Urls, tmp_path: Path) -> None:
    """Each event exactly once and in order, each copy and badge right, no ResyncRequired, after three drops."""
    figures = await run(mode, own, tmp_path, _SIZE)
    assert figures.is_fine, figures
    assert (figures.sockets, figures.writes, figures.drops) == (40, 400, 3)
    assert figures.delivered > figures.writes
    assert figures.lost_connections == 0
    assert bool(figures.troubles) == (mode in {"listeners killed", "NATS stopped"})
