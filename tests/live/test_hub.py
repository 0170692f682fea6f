"""Who waits is woken, once, for what is new; who no longer waits is forgotten."""

import asyncio

import pytest

from db.session import OUTBOX, Hint
from live.hub import NOBODY, Hub, Waiter

LONG = 20.0


async def _woken(waiter: Waiter) -> bool:
    """Tell whether the waiter was woken, by the turns of the loop and not by a clock."""
    waiting = asyncio.create_task(waiter.moved(LONG))
    for _turn in range(5):
        await asyncio.sleep(0)
    woken = waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})
    return woken


async def test_patience_ends() -> None:
    """Who is not woken goes on all the same, and is woken another time."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        async with asyncio.timeout(LONG):
            await waiter.moved(0.01)
        assert not await _woken(waiter)
        hub.wake([Hint("t", "ada", 1)])
        assert await _woken(waiter)


async def test_a_hint_wakes_who_waits_for_that_inbox() -> None:
    """Not another user of the tenant, nor that user of another tenant."""
    hub = Hub()
    with (
        hub.register("t", "ada") as ada,
        hub.register("t", "grace") as grace,
        hub.register("u", "ada") as other,
    ):
        hub.wake([Hint("t", "ada", 1)])
        assert await _woken(ada)
        assert not await _woken(grace)
        assert not await _woken(other)


async def test_a_hint_wakes_everybody_who_waits_for_that_inbox() -> None:
    """Two browser tabs are two waiters."""
    hub = Hub()
    with hub.register("t", "ada") as one, hub.register("t", "ada") as two:
        hub.wake([Hint("t", "ada", 1)])
        assert await _woken(one)
        assert await _woken(two)


async def test_a_hint_before_the_wait_is_not_lost() -> None:
    """From registering on, what happens while one reads ends the next wait at once."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        hub.wake([Hint("t", "ada", 1)])
        async with asyncio.timeout(LONG):
            await waiter.moved(LONG)


async def test_a_hint_ends_a_wait() -> None:
    """Who waits already goes on without waiting for its patience to end."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        waiting = asyncio.create_task(waiter.moved(LONG))
        await asyncio.sleep(0)
        hub.wake([Hint("t", "ada", 1)])
        async with asyncio.timeout(LONG):
            await waiting


async def test_patience_ends_a_wait() -> None:
    """A hint can be lost, so nobody waits for ever."""
    with Hub().register("t", "ada") as waiter:
        async with asyncio.timeout(LONG):
            await waiter.moved(0.01)


@pytest.mark.parametrize("late", [1, 5])
async def test_a_hint_that_is_not_newer_wakes_nobody(late: int) -> None:
    """The same hint comes from here and from the relay, and hints may overtake each other."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        hub.wake([Hint("t", "ada", 5)])
        assert await _woken(waiter)
        hub.wake([Hint("t", "ada", late)])
        assert not await _woken(waiter)
        hub.wake([Hint("t", "ada", 6)])
        assert await _woken(waiter)


async def test_the_first_hint_counts_whatever_its_seq() -> None:
    """An inbox whose first seq is 0 or 1 is as good as any."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        hub.wake([Hint("t", "ada", 0)])
        assert await _woken(waiter)


async def test_many_hints_are_one_awakening() -> None:
    """Whoever reads after the last hint needs no more than one."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        for seq in range(1, 101):
            hub.wake([Hint("t", "ada", seq)])
        assert await _woken(waiter)
        assert not await _woken(waiter)


async def test_after_a_loss_inboxes_are_swept_and_others_woken() -> None:
    """Who waits for access or for work looks again at once; of an inbox the sweep can tell who must."""
    hub = Hub()
    with (
        hub.register("t", "ada") as ada,
        hub.register("t", NOBODY) as access,
        hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as work,
    ):
        revision = hub.revision
        hub.miss()
        assert hub.missed.is_set()
        assert hub.revision == revision + 1
        assert [await _woken(waiter) for waiter in (ada, access, work)] == [False, True, True]
        assert hub.inboxes() == {"t": ["ada"]}


async def test_the_sweep_wakes_whose_inbox_stands_elsewhere() -> None:
    """Further on, back, or in another epoch; not who has seen it there, nor who has yet to look."""
    hub = Hub()
    with hub.register("t", "ada") as seen, hub.register("t", "ada") as new, hub.register("u", "ada") as other:
        seen.seen, other.seen = (1, 5), (1, 5)
        hub.compare("t", {"ada": (1, 5), "grace": (1, 9)})
        assert [await _woken(waiter) for waiter in (seen, new, other)] == [False] * 3
        for place in ((1, 6), (1, 4), (2, 5)):
            hub.compare("t", {"ada": place})
            assert [await _woken(waiter) for waiter in (seen, new, other)] == [True, False, False]


async def test_after_a_sweep_lower_seqs_count() -> None:
    """A failover may lose the last seqs: the ones that take their place are news."""
    hub = Hub()
    with hub.register("t", "ada") as waiter:
        hub.wake([Hint("t", "ada", 500)])
        waiter.seen = (1, 500)
        hub.compare("t", {"ada": (1, 470)})
        assert await _woken(waiter)
        hub.wake([Hint("t", "ada", 480)])
        assert await _woken(waiter)


async def test_announcing_wakes_here_and_tells_the_relay() -> None:
    """What was committed in this process need not come back to it."""
    relayed: list[Hint] = []
    hub = Hub(relayed.extend)
    hints = [Hint("t", "ada", 1), Hint("t", "grace", 1)]
    with hub.register("t", "ada") as waiter:
        hub.announce(hints)
        assert await _woken(waiter)
    assert relayed == hints


async def test_waking_is_not_relayed() -> None:
    """A hint from elsewhere goes no further, or two processes would tell each other for ever."""
    relayed: list[Hint] = []
    hub = Hub(relayed.extend)
    hub.wake([Hint("t", "ada", 1)])
    hub.miss()
    assert relayed == []


async def test_nothing_stays_registered() -> None:
    """Ends, exceptions and cancellations all unregister, and hints for nobody leave nothing behind."""
    hub = Hub()

    async def wait() -> None:
        with hub.register("t", "ada") as waiter:
            await waiter.moved(LONG)

    with hub.register("t", "ada"), hub.register("t", "grace"):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert {key: len(waiters) for key, waiters in hub._waiters.items()} == {
            ("t", "ada"): 2,
            ("t", "grace"): 1,
        }
        task.cancel()
        await asyncio.wait([task])
        assert len(hub._waiters["t", "ada"]) == 1
    with pytest.raises(ZeroDivisionError), hub.register("t", "ada"):
        raise ZeroDivisionError
    hub.wake([Hint("t", "ada", 1)])
    assert not hub._waiters
