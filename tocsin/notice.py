"""Notice before a stop: load balancers are told first, and clients afterwards."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def notice(seconds: float, begin: Callable[[], None]) -> Iterator[None]:
    """In the block, SIGTERM calls `begin`, and stops the server only seconds later; a second one at once."""
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def told(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, stop)
        begin()
        loop.call_soon_threadsafe(loop.call_later, seconds, signal.raise_signal, signal.SIGTERM)

    signal.signal(signal.SIGTERM, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, stop)
