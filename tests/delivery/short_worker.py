"""A worker whose lease is as short as a test wants."""

import asyncio

from db.session import OUTBOX
from delivery.dispatcher import Dispatcher, Pace
from tocsin.keys import secret_vault
from tocsin.senders import open_senders
from tocsin.settings import Settings
from tocsin.worker import _hub_and_database


async def _main(lease_seconds: float, timeout_seconds: float) -> None:
    settings = Settings()
    async with (
        open_senders(settings) as senders,
        _hub_and_database(settings, login_too=True) as (hub, database),
    ):
        with hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter:
            pace = Pace(settings.worker_concurrency, lease_seconds, timeout_seconds)
            await Dispatcher(database, senders, secret_vault(settings), pace, waiter).run()


def run(lease_seconds: float, timeout_seconds: float) -> None:
    """Work until killed."""
    asyncio.run(_main(lease_seconds, timeout_seconds))
