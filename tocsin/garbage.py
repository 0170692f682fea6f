"""Full collections of garbage that visit neither what was imported nor every open socket again.

A socket is about 300 objects. A full collection visits all there are and stops the process meanwhile: 5 s with
19,900 sockets, again and again while their badges change.
"""

import asyncio
import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

SLOW_SECONDS = 0.1
"""What survives a full collection that takes longer is frozen."""

_FULL = 2
"""The oldest generation."""


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage while the block imports modules, a third of the time, and freeze what they make."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def frozen_survivors() -> Iterator[None]:
    """While the block runs, put what has survived a slow collection where no later one looks.

    It is still freed when nothing refers to it. So what lives long must not end as a cycle.
    """
    loop = asyncio.get_running_loop()
    began = time.perf_counter()

    def watch(phase: str, info: Mapping[str, int]) -> None:
        nonlocal began
        if info["generation"] < _FULL:
            return
        if phase == "start":
            began = time.perf_counter()
        elif time.perf_counter() - began > SLOW_SECONDS:
            # Between two steps of the loop: a document that is being validated is full of cycles.
            loop.call_soon_threadsafe(_freeze)

    gc.callbacks.append(watch)
    try:
        yield
    finally:
        gc.callbacks.remove(watch)
        gc.unfreeze()


def _freeze() -> None:
    gc.collect(_FULL - 1)
    gc.freeze()
