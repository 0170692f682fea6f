"""Slots: never more than there are, and something for everybody."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.slots import ENOUGH, Slots

TENANTS = ["acme", "globex", "initech", "umbrella", "hooli"]
_steps = st.lists(st.tuples(st.sampled_from(TENANTS), st.booleans(), st.integers(1, 40)), max_size=60)


@given(size=st.integers(1, 200), steps=_steps)
def test_never_more_than_there_are(size: int, steps: list[tuple[str, bool, int]]) -> None:
    """Whatever is taken and given back, in use and free make up the size, and a tenant has a third at most."""
    slots, held = Slots(size), Counter[str]()
    for tenant, takes, count in steps:
        if takes:
            room = slots.take(tenant)
            assert room >= 0
            held[tenant] += room
            assert held[tenant] <= max(1, size // 3)
        else:
            back = min(count, held[tenant])
            held[tenant] -= back
            slots.give_back(tenant, back)
        assert slots.free == size - held.total() >= 0
        assert {it: slots.held(it) for it in TENANTS} == {it: held[it] for it in TENANTS}


@given(size=st.integers(12, 300), others=st.integers(0, 8))
def test_who_comes_late(size: int, others: int) -> None:
    """However many have taken all that they may, one that comes finds a third of what each left the next."""
    slots = Slots(size)
    for _ in range(50):
        for other in range(others):
            slots.take(f"other-{other}")
    left = slots.free
    assert slots.take("late") >= max(min(1, left), int(size * (2 / 3) ** others / 3 - 1e-9))


@pytest.mark.parametrize(("size", "room"), [(96, 32), (3, 1), (2, 1), (1, 1)])
def test_alone(size: int, room: int) -> None:
    """Alone a tenant has a third of all, of a few one."""
    slots = Slots(size)
    assert [slots.take("acme"), slots.take("acme")] == [room, 0]


def test_by_the_handful() -> None:
    """More is given when it is as much as is held still, or ENOUGH."""
    slots = Slots(96)
    assert slots.take("acme") == 32
    slots.give_back("acme", ENOUGH - 1)
    assert slots.take("acme") == 0
    slots.give_back("acme", 1)
    assert slots.take("acme") == ENOUGH
    few = Slots(12)
    assert few.take("acme") == 4
    few.give_back("acme", 1)
    assert few.take("acme") == 0
    few.give_back("acme", 1)
    assert few.take("acme") == 2
