"""When mail that is gathered leaves. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from db.types import Digest

DAILY_AT = time(8)
"""The local time of a daily digest, unless the preference says another."""
_HOUR = timedelta(hours=1)


def next_digest(digest: Digest, daily_at: time | None, zone: ZoneInfo, at: datetime) -> datetime:
    """Return the first moment after `at` when a digest leaves, in UTC.

    HOURLY: at each full hour of the wall clock. DAILY: at a wall-clock time; one that a clock change skips
    comes as much later, and one that comes twice counts the first time.
    """
    if digest is Digest.HOURLY:
        return _next_hour(zone, at.astimezone(UTC))
    today = datetime.combine(at.astimezone(zone).date(), daily_at or DAILY_AT)
    # From yesterday on: a time before midnight that was skipped comes after it.
    days = (today + timedelta(days=day) for day in range(-1, 3))
    return next(moment for day in days if (moment := day.replace(tzinfo=zone, fold=0).astimezone(UTC)) > at)


def _next_hour(zone: ZoneInfo, at: datetime) -> datetime:
    # In absolute time, for an hour may come twice; again where the clock is changed by half an hour.
    moment = at + _HOUR - _past_hour(zone, at)
    while past := _past_hour(zone, moment):
        moment += _HOUR - past
    return moment


def _past_hour(zone: ZoneInfo, at: datetime) -> timedelta:
    wall = at.astimezone(zone)
    return timedelta(minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)
