"""Quiet hours against an oracle that knows no arithmetic: it looks at the wall clock minute by minute."""

import os
import random
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from resolvers.quiet_hours import QuietHours
from resolvers.timezone import names, zone

DAY = 1440
HORIZON = 2 * DAY + 120
"""How far the oracle looks for an end: of a day but a minute, and the clock skips that minute once."""

FIRST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) // 60
LAST = int(datetime(2028, 1, 1, tzinfo=UTC).timestamp()) // 60

THOROUGH = bool(os.environ.get("TOCSIN_TEST_EVERY_MINUTE"))
"""Try every minute around every transition, not a sample: ten minutes and not ten seconds."""

HOURS = 60
SAMPLES = 12


class Clock:
    """What a zone's wall clock shows in each minute of a stretch, counted from midnight."""

    def __init__(self, zone: ZoneInfo, start: int, length: int) -> None:
        self.zone, self.start = zone, start
        self._shown = [
            shown.hour * 60 + shown.minute
            for shown in (
                datetime.fromtimestamp(60 * minute, zone) for minute in range(start, start + length)
            )
        ]

    def quiet(self, start: int, end: int) -> bytes:
        """Return 1 for each minute of the stretch that is quiet, walking the window's minutes by hand."""
        window, minute = bytearray(DAY), start
        while minute != end:
            window[minute] = 1
            minute = (minute + 1) % DAY
        return bytes([window[shown] for shown in self._shown])


@cache
def _offset(name: str, minute: int) -> timedelta | None:
    return datetime.fromtimestamp(60 * minute, zone(name)).utcoffset()


def transitions(name: str) -> list[int]:
    """Return the minutes in which a zone's offset changes, in two years."""
    days = range(FIRST, LAST, DAY)
    changed = [day for day in days if _offset(name, day) != _offset(name, day + DAY)]
    return [_change(name, day) for day in changed]


def _change(name: str, day: int) -> int:
    """Return the minute of the day from `day` on in which the offset changes, which it does once."""
    before = _offset(name, day)
    return (
        bisect_left(
            range(FIRST, LAST),
            True,
            day - FIRST,
            day - FIRST + DAY,
            key=lambda it: _offset(name, it) != before,
        )
        + FIRST
    )


@cache
def behaviours() -> list[str]:
    """Return a zone for each way in which offsets change in the two years: most zones do as another."""
    found: dict[object, str] = {}
    for name in sorted(names()):
        changes = transitions(name)
        shown = [(minute, _offset(name, minute)) for minute in (FIRST, *changes)]
        found.setdefault(name if THOROUGH else tuple(shown), name)
    return list(found.values())


def windows(dice: random.Random, near: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) as minutes of the day: over midnight, by day, the longest, near a wall clock."""
    yield 22 * HOURS, 7 * HOURS
    yield 1, 0
    for _ in range(2):
        yield (near + dice.randint(-90, 90)) % DAY, (near + dice.randint(91, 1200)) % DAY
        start = dice.randrange(DAY)
        yield start, (start + dice.randrange(1, DAY)) % DAY


def as_time(minute: int) -> time:
    """Return a minute of the day as a time."""
    return time(minute // 60, minute % 60)


def differences(clock: Clock, start: int, end: int, instants: Iterator[tuple[int, timedelta]]) -> list[str]:
    """Compare holds and over with the oracle at instants, each a minute of the clock and a bit."""
    hours, quiet = QuietHours(as_time(start), as_time(end), clock.zone), clock.quiet(start, end)
    found = []
    for offset, bit in instants:
        at = datetime.fromtimestamp(60 * (clock.start + offset), UTC) + bit
        over = datetime.fromtimestamp(60 * (clock.start + quiet.index(0, offset)), UTC)
        expected = (quiet[offset] == 1, max(at, over))
        answer = (hours.holds(at), hours.over(at))
        if answer != expected:
            found.append(f"{hours} at {at}: {answer}, not {expected}")
    return found


def instants(dice: random.Random, around: int) -> Iterator[tuple[int, timedelta]]:
    """Yield minutes of a clock, at most so far from a place that far from its start, mostly close to it."""
    if THOROUGH:
        yield from ((minute, timedelta()) for minute in range(2 * around))
    for _ in range(SAMPLES):
        spread = dice.choice((2, 100, around))
        bit = timedelta(microseconds=dice.choice((0, dice.randrange(60_000_000))))
        yield around + dice.randint(-spread, spread - 1), bit


def compare_around(name: str, minute: int, around: int, dice: random.Random) -> list[str]:
    """Compare instants near a minute, with all kinds of windows."""
    clock = Clock(zone(name), minute - around, 2 * around + HORIZON)
    shown = datetime.fromtimestamp(60 * minute, zone(name))
    return [
        difference
        for start, end in windows(dice, shown.hour * 60 + shown.minute)
        for difference in differences(clock, start, end, instants(dice, around))
    ]


def test_around_every_transition() -> None:
    """In zones of each behaviour, two days around every change in 2026 and 2027, nothing differs."""
    dice = random.Random(0)
    found = [
        difference
        for name in behaviours()
        for minute in transitions(name)
        for difference in compare_around(name, minute, 2 * DAY, dice)
    ]
    assert found == []


def test_anywhere() -> None:
    """In every zone, around a random minute of 2026 or 2027, nothing differs."""
    dice = random.Random(0)
    found = [
        difference
        for name in sorted(names())
        for difference in compare_around(name, dice.randrange(FIRST, LAST), 120, dice)
    ]
    assert found == []


def test_the_oracle_sees_the_transitions() -> None:
    """The oracle finds those that are known: two a year, none in UTC, Lord Howe's of half an hour."""
    assert [len(transitions(name)) for name in ("UTC", "Europe/Paris", "Australia/Lord_Howe")] == [0, 4, 4]
    minute = transitions("Australia/Lord_Howe")[0]
    before, after = (
        datetime.fromtimestamp(60 * at, zone("Australia/Lord_Howe")) for at in (minute - 1, minute)
    )
    assert (f"{before:%H:%M}", f"{after:%H:%M}") == ("01:59", "01:30")


