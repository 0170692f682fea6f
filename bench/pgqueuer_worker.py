"""Workers on pgqueuer: httpx|bare|whole DATABASE_URL CONCURRENCY BATCH.

httpx: a job holds all that is sent, the channel's secret too, and nothing is written but that it is done; it is
sent by httpx, to whatever address it names. That is what one writes who has pgqueuer and nothing of ours.
bare: the same, but with Tocsin's own sender.
whole: with that sender, too; a job names a delivery; its message, channel and preferences are read, and the
attempt is written, under row level security, as Tocsin's worker does. That is what it would be to have pgqueuer in
place of our outbox.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
import orjson
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from sqlalchemy import Integer, Uuid, bindparam, text

import db.outbox
from db.session import WORKER_ROLE, Database, Scope, open_database
from db.statement import TENANT_ID, Write
from delivery import signature
from delivery.http import HttpClient
from delivery.opening import decided
from delivery.parcel import Message, Parcel, Recipient
from delivery.sender import Sent
from delivery.webhook import WebhookSender, payload
from resolvers.layers import Choices
from resolvers.vault import Vault
from tocsin.keys import secret_vault
from tocsin.settings import Settings

CONNECTIONS = 6
_SAID_AT = datetime(2026, 1, 1, tzinfo=UTC)
_SETTLE = Write(
    text("""
    with settled as (
      update tocsin.delivery set status = 'SENT', attempts = attempts + 1
      where tenant_id = :tenant_id and id = :id returning attempts
    )
    insert into tocsin.attempt (tenant_id, delivery_id, number, duration_ms, status_code)
    select :tenant_id, :id, attempts, :duration_ms, :status_code from settled
    """).bindparams(
        TENANT_ID,
        bindparam("id", type_=Uuid),
        bindparam("duration_ms", type_=Integer),
        bindparam("status_code", type_=Integer),
    )
)


async def _send(sender: WebhookSender, parcel: Parcel) -> Sent:
    async with asyncio.timeout(15):
        result = await sender.send(parcel)
    if not isinstance(result, Sent):
        raise TypeError(result)
    return result


def _parcel(job: Job) -> Parcel:
    said = orjson.loads(job.payload or b"")
    message = Message(UUID(said["id"]), "build.done", "build", "NORMAL", "A build", "", _SAID_AT)
    return Parcel(UUID(said["id"]), said["tenant"], Recipient(said["user"]), said["config"], [message])


async def _httpx(client: httpx.AsyncClient, job: Job) -> None:
    parcel = _parcel(job)
    body = orjson.dumps(payload(parcel))
    signed = signature.headers(str(parcel.id), int(time.time()), body, [parcel.config["secret"]])
    headers = {"Content-Type": "application/json", **signed}
    (await client.post(parcel.config["url"], content=body, headers=headers)).raise_for_status()


async def _whole(sender: WebhookSender, database: Database, vault: Vault, job: Job) -> None:
    said = orjson.loads(job.payload or b"")
    scope, id = Scope(said["tenant"], None), UUID(said["id"])
    async with database.transaction(scope) as tx:
        rows = await db.outbox.read(tx, [id])
    (load,) = decided(rows, {row.user_id: Choices(()) for row in rows}, vault, id).loads
    began = time.monotonic()
    result = await _send(sender, load.parcel)
    duration_ms = round((time.monotonic() - began) * 1000)
    async with database.transaction(scope) as tx:
        await tx.fetch(_SETTLE, id=id, duration_ms=duration_ms, status_code=result.status_code)


async def _main(kind: str, url: str, concurrency: int, batch: int) -> None:
    async with AsyncExitStack() as stack:
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, timeout=15))
        sender = WebhookSender(await stack.enter_async_context(HttpClient(allow_private=True)))
        pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=2, max_size=CONNECTIONS))
        queue = PgQueuer(AsyncpgPoolDriver(pool))
        handle: Callable[[Job], Awaitable[object]]
        if kind == "httpx":
            handle = lambda job: _httpx(client, job)  # noqa: E731
        elif kind == "bare":
            handle = lambda job: _send(sender, _parcel(job))  # noqa: E731
        else:
            database = await stack.enter_async_context(open_database(url, size=CONNECTIONS, role=WORKER_ROLE))
            vault = secret_vault(Settings())
            handle = lambda job: _whole(sender, database, vault, job)  # noqa: E731

        @queue.entrypoint("send")  # type: ignore[untyped-decorator,unused-ignore]
        async def send(job: Job) -> None:
            await handle(job)

        await queue.run(batch_size=batch, max_concurrent_tasks=concurrency)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
