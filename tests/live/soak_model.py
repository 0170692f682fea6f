"""The model of an inbox at full size: `make soak`, or `python -m tests.live.soak_model [steps]`."""

import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from db import embedded
from tests.figures import report
from tests.live.machine import InboxMachine
from tests.support import Api, provision, running_server, test_settings

_STEPS = 10_000
_EXAMPLE = 50


async def walk(api: Api, examples: int, steps: int) -> None:
    """Let an inbox live so many lives of so many steps, each another one every time."""
    machine = partial(InboxMachine, api, asyncio.get_running_loop())
    size = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to make a failure shorter takes minutes: each try opens sockets
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=size)  # type: ignore[arg-type]  # a factory will do


async def _run(steps: int) -> None:
    with tempfile.TemporaryDirectory() as name, embedded.start(Path(name) / "postgres") as postgres:
        async with (
            provision(postgres.superuser_url) as urls,
            running_server(test_settings(urls, Path(name) / "data")) as api,
        ):
            began = time.monotonic()
            while InboxMachine.steps < steps:
                await walk(api, max(1, (steps - InboxMachine.steps) // _EXAMPLE), _EXAMPLE)
            seconds = time.monotonic() - began
    # A copy that differs has raised before.
    figures = (
        f"{InboxMachine.steps:,} steps in {seconds:.0f} s, {InboxMachine.compared:,} comparisons, 0 differ"
    )
    report("Two tabs patched from events against fresh snapshots", figures, holds=True)


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]) if len(sys.argv) > 1 else _STEPS))
