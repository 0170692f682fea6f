"""When digests leave, against an oracle that knows no arithmetic: it watches the wall clock minute by minute."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.types import Digest
from resolvers.digest import DAILY_AT, next_digest
from resolvers.timezone import zone

MINUTE = timedelta(minutes=1)
DAYS = 3
"""How far the oracle looks: a day that is skipped, and the day after."""

# Zones and what is odd about them: whole, half and quarter hours, half an hour of summer time, clocks that jump at
# midnight and just before it, and across one.
ZONES = (
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"),
    *("Pacific/Chatham", "America/St_Johns", "Africa/Cairo", "America/Santiago", "America/Nuuk"),
    *("Asia/Beirut", "Antarctica/Troll", "Pacific/Kiritimati", "Pacific/Apia"),
)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 2 * 365 * 24 * 60


@cache
def transitions(name: str) -> list[datetime]:
    """Return the first minutes with another offset than the minute before, in two years."""
    found = []
    for day in range(2 * 365):
        at = FIRST + timedelta(days=day)
        if _shown(zone(name), at + timedelta(days=1)) - _shown(zone(name), at) != timedelta(days=1):
            minutes = [at + number * MINUTE for number in range(24 * 60 + 1)]
            found += [
                later
                for earlier, later in pairwise(minutes)
                if _shown(zone(name), later) - _shown(zone(name), earlier) != MINUTE
            ]
    return found


def _shown(where: ZoneInfo, at: datetime) -> datetime:
    """Return what the wall clock and the calendar beside it show."""
    return at.astimezone(where).replace(tzinfo=None)


def hourly(where: ZoneInfo, at: datetime) -> datetime:
    """Watch until the minute hand is at the top."""
    moment = at.replace(second=0, microsecond=0)
    while True:
        moment += MINUTE
        if _shown(where, moment).minute == 0:
            return moment


Shown = dict[time, list[tuple[date, datetime]]]
"""When a clock first showed each time of the day, by day."""


@lru_cache(maxsize=8)
def _watched(where: ZoneInfo, first: datetime, last: datetime) -> Shown:
    """Watch the wall clock and the calendar from one instant to another, and note what they show.

    Minutes that the clock skips are counted on from where it jumped, as if it had not.
    """
    found: Shown = defaultdict(list)
    moment, shown = first, _shown(where, first)
    while moment < last:
        moment, before, expected = moment + MINUTE, shown, shown + MINUTE
        shown = _shown(where, moment)
        passed = [shown]
        if shown > expected:
            passed += [expected + number * MINUTE for number in range((shown - before) // MINUTE - 1)]
        for wall in passed:
            at = moment + (wall - expected if wall < shown else timedelta())
            found[wall.time()].append((wall.date(), at))
    return found


def daily(where: ZoneInfo, wanted: time, at: datetime) -> datetime:
    """Watch from long before on, note when each day had its digest, and return the first that is later."""
    first = at.replace(second=0, microsecond=0) - timedelta(days=2)
    had: dict[date, datetime] = {}
    for day, moment in _watched(where, first, first + timedelta(days=2 + DAYS, minutes=1))[wanted]:
        had.setdefault(day, moment)
    return min(it for it in had.values() if it > at)


_zones = st.sampled_from(ZONES)
_times = st.builds(time, st.integers(0, 23), st.sampled_from((0, 1, 15, 29, 30, 45, 59)))
_bits = st.sampled_from((timedelta(), timedelta(microseconds=1), timedelta(seconds=59, microseconds=999_999)))


def _instant(data: st.DataObject, name: str) -> datetime:
    """Draw an instant: anywhere, or within a day of a change of the clock."""
    if data.draw(st.booleans()) and transitions(name):
        near = data.draw(st.sampled_from(transitions(name)))
        return near + data.draw(st.integers(-1500, 1500)) * MINUTE + data.draw(_bits)
    return FIRST + data.draw(st.integers(0, MINUTES)) * MINUTE + data.draw(_bits)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.data(), _zones)
def test_each_hour(data: st.DataObject, name: str) -> None:
    """The oracle sees the full hour at the same instant."""
    at = _instant(data, name)
    assert next_digest(Digest.HOURLY, None, zone(name), at) == hourly(zone(name), at)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.data(), _zones, _times)
def test_each_day(data: st.DataObject, name: str, wanted: time) -> None:
    """The oracle sees the digest leave at the same instant."""
    at = _instant(data, name)
    assert next_digest(Digest.DAILY, wanted, zone(name), at) == daily(zone(name), wanted, at)


@pytest.mark.parametrize("name", ZONES)
def test_around_each_change(name: str) -> None:
    """From each quarter of an hour around each change of the clock, to times on both sides of it and between."""
    for change in transitions(name)[:2]:
        for quarters in range(-8, 8):
            at = change + 15 * quarters * MINUTE
            assert next_digest(Digest.HOURLY, None, zone(name), at) == hourly(zone(name), at), at
        for minutes in (-61, -45, -30, -1, 0, 1, 15, 30, 45, 60):
            wanted = (_shown(zone(name), change - MINUTE) + (minutes + 1) * MINUTE).time()
            for hours in (-3, 0, 1):
                at = change + timedelta(hours=hours)
                found = next_digest(Digest.DAILY, wanted, zone(name), at)
                assert found == daily(zone(name), wanted, at), (at, wanted)


def test_the_oracle_sees_the_changes() -> None:
    """Two a year where there is summer time, none where there is none."""
    counts = [
        len(transitions(name)) for name in ("UTC", "Asia/Kolkata", "Europe/Paris", "Australia/Lord_Howe")
    ]
    assert counts == [0, 0, 4, 4]


# -- spelled out -------------------------------------------------------------------------------------------


def utc(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("digest", "at", "name", "now", "leaves"),
    [
        (Digest.HOURLY, None, "UTC", "2026-01-15T12:00:00", "2026-01-15T13:00"),
        (Digest.HOURLY, None, "UTC", "2026-01-15T12:59:59.999999", "2026-01-15T13:00"),
        (Digest.HOURLY, None, "Asia/Kolkata", "2026-01-15T12:00", "2026-01-15T12:30"),
        (Digest.HOURLY, None, "Asia/Kathmandu", "2026-01-15T12:15", "2026-01-15T13:15"),
        # Lord Howe's clock goes from 02:00 to 02:30, and from 02:00 back to 01:30.
        (Digest.HOURLY, None, "Australia/Lord_Howe", "2026-10-03T15:10", "2026-10-03T16:00"),
        (Digest.HOURLY, None, "Australia/Lord_Howe", "2026-04-04T14:50", "2026-04-04T15:30"),
        # An hour that comes twice has two full hours.
        (Digest.HOURLY, None, "Europe/Paris", "2026-10-25T00:00", "2026-10-25T01:00"),
        (Digest.DAILY, time(8), "Europe/Paris", "2026-01-15T06:59", "2026-01-15T07:00"),
        (Digest.DAILY, time(8), "Europe/Paris", "2026-01-15T07:00", "2026-01-16T07:00"),
        # Skipped: 02:30 comes as 03:30. Twice: 02:30 is the first one, also for who asks in between.
        (Digest.DAILY, time(2, 30), "Europe/Paris", "2026-03-28T12:00", "2026-03-29T01:30"),
        (Digest.DAILY, time(2, 30), "Europe/Paris", "2026-10-24T12:00", "2026-10-25T00:30"),
        (Digest.DAILY, time(2, 30), "Europe/Paris", "2026-10-25T00:45", "2026-10-26T01:30"),
        # Nuuk skips the hour before a midnight, so that day's digest comes after it.
        (Digest.DAILY, time(23, 30), "America/Nuuk", "2026-03-29T01:10", "2026-03-29T01:30"),
        # Samoa had no 30 December 2011.
        (Digest.DAILY, time(8), "Pacific/Apia", "2011-12-29T18:00", "2011-12-30T18:00"),
    ],
)
def test_spelled_out(digest: Digest, at: time | None, name: str, now: str, leaves: str) -> None:
    """Cases that people can check by hand."""
    assert next_digest(digest, at, zone(name), utc(now)) == utc(leaves)


def test_eight_unless_said() -> None:
    """A daily digest without a time leaves at 08:00."""
    assert time(8) == DAILY_AT
    assert next_digest(Digest.DAILY, None, zone("Asia/Tokyo"), utc("2026-01-15T12:00")) == utc(
        "2026-01-15T23:00"
    )
