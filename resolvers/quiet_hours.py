"""Quiet hours: the wall clock in [start, end), wrapping midnight when start > end. Pure, right across DST."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_STEP = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily window of wall-clock time in a zone; start and end differ."""

    start: time
    end: time
    zone: ZoneInfo

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant is quiet."""
        wall = at.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def over(self, at: datetime) -> datetime:
        """Return the first instant from `at` on that is not quiet, in UTC.

        The clock runs evenly to the window's end unless the zone's offset changes on the way; then it goes
        on from there, for the jump may have left the window, or made it longer.
        """
        now = at.astimezone(UTC)
        while self.holds(now):
            end = now + self._until_end(now)
            now = _first_change(self.zone, now, end) or end
        return now

    def _until_end(self, now: datetime) -> timedelta:
        return (_since_midnight(self.end) - _since_midnight(now.astimezone(self.zone).time())) % _DAY


def _since_midnight(wall: time) -> timedelta:
    return timedelta(hours=wall.hour, minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the first instant after start, up to and with end, at which the zone's offset changes."""
    before = start
    while before < end:
        after = min(before + _STEP, end)
        if _offset(zone, before) != _offset(zone, after):
            return _bisect(zone, before, after)
        before = after
    return None


def _bisect(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    # Offsets change on whole seconds, so whole seconds are enough.
    low, high = before.replace(microsecond=0), (after + _SECOND).replace(microsecond=0)
    old = _offset(zone, before)
    while high - low > _SECOND:
        middle = (low + (high - low) // 2).replace(microsecond=0)
        if _offset(zone, middle) == old:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
