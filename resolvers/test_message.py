"""Test messages: an admin tries out the tenant's channels. They go past preferences, quiet hours and a pause."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

import db.audience
import db.channel
import db.delivery
import db.draft
import db.inbox
import db.request
from db.delivery import TESTS_A_MINUTE, Planned
from db.draft import Copy
from db.request import Said
from db.session import Row, Transaction
from db.types import DeliveryStatus, RequestStatus
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import not_found, rate_limited
from resolvers.inputs import uuid_or_none
from resolvers.notification_type import default_category
from resolvers.principal import Role
from resolvers.rights import allow
from resolvers.text import escaped

TYPE = "tocsin.test"
TITLE = "Test from Tocsin"


class _Test(NamedTuple):
    """What was stored of a test: the request, its category, and for whom it is."""

    id: UUID
    category: str
    user_id: str


@allow(Role.ADMIN)
async def to_channel(ctx: Context, id: str) -> Row:
    """Send a test to the caller through one channel, on or off; return its delivery, PENDING."""
    parsed = uuid_or_none(id)
    async with ctx.service_write() as tx:
        ways = await db.channel.keep(tx, parsed) if parsed else []
        if not ways:
            raise not_found("Channel")
        await _require_patience(tx, ways)
        who, name = escaped(ctx.caller.user_id), escaped(ways[0].name)
        test = await _said(tx, ctx, f"{who} sent this through the channel {name} to see whether it works.")
        (delivery,) = await _sent(tx, test, ways, None)
        await audit.record(tx, ctx, "testChannel", id, ways[0].name)
        return delivery


@allow(Role.ADMIN)
async def to_all(ctx: Context) -> Sequence[Row]:
    """Send a test to the caller's inbox and through every channel that is on; return the deliveries."""
    async with ctx.service_write() as tx:
        ways = await db.channel.keep_enabled(tx)
        await _require_patience(tx, ways)
        await db.inbox.add_tenant(tx)
        who = escaped(ctx.caller.user_id)
        test = await _said(
            tx, ctx, f"{who} sent this through every channel that is on to see whether they work."
        )
        await audit.record(tx, ctx, "sendTestNotification")
        return await _sent(tx, test, ways, await _in_inbox(tx, test))


async def _require_patience(tx: Transaction, ways: Sequence[Row]) -> None:
    seconds = await db.delivery.test_wait(tx, [way.id for way in ways])
    if seconds is not None:
        raise rate_limited(f"A channel takes {TESTS_A_MINUTE} tests a minute.", seconds)


async def _said(tx: Transaction, ctx: Context, body: str) -> _Test:
    """Store what the test says."""
    subject = await db.audience.subject(tx, TYPE, None)
    category = subject.category or default_category(TYPE)
    test = _Test(uuid4(), category, ctx.caller.user_id)
    said = Said(type=TYPE, category=category, title=TITLE, body=body)
    await db.request.add(
        tx, test.id, test.user_id, said, key=None, recipient_ids=[test.user_id], recipients=1
    )
    return test


async def _in_inbox(tx: Transaction, test: _Test) -> UUID:
    """Store the inbox row, whatever the caller's preferences say; return its id."""
    ledger = await db.inbox.open_many(tx, [(test.user_id, TYPE, test.category)])
    copy = Copy(uuid4(), test.user_id, TYPE, test.category)
    await db.draft.copy(tx, ledger, test.id, [copy])
    return copy.id


async def _sent(
    tx: Transaction, test: _Test, ways: Sequence[Row], notification_id: UUID | None
) -> Sequence[Row]:
    """Store the deliveries of a test, and that with them it is done."""
    ids = [notification_id] if notification_id else []
    await db.request.advance(
        tx,
        test.id,
        status=RequestStatus.DONE,
        category=test.category,
        position="",
        done=1,
        created=len(ids),
        suppressed=1 - len(ids),
        notification_ids=ids,
    )
    plans = [
        Planned(uuid4(), test.user_id, notification_id, way.id, DeliveryStatus.PENDING, is_test=True)
        for way in ways
    ]
    return await db.delivery.plan(tx, test.id, plans)
