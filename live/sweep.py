"""The sweep: looks, from time to time, whether an inbox moved and nobody was told. Hints can be lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from db.session import OUTAGE
from live.hub import Hub, Place

SECONDS = 5.0
"""How long a lost hint can hold an update back, where nothing tells that hints were lost."""
_USERS = 1_000
_log = logging.getLogger(__name__)

Places = Callable[[str, Collection[str]], Awaitable[Mapping[str, Place]]]
"""Says where the inboxes of a tenant's users stand."""


async def sweep(hub: Hub, places: Places) -> None:
    """Compare all that is waited for with what is stored: a statement for each thousand of a tenant."""
    for tenant_id, users in hub.inboxes().items():
        for first in range(0, len(users), _USERS):
            hub.compare(tenant_id, await places(tenant_id, users[first : first + _USERS]))


async def keep_sweeping(hub: Hub, places: Places) -> None:
    """Sweep every 5 s, and at once when hints were lost, until cancelled."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await hub.missed.wait()
        hub.missed.clear()
        try:
            await sweep(hub, places)
        except OUTAGE as error:
            _log.warning("The sweep failed: %s", type(error).__name__)
