"""A stale snapshot plus its events is a fresh snapshot; all that a subscription promises follows from it."""

from tests.live.machine import InboxMachine
from tests.live.soak_model import walk
from tests.support import Api


async def test_two_hundred_steps(api: Api) -> None:
    """Whatever happens, in any order, copies patched with events alone equal what a query shows."""
    await walk(api, 6, 40)
    assert InboxMachine.compared > 50
