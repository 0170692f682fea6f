"""Processes forked from one that has imported all of Tocsin: they begin at once, and cost no second of CPU each.

They are real processes: killed, stopped and signalled like any. What they run is the command line itself. Tests of
how Tocsin is installed and started begin theirs afresh.
"""

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["tests.forked", "tests.delivery.site", "tocsin.app", "tocsin.cli", "tocsin.dev", "tocsin.worker"]
)


class Streams(NamedTuple):
    """Files for a process's standard streams."""

    out: Path
    err: Path
    stdin: Path = Path(os.devnull)


def run_command(*words: str) -> None:
    """Be a `tocsin` command."""
    from tocsin.__main__ import main  # noqa: PLC0415  in the fork only, which has it already

    sys.argv = ["tocsin", *words]
    main()


def _become(run: Callable[[], None], environ: Mapping[str, str], folder: Path, streams: Streams) -> None:
    os.setsid()
    os.chdir(folder)
    for number, path in ((1, streams.out), (2, streams.err)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), number)
    with streams.stdin.open("rb") as file:
        os.dup2(file.fileno(), 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  uvicorn hands its number on
    os.environ.clear()
    os.environ.update(environ)
    run()


class Forked:
    """As much of subprocess.Popen as is used of it, for a process with a session of its own."""

    def __init__(
        self, run: Callable[[], None], environ: Mapping[str, str], folder: Path, streams: Streams
    ) -> None:
        self._process = _forks.Process(target=_become, args=(run, dict(environ), folder, streams))
        self._process.start()
        self._looking = Lock()
        assert self._process.pid
        self.pid: int = self._process.pid

    @classmethod
    def command(
        cls, words: tuple[str, ...], environ: Mapping[str, str], folder: Path, streams: Streams
    ) -> "Forked":
        """Run a `tocsin` command."""
        return cls(partial(run_command, *words), environ, folder, streams)

    @property
    def returncode(self) -> int | None:
        """Its exit code; that of a signal is negative. None: it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return its exit code, if it has ended."""
        with self._looking:  # the code comes once, and who else looks meanwhile would take it for 255
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("tocsin", timeout or 0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)
