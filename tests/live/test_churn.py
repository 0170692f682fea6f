"""Clients that come and go leave nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support import Urls
from tests.tocsin.processes import ROOT


async def test_five_hundred_cycles_leave_nothing(own_urls: Urls, tmp_path: Path) -> None:
    """Tasks, descriptors, waiters and connections are exactly what they were."""
    # In a process of its own: what else this one serves comes and goes, too.
    command = [sys.executable, "-m", "tests.live.churn", own_urls.server, str(tmp_path), "500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)  # noqa: ASYNC221
    assert done.returncode == 0, done.stderr
    before, after, _growth = json.loads(done.stdout)
    assert after == before
    assert before["waiters"] == 0
