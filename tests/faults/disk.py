"""A Postgres whose whole disk is a small tmpfs, and who starts it again when it ends, as systemd would."""

import asyncio
import errno
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from db import embedded
from db.session import OUTAGE
from tests.support import Urls
from tests.tocsin.processes import free_port, until

_MEGABYTES = 200
_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
_UNPRIVILEGED = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
_WITHIN = """
mount -t tmpfs -o size={size}m,mode=0700 small {disk} && cp -a {data} {disk}/data || exit 1
while :; do {postgres}; sleep 0.5; done
"""
_BLOCK = bytes(65_536)


class SmallDisk:
    """The embedded one's cluster on a disk that can be filled and freed."""

    def __init__(self, home: Path) -> None:
        with embedded.start(home):
            pass  # which made the cluster, its roles and its passwords
        self._port, self._disk = free_port(), home / "disk"
        self._disk.mkdir()
        roles, passwords = embedded._LOGINS, (home / "cluster" / "passwords").read_text().split()
        self.urls = Urls(
            *(
                f"postgresql://{role}:{password}@127.0.0.1:{self._port}/tocsin"
                for role, password in zip(roles, passwords, strict=True)
            )
        )
        self.log = home / "small.log"
        self._start(home / "cluster" / "data")

    def _start(self, data: Path) -> None:
        command = [
            *(*_UNPRIVILEGED, f"{embedded._binaries()}/postgres", "-D", f"{self._disk}/data"),
            *(*embedded._SETTINGS, f"--port={self._port}", "--min_wal_size=32MB", "--max_wal_size=32MB"),
        ]
        postgres, disk = shlex.join(command), shlex.quote(str(self._disk))
        script = _WITHIN.format(size=_MEGABYTES, disk=disk, data=shlex.quote(str(data)), postgres=postgres)
        with self.log.open("ab") as log:
            self._supervisor = subprocess.Popen(
                [*_NAMESPACE, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        assert until(lambda: embedded._accepts(self._port), 60), self.log.read_text()[-2_000:]

    @property
    def _ballast(self) -> Path:
        """A file on the disk, which only who looks from within sees."""
        return Path(f"/proc/{self._supervisor.pid}/root{self._disk}/ballast")

    async def fill(self, seconds: float) -> None:
        """Leave no room at all for so long, whatever is given back meanwhile; then have what there was."""
        deadline = time.monotonic() + seconds
        with self._ballast.open("ab", buffering=0) as ballast:
            while time.monotonic() < deadline:
                try:
                    ballast.write(_BLOCK)
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017  anything else is no full disk
                    await asyncio.sleep(0.05)
        self._ballast.unlink()

    async def panic(self) -> None:
        """Write more of its log than the disk has room for: what Postgres does not survive."""
        with suppress(*OUTAGE):
            connection = await asyncpg.connect(self.urls.superuser)
            await connection.execute(
                "select pg_logical_emit_message(false, '', repeat('x', 1000000)) from generate_series(1, 200)"
            )

    @property
    def panics(self) -> int:
        """How often it gave up."""
        return self.log.read_text(errors="replace").count("PANIC:")

    def stop(self) -> None:
        """End the supervisor, and then Postgres."""
        pid = self._supervisor.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._supervisor.kill()
        self._supervisor.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGQUIT)
        assert until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), 30)


@contextmanager
def small_disk(home: Path) -> Iterator[SmallDisk]:
    """Run one while the block runs; skip the test where a user may not mount what only he sees."""
    if subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("No user namespaces here: a small disk cannot be mounted.")
    disk = SmallDisk(home)
    try:
        yield disk
    finally:
        disk.stop()
