"""What processes use, from /proc."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int, *, reaped: bool = False) -> float:
    """Return the seconds of CPU that a process has used; reaped: with those of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if reaped else 13])) / _TICKS


def postgres_cpu(postmaster: int) -> float:
    """Return the seconds of CPU that a Postgres has used."""
    while True:
        try:
            children = sum(map(cpu, _children(postmaster)))
        except FileNotFoundError:  # one has just ended, and counts as reaped
            continue
        return cpu(postmaster, reaped=True) + children


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def postmaster_of(folder: Path) -> int:
    """Return the process id of the embedded Postgres in a folder."""
    return int((folder / "cluster/data/postmaster.pid").read_text().split()[0])


def pin(pid: int, cores: Collection[int]) -> None:
    """Let a process, with all threads that it has, run on these cores only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def pin_postgres(postmaster: int, cores: Collection[int]) -> None:
    """Let a Postgres, with all processes that it has or makes, run on these cores only."""
    for pid in (postmaster, *_children(postmaster)):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            pin(pid, cores)


def peak_kilobytes(pid: int) -> int:
    """Return the most memory that a process ever had (resident set)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def kilobytes(pid: int) -> int:
    """Return the memory of a process (resident set)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def cpu_ms(pid: int) -> float:
    """Return the milliseconds of CPU that the living threads of a process have used, exact to far below one."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((it / "schedstat").read_text().split()[0]) for it in tasks) / 1e6
