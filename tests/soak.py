"""Run every soak one after the other and print what they counted as one table: `make soak`.

`python -m tests.soak [--full] [--record] [part of a name ...]`. The usual sizes take under 40 minutes on 2 cores,
the full ones some two hours. `--record` writes the table into docs/reliability.md.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.figures import START

_DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
_TABLE = re.compile(r"(?<=<!-- soak -->\n).*(?=<!-- /soak -->)", re.DOTALL)


class Soak(NamedTuple):
    """A program that prints rows, and the sizes it is called with."""

    module: str
    usual: str = ""
    full: str = ""

    def rows(self, *, full: bool) -> Iterator[str]:
        """Run it, pass on what it prints, and yield its rows; one that says it has failed when it just ends."""
        sizes = self.full if full else self.usual
        began, held = time.monotonic(), True
        command = [sys.executable, "-m", self.module, *sizes.split()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            for line in program.stdout:
                sys.stdout.write(line)
                sys.stdout.flush()
                if line.startswith(START):
                    held = held and line.endswith("| yes |\n")
                    yield line
        if held and program.returncode:
            yield f"| {self.module} | ended with {program.returncode} | **no** |\n"
        sys.stdout.write(f"{self.module} {sizes}: {time.monotonic() - began:.0f} s\n\n")


SOAKS = (
    Soak("tests.schema.compiled.soak"),
    Soak("tests.db.soak_bounded"),
    Soak("tests.db.soak_context"),
    Soak("tests.isolation.soak", usual="300", full="1000"),
    Soak("tests.delivery.soak"),
    Soak("tests.faults.soak"),
    Soak("tests.tocsin.upgrades"),
    Soak("tests.tocsin.soak_tokens"),
    Soak("tests.tocsin.soak_abuse"),
    Soak("tests.live.soak_connections", usual="200 10 5000"),
    Soak("tests.live.soak_badges", usual="300 3000 10", full="1000 20000 10"),
    Soak("tests.live.soak_model", usual="2000", full="10000"),
)


def _table(rows: Sequence[str], seconds: float) -> str:
    said = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    head = "| What was done | What was counted | Holds |\n|---|---|---|\n"
    return f"{said}, {seconds / 60:.0f} minutes.\n\n{head}{''.join(rows)}"


def main(arguments: Sequence[str]) -> bool:
    """Run those whose names contain one of the arguments, or all; print the table; return whether all holds."""
    names = [it for it in arguments if not it.startswith("--")]
    chosen = [it for it in SOAKS if not names or any(name in it.module for name in names)]
    began = time.monotonic()
    rows = [row for it in chosen for row in it.rows(full="--full" in arguments)]
    table = _table(rows, time.monotonic() - began)
    sys.stdout.write(table)
    if "--record" in arguments:
        _DOCUMENT.write_text(_TABLE.sub(lambda _: table, _DOCUMENT.read_text()))
    return bool(rows) and all(row.endswith("| yes |\n") for row in rows)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
