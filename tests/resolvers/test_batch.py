"""Reads of one moment are one statement, and no answer is older than its question."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from resolvers.batch import Batches


class Store:
    """What is fetched from: notes each fetch, and answers when it is let go."""

    def __init__(self, most: int = 1_000) -> None:
        self.fetches: list[tuple[str, list[int]]] = []
        self.version = 0
        self.free = asyncio.Event()
        self.free.set()
        self.batches = Batches[str, int, int](self._fetch, most)

    async def _fetch(self, lane: str, keys: Collection[int]) -> Mapping[int, int]:
        self.fetches.append((lane, sorted(keys)))
        version = self.version
        await self.free.wait()
        if 13 in keys:
            raise ValueError("13")
        return {key: key * 100 + version for key in keys}


async def test_those_of_one_tick_are_one() -> None:
    """Each key once, each lane for itself."""
    store = Store()
    asked = [("a", 1), ("a", 2), ("a", 1), ("b", 1)]
    assert await asyncio.gather(*(store.batches.load(*it) for it in asked)) == [100, 200, 100, 100]
    assert store.fetches == [("a", [1, 2]), ("b", [1])]


async def test_who_comes_while_it_runs_waits_for_the_next() -> None:
    """The running statement may have looked before the question."""
    store = Store()
    store.free.clear()
    first = asyncio.create_task(store.batches.load("a", 1))
    await asyncio.sleep(0.01)
    store.version = 1
    later = [asyncio.create_task(store.batches.load("a", key)) for key in (1, 2, 3)]
    await asyncio.sleep(0.01)
    assert store.fetches == [("a", [1])]
    store.free.set()
    assert [await task for task in (first, *later)] == [100, 101, 201, 301]
    assert store.fetches == [("a", [1]), ("a", [1, 2, 3])]


async def test_a_statement_has_a_limit() -> None:
    """What is too much for one goes into the next."""
    store = Store(most=2)
    assert await asyncio.gather(*(store.batches.load("a", key) for key in range(5))) == [
        key * 100 for key in range(5)
    ]
    assert [keys for _lane, keys in store.fetches] == [[0, 1], [2, 3], [4]]


async def test_an_error_is_theirs_who_asked() -> None:
    """And not of those who ask later, or elsewhere."""
    store = Store()
    asked = [store.batches.load("a", 13), store.batches.load("a", 1), store.batches.load("b", 1)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(it) for it in found] == [ValueError, ValueError, int]
    assert await store.batches.load("a", 1) == 100


async def test_who_gives_up_takes_nothing_away() -> None:
    """Two wait for the same key; one is cancelled."""
    store = Store()
    store.free.clear()
    one, two = (asyncio.create_task(store.batches.load("a", 1)) for _ in range(2))
    await asyncio.sleep(0.01)
    one.cancel()
    store.free.set()
    assert await two == 100
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_nothing_is_kept() -> None:
    """When all have their answers, lanes and tasks are gone."""
    store = Store()
    await asyncio.gather(*(store.batches.load(f"lane {number % 7}", number) for number in range(100, 200)))
    await asyncio.sleep(0)
    assert (dict(store.batches._waiting), store.batches._busy, store.batches._running) == ({}, set(), set())
