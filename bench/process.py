"""What processes use, from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int, *, reaped: bool = False) -> float:
    """Return the seconds of CPU that a process has used; reaped: with those of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if reaped else 13])) / _TICKS


def postgres_cpu(postmaster: int) -> float:
    """Return the seconds of CPU that a Postgres has used."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return cpu(postmaster, reaped=True) + sum(cpu(int(child)) for child in children)


def postmaster_of(folder: Path) -> int:
    """Return the process id of the embedded Postgres in a folder."""
    return int((folder / "cluster/data/postmaster.pid").read_text().split()[0])


def kilobytes(pid: int) -> int:
    """Return the memory of a process (resident set)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
