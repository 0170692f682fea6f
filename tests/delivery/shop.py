"""A deployment in this process whose workers a test starts, stops and hands senders of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from db.session import OUTBOX, Database
from db.types import ChannelKind
from delivery.dispatcher import Dispatcher, Pace
from delivery.parcel import Parcel
from delivery.sender import Result, Sender, Sent
from live.hub import Hub, Waiter
from resolvers.principal import Role
from resolvers.vault import Vault
from tests.delivery.support import Eye
from tests.support import Api

QUICK = Pace(concurrency=96, lease_seconds=60, timeout_seconds=5, grace_seconds=2)
_NOTIFY = """mutation($input: NotifyInput!) {
  notify(input: $input) { request { id status recipients done } notifications created suppressed } }"""
_CREATE_CHANNEL = "mutation($input: ChannelInput!) { createChannel(input: $input) { channel { id } } }"
_LOG = """
select delivery.id, delivery.status, reason, attempts, strikes, channel_id,
  extract(epoch from next_attempt_at - clock_timestamp())::float as seconds
from tocsin.delivery where tenant_id = $1 order by user_id, created_at, id
"""


class Recorder:
    """A sender that notes what it is given and answers as it is told.

    answers: the next ones, the last again and again; an exception is raised. seconds: what each send takes.
    """

    def __init__(self, *answers: Result | Exception, seconds: float = 0) -> None:
        self.answers = list(answers) or [Sent(200)]
        self.seconds = seconds
        self.begun: list[Parcel] = []
        self.done: list[Parcel] = []

    async def send(self, parcel: Parcel) -> Result:
        """Note it."""
        self.begun.append(parcel)
        await asyncio.sleep(self.seconds)
        self.done.append(parcel)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Tenant:
    """A tenant of the shop, and what its admin and its agent do."""

    api: Api
    eye: Eye
    hub: Hub
    id: str

    @property
    def admin(self) -> Api.User:
        """Its admin."""
        return self.api.user(self.id, "root", Role.ADMIN)

    async def channel(self, kind: str = "WEBHOOK", **config: str) -> UUID:
        """Make a channel."""
        told = config or ({"from": "a@example.org"} if kind == "EMAIL" else {"url": "http://127.0.0.1:9/"})
        said = {"kind": kind, "name": uuid4().hex, "config": told}
        return UUID((await self.admin.data(_CREATE_CHANNEL, input=said))["createChannel"]["channel"]["id"])

    async def notify(self, *users: str, **more: Any) -> Any:
        """Say something to users, or to everyone."""
        people = [{"id": user, "email": f"{user}@example.org"} for user in users]
        to = {"recipients": people} if users else {"everyone": True}
        said = {"type": "build.done", "title": "A build", **to, **more}
        agent = self.api.user(self.id, "bot", Role.AGENT)
        return (await agent.data(_NOTIFY, input=said))["notify"]

    async def log(self) -> list[Any]:
        """Return its deliveries, by recipient, with the seconds until the next attempt."""
        return await self.eye.sql.fetch(_LOG, self.id)

    async def states(self) -> list[tuple[str, str | None]]:
        """Return status and reason of its deliveries, by recipient."""
        return [(row["status"], row["reason"]) for row in await self.log()]

    async def due(self) -> int:
        """Return how much it has in the outbox."""
        return await self.eye.count("due", self.id)

    async def hurry(self) -> None:
        """Let its deliveries be due now: time passes, and the worker need not find out by itself."""
        await self.eye.sql.execute(
            "update tocsin.due set due_at = now() where tenant_id = $1 and due_at < 'infinity'", self.id
        )
        await self.eye.sql.execute(
            "update tocsin.delivery set next_attempt_at = now() where tenant_id = $1 and next_attempt_at > now()",
            self.id,
        )
        self.hub.announce([OUTBOX])

    async def settled(self, seconds: float = 20) -> None:
        """Wait until nothing of it is held or due."""
        query = """select count(*) from tocsin.due where tenant_id = $1
                   and (due_at <= now() or lease is not null)"""
        async with asyncio.timeout(seconds):
            while await self.eye.sql.fetchval(query, self.id):  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.02)


@dataclass
class Shop:
    """The deployment."""

    api: Api
    eye: Eye
    worker: Database
    hub: Hub
    vault: Vault

    def tenant(self) -> Tenant:
        """Return a tenant that no other test knows."""
        return Tenant(self.api, self.eye, self.hub, f"tenant-{uuid4().hex[:12]}")

    def dispatcher(
        self, senders: Mapping[ChannelKind, Sender] | Sender, pace: Pace = QUICK, waiter: Waiter | None = None
    ) -> Dispatcher:
        """Return a dispatcher; one sender serves all kinds."""
        by_kind = senders if isinstance(senders, Mapping) else dict.fromkeys(ChannelKind, senders)
        return Dispatcher(self.worker, by_kind, self.vault, pace, waiter or Waiter())

    @asynccontextmanager
    async def working(
        self, senders: Mapping[ChannelKind, Sender] | Sender, pace: Pace = QUICK, *, hears: bool = True
    ) -> AsyncIterator["asyncio.Task[None]"]:
        """Have a dispatcher at work while the block runs; hears: it is woken by hints."""
        with self.hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter:
            task = asyncio.create_task(self.dispatcher(senders, pace, waiter if hears else None).run())
            try:
                yield task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what is about to be so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.01)
