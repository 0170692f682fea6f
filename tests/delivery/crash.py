"""A Postgres that can be killed with -9 and comes back at the same port."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from db import embedded
from tests.support import Urls
from tests.tocsin.processes import free_port, until


class CrashingPostgres:
    """The embedded one's cluster under a postmaster of its own. fsync is on."""

    def __init__(self, home: Path) -> None:
        with embedded.start(home):
            pass  # which made the cluster, its roles and its passwords
        self._data = home / "cluster" / "data"
        self._log = home / "crashing.log"
        self._port = free_port()
        passwords = dict(
            zip(embedded._LOGINS, (home / "cluster" / "passwords").read_text().split(), strict=True)
        )
        self.urls = Urls(
            *(f"postgresql://{it}:{passwords[it]}@127.0.0.1:{self._port}/tocsin" for it in embedded._LOGINS)
        )
        self.start()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        for _ in range(100):
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        *embedded._not_as_root(),
                        f"{embedded._binaries()}/postgres",
                        *("-D", str(self._data), *embedded._SETTINGS, f"--port={self._port}"),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            until(lambda: embedded._accepts(self._port) or self._process.poll() is not None, 60)
            if self._process.poll() is None:
                return
            time.sleep(0.1)  # backends of the one before still hold its memory
        raise AssertionError(self._log.read_text()[-4_000:])

    def crash(self) -> None:
        """Kill the postmaster and all its children with -9."""
        children = _children(self._process.pid)
        self._process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Shut it down."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)


def _children(pid: int) -> list[int]:
    return [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def crashing_postgres(home: Path) -> Iterator[CrashingPostgres]:
    """Run one while the block runs."""
    postgres = CrashingPostgres(home)
    try:
        yield postgres
    finally:
        postgres.stop()
