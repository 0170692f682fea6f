"""What a check found, as a line to read."""

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from typing import NamedTuple

from tocsin.fault import sentence

_PATIENCE_SECONDS = 20
_WIDTH = 13


class Level(StrEnum):
    """How it stands. SKIPPED: not looked at, for it is not set or something before it failed."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """What was looked at, how it stands, and what to do; never with a secret in it."""

    check: str
    level: Level
    said: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.level:<8} {self.check:<{_WIDTH}} {' '.join(filter(None, (self.said, self.advice)))}"


async def judged(check: str, looking: Awaitable[Finding], advice: str = "") -> Finding:
    """Return what a look finds; what it raises, or that it takes too long, is a problem."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await looking
    except TimeoutError:
        return Finding(check, Level.PROBLEM, f"There was no answer in {_PATIENCE_SECONDS} s.", advice)
    except Exception as error:
        if said := sentence(error):
            return Finding(check, Level.PROBLEM, f"{said.removesuffix('.')}.", advice)
        raise