def utc(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(start: str, end: str, name: str) -> QuietHours:
    """Return a window in a zone."""
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end), zone(name))


def quiet_stretch(hours: QuietHours, first: str, last: str) -> list[tuple[str, str]]:
    """Return the quiet stretches from one instant to another, found minute by minute with holds alone."""
    at, found, was = utc(first), [], False
    while at <= utc(last):
        if (now := hours.holds(at)) != was:
            found.append(f"{at:%m-%dT%H:%M}")
        was, at = now, at + timedelta(minutes=1)
    return list(zip(found[::2], found[1::2], strict=True))


def test_over_midnight() -> None:
    """A window whose start is later than its end goes on through midnight."""
    night = hours("22:00", "07:00", "Europe/Paris")
    assert quiet_stretch(night, "2026-01-15T12:00", "2026-01-16T12:00") == [("01-15T21:00", "01-16T06:00")]
    assert night.over(utc("2026-01-15T23:30")) == utc("2026-01-16T06:00")
    assert night.over(utc("2026-01-16T06:00")) == utc("2026-01-16T06:00")


def test_the_end_falls_into_a_gap() -> None:
    """A window that should end at a time that the clock skips ends where the clock jumps."""
    early = hours("01:00", "02:30", "Europe/Paris")
    assert early.over(utc("2026-03-29T00:30")) == utc("2026-03-29T01:00")


def test_the_whole_window_falls_into_a_gap() -> None:
    """A window of times that the clock skips is not quiet on that day."""
    skipped = hours("02:10", "02:50", "Europe/Paris")
    assert quiet_stretch(skipped, "2026-03-28T12:00", "2026-03-29T12:00") == []


def test_an_overlap_is_quiet_twice() -> None:
    """A window of times that the clock shows twice is quiet both times."""
    twice = hours("02:00", "02:30", "Europe/Paris")
    assert quiet_stretch(twice, "2026-10-24T12:00", "2026-10-25T12:00") == [
        ("10-25T00:00", "10-25T00:30"),
        ("10-25T01:00", "10-25T01:30"),
    ]
    assert twice.over(utc("2026-10-25T00:10")) == utc("2026-10-25T00:30")


def test_a_change_on_the_hour_asked_from_the_hour() -> None:
    """A night that is an hour shorter is, whether one asks on the hour or between."""
    night = hours("22:00", "07:00", "Europe/Paris")
    asked = (night.over(utc(f"2026-03-29T{at}")) for at in ("00:00", "00:17", "01:00"))
    assert list(asked) == [utc("2026-03-29T05:00")] * 3


def test_an_overlap_makes_a_window_longer() -> None:
    """A window that is left and entered again within one hour set back ends only after the second time."""
    early = hours("01:00", "03:00", "Europe/Paris")
    assert early.over(utc("2026-10-24T23:30")) == utc("2026-10-25T02:00")


def test_half_an_hour_on_lord_howe() -> None:
    """Where the clock goes back by half an hour, a night is half an hour longer."""
    night = hours("22:00", "07:00", "Australia/Lord_Howe")
    assert quiet_stretch(night, "2026-04-04T04:00", "2026-04-05T04:00") == [("04-04T11:00", "04-04T20:30")]
    assert night.over(utc("2026-04-04T11:00")) == utc("2026-04-04T20:30")


def test_a_day_that_apia_never_had() -> None:
    """Quiet from 20:00 on 29 December 2011 to 06:00 ends on the 31st: Samoa had no 30th."""
    night = hours("20:00", "06:00", "Pacific/Apia")
    assert night.over(utc("2011-12-30T06:00")) == utc("2011-12-30T16:00")
    assert utc("2011-12-30T16:00").astimezone(zone("Pacific/Apia")).day == 31
