"""The newest migration under load, between the version before it and this one."""

from pathlib import Path

import pytest

from tests.delivery.soak import counted
from tests.tocsin.processes import ROOT
from tests.tocsin.upgrades import run, upgrades


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the version before is in the history")
async def test_a_rolling_upgrade(superuser_url: str, tmp_path: Path) -> None:
    """Old and new side by side: no request fails, no delivery is lost or doubled, and all counters are right."""
    measures = await run(superuser_url, tmp_path / "site", upgrades()[-1], seconds=1.5)
    counted(measures)
