"""When mail that is gathered leaves. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from db.types import Digest

DAILY_AT = time(8)
"""The local time of a daily digest, unless the preference says another."""


def next_digest(digest: Digest, daily_at: time | None, zone: ZoneInfo, at: datetime) -> datetime:
    """Return the first moment after `at` when a digest leaves, in UTC.

    HOURLY: at each full hour of the wall clock. DAILY: at a wall-clock time; one that a clock change skips
    comes as much later, and one that comes twice counts the first time.
    """
    local = at.astimezone(zone)
    if digest is Digest.HOURLY:
        # From hour to hour in absolute time: a zone may be half an hour off, and an hour may come twice.
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return at.astimezone(UTC) - past + timedelta(hours=1)
    today = datetime.combine(local.date(), daily_at or DAILY_AT)
    days = (today + timedelta(days=day) for day in range(3))
    return next(moment for day in days if (moment := day.replace(tzinfo=zone, fold=0).astimezone(UTC)) > at)
