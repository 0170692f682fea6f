"""A worker on pgqueuer that sends webhooks with Tocsin's own sender: DATABASE_URL CONCURRENCY BATCH."""

import asyncio
import sys
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import orjson
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job

from delivery.http import HttpClient
from delivery.parcel import Message, Parcel, Recipient
from delivery.sender import Sent
from delivery.webhook import WebhookSender

CONNECTIONS = 6
_SAID_AT = datetime(2026, 1, 1, tzinfo=UTC)


async def _main(url: str, concurrency: int, batch: int) -> None:
    async with (
        HttpClient(allow_private=True) as client,
        asyncpg.create_pool(url, min_size=2, max_size=CONNECTIONS) as pool,
    ):
        sender = WebhookSender(client)
        queue = PgQueuer(AsyncpgPoolDriver(pool))

        @queue.entrypoint("send")  # type: ignore[untyped-decorator,unused-ignore]
        async def send(job: Job) -> None:
            said = orjson.loads(job.payload or b"")
            message = Message(UUID(said["id"]), "build.done", "build", "NORMAL", "A build", "", _SAID_AT)
            parcel = Parcel(
                UUID(said["id"]), said["tenant"], Recipient(said["user"]), said["config"], [message]
            )
            async with asyncio.timeout(15):
                result = await sender.send(parcel)
            if not isinstance(result, Sent):
                raise TypeError(result)

        await queue.run(batch_size=batch, max_concurrent_tasks=concurrency)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
