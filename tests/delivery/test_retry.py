"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from delivery.retry import DELAYS, next_delay, retry_after

HOUR, DAY = 3_600.0, 86_400.0
NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("strikes", "after", "chance", "seconds"),
    [
        (1, None, 0, 5),
        (2, None, 0, 300),
        (3, None, 0, 1_800),
        (4, None, 0, 2 * HOUR),
        (5, None, 0, 5 * HOUR),
        (6, None, 0, 10 * HOUR),
        (7, None, 0, 14 * HOUR),
        (8, None, 0, 20 * HOUR),
        (9, None, 0, 24 * HOUR),
        (1, None, 0.5, 5.25),
        (1, None, 1, 5.5),
        (9, None, 1, 26.4 * HOUR),
        (1, 0, 0, 5),
        (1, 4, 0, 5),
        (1, 60, 0, 60),
        (1, 60, 1, 66),
        (3, 60, 0, 1_800),
        (3, HOUR, 0, HOUR),
        (1, 7 * DAY, 0, DAY),
        (1, float("inf"), 1, 1.1 * DAY),
    ],
)
def test_next_delay(strikes: int, after: float | None, chance: float, seconds: float) -> None:
    """The schedule's delay or what the receiver asked for, whichever is longer, and up to a tenth more."""
    assert next_delay(strikes, after, chance) == pytest.approx(seconds)


@pytest.mark.parametrize("after", [None, 0, 60, DAY])
def test_after_ten_attempts_it_is_given_up(after: float | None) -> None:
    """Whatever the receiver asked for."""
    assert next_delay(9, after, 0) is not None
    assert [next_delay(strikes, after, 1) for strikes in (10, 11, 1_000)] == [None, None, None]


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """The last attempt starts 75:35:05 after the first."""
    assert timedelta(seconds=sum(DELAYS)) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("00120", 120),
        ("86400", DAY),
        ("86401", DAY),
        ("9" * 5_000, DAY),
        ("Thu, 15 Jan 2026 10:00:30 GMT", 30),
        ("Thursday, 15-Jan-26 10:00:30 GMT", 30),
        ("Thu Jan 15 10:00:30 2026", 30),
        ("Thu, 15 Jan 2026 10:00:00 GMT", 0),
        ("Thu, 15 Jan 2099 10:00:00 GMT", DAY),
        ("Thu, 15 Jan 2026 09:59:59 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Thu, 32 Jan 2026 10:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DAY),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("+5", None),
        ("٣", None),
        ("²", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (" ", None),
        ("120, 240", None),
        ("\x00", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds, or a date in any of the three formats of RFC 9110; garbage and the past are None."""
    assert retry_after(value, NOW) == seconds


def test_retry_after_in_another_zone() -> None:
    """The clock's zone makes no difference."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert retry_after("Thu, 15 Jan 2026 10:00:30 GMT", elsewhere) == 30
