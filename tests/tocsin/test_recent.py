"""The bounded memory: how long, how much, and until what."""

import pytest

from tocsin.recent import Recent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that the memory is told, to be set."""
    now = [100.0]
    monkeypatch.setattr("tocsin.recent.time.monotonic", lambda: now[0])
    return now


def test_a_value_lasts_so_long(clock: list[float]) -> None:
    """From its stamp on, not from when it was put."""
    recent = Recent[str, int](5, 10)
    stamp = recent.stamp()
    clock[0] += 3
    recent.put("a", 1, stamp)
    clock[0] += 1.9
    assert recent.get("a") == 1
    clock[0] += 0.1
    assert recent.get("a") is None


def test_a_new_revision_forgets_what_was_read_before() -> None:
    """Also what was put after it but read before."""
    revision = [0]
    recent = Recent[str, int](5, 10, lambda: revision[0])
    stamp = recent.stamp()
    recent.put("a", 1, stamp)
    revision[0] += 1
    recent.put("b", 2, stamp)
    assert (recent.get("a"), recent.get("b")) == (None, None)
    recent.put("b", 3, recent.stamp())
    assert recent.get("b") == 3


def test_it_holds_no_more_than_its_size() -> None:
    """The one put longest ago makes room; putting again counts."""
    recent = Recent[int, int](5, 3)
    for key in (1, 2, 3, 1, 4):
        recent.put(key, key, recent.stamp())
    assert [recent.get(key) for key in (1, 2, 3, 4)] == [1, None, 3, 4]
    assert len(recent) == 3
