"""Budgets by the clock: exactly so much at once, exactly so much a minute."""

from fractions import Fraction

import pytest

import tocsin.budget
from tocsin.budget import Budgets


class Clock:
    """A clock that is set by hand."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def spent(budgets: Budgets[str], key: str, points: float = 1) -> int:
    """Spend until it is refused, and return how often that went well."""
    times = 0
    while budgets.spend(key, points) == 0:
        times += 1
    return times


def test_a_whole_budget_can_be_spent_at_once(clock: Clock) -> None:
    """Sixty points are sixty, and the next is a second away; another key has its own."""
    budgets = Budgets[str](60, clock)
    assert spent(budgets, "ada") == 60
    assert budgets.spend("ada", 1) == 1
    assert budgets.spend("ada", 7) == 7
    assert spent(budgets, "grace") == 60


def test_what_was_refused_passes_after_the_time_that_was_said(clock: Clock) -> None:
    """Not a second before; and a refusal costs nothing."""
    budgets = Budgets[str](60, clock)
    assert spent(budgets, "ada", 7) == 8
    seconds = budgets.spend("ada", 7)
    assert seconds == 3
    clock.now += seconds - 1
    assert budgets.spend("ada", 7) == 1
    clock.now += 1
    assert budgets.spend("ada", 7) == 0
    assert budgets.spend("ada", 1) == 1


def test_a_minute_gives_a_budget(clock: Clock) -> None:
    """Who always spends gets, over an hour, the sixty points at first and then one a second."""
    budgets = Budgets[str](60, clock)
    total = 0
    for _ in range(3_600):
        total += spent(budgets, "ada")
        clock.now += 1
    assert total == 60 + 3_599


@pytest.mark.parametrize("points", [0.05, 0.1, 1 / 3])
def test_rounding_loses_nothing(clock: Clock, points: float) -> None:
    """Pieces of a point add up."""
    assert spent(Budgets[str](30, clock), "ada", points) == 30 / Fraction(points).limit_denominator(100)


def test_nothing_costs_more_than_a_budget(clock: Clock) -> None:
    """Or it could never be asked for; afterwards a minute must pass."""
    budgets = Budgets[str](60, clock)
    assert budgets.spend("ada", 10_000) == 0
    assert budgets.spend("ada", 10_000) == 60
    clock.now += 60
    assert budgets.spend("ada", 10_000) == 0


def test_without_a_limit_nothing_is_counted(clock: Clock) -> None:
    """0 is no limit."""
    budgets = Budgets[str](0, clock)
    assert [budgets.spend("ada", 10**9) for _ in range(3)] == [0, 0, 0]
    assert (len(budgets), dict(budgets.untold)) == (0, {})


def test_what_is_given_back_can_be_spent_again(clock: Clock) -> None:
    """To the point."""
    budgets = Budgets[str](60, clock)
    assert spent(budgets, "ada") == 60
    budgets.give_back("ada", 5)
    assert spent(budgets, "ada") == 5


def test_what_others_saw_spent_counts(clock: Clock) -> None:
    """But never as more than a budget."""
    budgets = Budgets[str](60, clock)
    budgets.hear("ada", 50)
    assert spent(budgets, "ada") == 10
    budgets.hear("ada", 10**9)
    assert budgets.spend("ada", 1) == 1
    assert budgets.spend("ada", 60) == 60


def test_notable_is_a_hundredth_of_the_budget(clock: Clock) -> None:
    """It is told once, and less than that adds up until it is told."""
    budgets = Budgets[str](1_000, clock)
    budgets.spend("ada", 10)
    budgets.spend("grace", 9)
    assert budgets.notable() == [("ada", 10)]
    assert budgets.notable() == []
    budgets.spend("grace", 1)
    assert budgets.notable() == [("grace", 10)]


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that spent longest ago is forgotten first."""
    monkeypatch.setattr(tocsin.budget, "_MOST", 2)
    budgets = Budgets[str](60, clock)
    for key in ("ada", "grace", "ada", "joan"):
        budgets.spend(key, 30)
    assert len(budgets) == 2
    assert [budgets.spend(key, 60) for key in ("ada", "joan")] == [60, 30]
    assert budgets.spend("grace", 60) == 0
    budgets.notable()
    budgets.untold |= dict.fromkeys("abc", 0.1)
    assert budgets.notable() == []
    assert dict(budgets.untold) == {}
