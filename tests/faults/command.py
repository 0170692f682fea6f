"""A Tocsin command as a process of its own from its first instruction on, unlike those that are forked."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from tests.delivery.site import Site
from tests.tocsin.processes import Tocsin


class Command:
    """A process; `start` may be called again when it has ended. Its output goes to a file."""

    def __init__(self, site: Site, *words: str, environ: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "tocsin", *words]
        self._environ = Tocsin(site.folder / "data", site.settings).environ() | dict(environ or {})
        self._log = site.folder / f"{time.monotonic_ns()}.log"
        self.start()
        site.ended.callback(self._kill)

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
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
