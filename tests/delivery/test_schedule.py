"""When a job runs next."""

import pytest

from delivery.schedule import pause


@pytest.mark.parametrize(
    ("every", "failures", "chance", "seconds"),
    [
        (3600, 0, 0, 3240),
        (3600, 0, 0.5, 3600),
        (3600, 0, 1, 3960),
        (3600, 1, 0, 0.5),
        (3600, 1, 1, 1),
        (3600, 2, 1, 2),
        (3600, 6, 1, 32),
        (3600, 7, 1, 60),
        (3600, 7, 0, 30),
        (3600, 10_000, 1, 60),
        (10, 10_000, 1, 10),
    ],
)
def test_pause(every: float, failures: int, chance: float, seconds: float) -> None:
    """The period varies by a tenth; a retry waits twice as long each time, at most a minute or the period."""
    assert pause(every, failures, chance) == pytest.approx(seconds)
