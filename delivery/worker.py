"""The worker: runs each job again and again until it is told to stop."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from db.session import OUTAGE, Database
from delivery import schedule

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so many seconds. It may be stopped, or run twice at once, at any point."""

    name: str
    every: float
    run: Callable[[Database], Awaitable[None]]


async def work(database: Database, jobs: Sequence[Job]) -> None:
    """Run the jobs, each at its own pace, until cancelled; what is half done then is rolled back.

    A database that goes away is waited for. Any other exception is a bug and ends the worker.
    """
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_repeat(database, job))


async def _repeat(database: Database, job: Job) -> None:
    failures = 0
    while True:
        try:
            await job.run(database)
            failures = 0
        except OUTAGE as error:
            failures += 1
            _log.warning("%s failed %d times in a row: %r", job.name, failures, error)
        await asyncio.sleep(schedule.pause(job.every, failures, random.random()))  # noqa: S311  jitter
