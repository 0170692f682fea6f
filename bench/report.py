"""What was measured, as tables and as a file."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson

Rates = Mapping[str, Mapping[str, Sequence[float]]]
_OURS = "Tocsin"
_HEAD = ("server us", "Postgres us", "requests/s", "p50 ms", "p99 ms", "server", "with Postgres")


class Figures(NamedTuple):
    """One turn: microseconds of CPU a request in the server and in Postgres, requests a second, milliseconds."""

    server: float
    postgres: float
    rate: float
    p50: float
    p99: float


class Results(NamedTuple):
    """Turns by kind of work and contender, and the MB of memory that each contender had at most."""

    runs: Mapping[str, Mapping[str, Sequence[Figures]]]
    peaks: Mapping[str, float]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ratios(ours: Sequence[Figures], theirs: Sequence[Figures]) -> tuple[float, float]:
    """Return Tocsin's CPU / theirs: of the server, and with Postgres; medians of what each round says."""
    pairs = list(zip(ours, theirs, strict=True))
    alone = median(_ratio(mine.server, other.server) for mine, other in pairs)
    both = median(_ratio(mine.server + mine.postgres, other.server + other.postgres) for mine, other in pairs)
    return alone, both


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else math.nan  # less than the kernel's tick


def summary(results: Results) -> dict[str, dict[str, dict[str, Any]]]:
    """Return, by kind and contender, medians, each round, and Tocsin's ratios to it (if it was there)."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for kind, runs in results.runs.items():
        found[kind] = {}
        for name, of in runs.items():
            medians = Figures(*(median(column) for column in zip(*of, strict=True)))
            entry = {**medians._asdict(), "rounds": [it._asdict() for it in of]}
            if _OURS in runs:
                entry["ratio"], entry["ratio_with_postgres"] = ratios(runs[_OURS], of)
            found[kind][name] = entry
    return found


def show(results: Results, workers: Rates, load: Sequence[float]) -> None:
    """Print a table for each kind of work."""
    for kind, entries in summary(results).items():
        say(f"\n{kind:<22}" + "".join(f"{it:>14}" for it in _HEAD))
        for name, it in entries.items():
            figures = (it["server"], it["postgres"], it["rate"], it["p50"], it["p99"])
            shares = (it.get("ratio", 0.0), it.get("ratio_with_postgres", 0.0))
            cells = [*(f"{it:>14,.0f}" for it in figures[:3]), *(f"{it:>14.1f}" for it in figures[3:])]
            say(f"{name:<22}" + "".join(cells) + "".join(f"{it:>14.2f}" for it in shares))
    say("\npeak MB: " + ", ".join(f"{name} {peak:.0f}" for name, peak in results.peaks.items()))
    for kind, rates in workers.items():
        one, two = (median(rates[number]) for number in ("1", "2"))
        say(f"{kind}, requests/s: 1 worker {one:,.0f}, 2 workers {two:,.0f}")
    say(f"load at the start {load[0]:.2f}, at the end {load[1]:.2f}")


def write(
    path: Path, results: Results, workers: Rates, load: Sequence[float], options: Mapping[str, Any]
) -> None:
    """Write all that was measured as JSON."""
    whole = {
        "options": options,
        "load": load,
        "kinds": summary(results),
        "peak_mb": results.peaks,
        "workers": workers,
    }
    path.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2))
