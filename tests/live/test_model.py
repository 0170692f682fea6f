"""A stale snapshot plus its events is a fresh snapshot; all that a subscription promises follows from it."""

import asyncio
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.live.machine import InboxMachine
from tests.support import Api


async def test_a_few_hundred_steps(api: Api) -> None:
    """Whatever happens, in any order, copies patched with events alone equal what a query shows."""
    machine = partial(InboxMachine, api, asyncio.get_running_loop())
    few = settings(
        max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=few)
