"""When a delivery is tried again, and when no more: arithmetic only."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_JITTER = 0.1

DELAYS = (
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""Seconds from each attempt that failed to the next: the schedule that Standard Webhooks 1.0 gives."""


def next_delay(strikes: int, after: float | None, chance: float) -> float | None:
    """Return the seconds until the next attempt, or None: give up.

    strikes: attempts that failed so far, at least 1. after: seconds for which the receiver asked to be left
    alone; a day at most is heeded. chance: random, from 0 to 1; it adds up to a tenth, so that what failed
    together does not come back together.
    """
    if strikes > len(DELAYS):
        return None
    return max(DELAYS[strikes - 1], min(after or 0.0, _DAY)) * (1 + _JITTER * chance)


def retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After field asks for (RFC 9110, section 10.2.3), a day at most.

    now: an instant with a zone. None: the field is garbage, or a moment that is past.
    """
    seconds = float(value) if value.isascii() and value.isdigit() else _seconds_until(value, now)
    return None if seconds is None or seconds < 0 else min(seconds, _DAY)


def _seconds_until(date: str, now: datetime) -> float | None:
    moment = moment_of(date)
    return None if moment is None else (moment - now).total_seconds()


def moment_of(date: str) -> datetime | None:
    """Return the moment that a date of HTTP names (RFC 9110, section 5.6.7), if it names one."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    # The oldest of the three formats names no zone; all three are in UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
