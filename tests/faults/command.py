"""A Tocsin command that is ended with SIGTERM, and may have an environment from its first instruction on."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from tests.delivery.site import Site
from tests.forked import Forked, Streams
from tests.tocsin.processes import Tocsin


class Command:
    """A process; `start` may be called again when it has ended. Its output goes to a file.

    environ: it begins afresh with these, and is not forked: a library is preloaded.
    """

    def __init__(self, site: Site, *words: str, environ: Mapping[str, str] | None = None) -> None:
        self._words, self._afresh, self._folder = words, bool(environ), site.folder
        self._environ = Tocsin(site.folder / "data", site.settings).environ() | dict(environ or {})
        self._log = site.folder / f"{time.monotonic_ns()}.log"
        self.start()
        site.ended.callback(self._kill)

    def start(self) -> None:
        """Start it."""
        self._process: Forked | subprocess.Popen[bytes] = (
            self._begin_afresh() if self._afresh else self._fork()
        )

    def _fork(self) -> Forked:
        return Forked.command(self._words, self._environ, self._folder, Streams(self._log, self._log))

    def _begin_afresh(self) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "tocsin", *self._words]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                words, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def end(self) -> int:
        """Send SIGTERM; return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def _kill(self) -> None:
        # SIGTERM first: a server may have processes of its own.
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None
