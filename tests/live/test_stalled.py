"""A server whose clients stop reading stays small."""

import sys
from pathlib import Path

from db.session import open_database
from tests.live.stalled import stall
from tests.support import Urls
from tests.tocsin.processes import Tocsin, free_port

_SECRET = "a secret that only these tests use, with 32 bytes"
# As `tocsin`, but for people with less time.
_HASTY = "import tocsin.protocols as p; p.PATIENCE_SECONDS = 2.0; from tocsin.cli import app; app()"


async def test_twenty_clients_that_stop_reading(own_urls: Urls, tmp_path: Path) -> None:
    """6 MB wait for each; the server grows by less than 20 MB, drops all of them, and serves others meanwhile."""
    tocsin = Tocsin(tmp_path, {"database_url": own_urls.server, "jwt_secret": _SECRET})
    command = [sys.executable, "-c", _HASTY]
    async with open_database(own_urls.server, size=2) as database:
        with tocsin.start("serve", "--port", str(free_port()), command=command) as running:
            running.wait_for(running.is_ready)
            cost = await stall(tocsin, running, database, 20, 6_000_000)
    assert cost.growth < 20
    assert cost.seconds < 30
