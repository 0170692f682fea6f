"""Tabs on two servers miss nothing and show the right badge, whatever happens to hints and connections."""

from pathlib import Path

import pytest

from tests.live.soak_badges import MODES, Size, run
from tests.support import Urls

_SIZE = Size(sockets=24, writes=200, drops=2, every=0.5, sweep=0.5, jitter=0.2)


@pytest.mark.parametrize("mode", MODES)
async def test_two_dozen_tabs_and_two_hundred_writes(mode: str, own: Urls, tmp_path: Path) -> None:
    """Each event exactly once and in order, each copy and badge right, no ResyncRequired, after two drops."""
    figures = await run(mode, own, tmp_path, _SIZE)
    assert figures.is_fine, figures
    assert (figures.sockets, figures.writes, figures.drops) == (24, 200, 2)
    assert figures.delivered > figures.writes
    assert figures.lost_connections == 0
    assert bool(figures.troubles) == (mode in {"listeners killed", "NATS stopped"})
