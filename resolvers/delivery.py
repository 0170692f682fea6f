"""The delivery log, and sending again what did not arrive."""

from collections.abc import Mapping, Sequence
from typing import Any

import db.delivery
from db.session import Row
from db.types import DeliveryStatus
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import bad_input, not_found
from resolvers.inputs import checked_texts, uuid_or_none, uuids
from resolvers.page import CountedPage, counted_page
from resolvers.principal import Role
from resolvers.rights import allow

_OVER = frozenset({DeliveryStatus.FAILED, DeliveryStatus.CANCELLED})
_REFUSALS = {
    DeliveryStatus.SENDING: "is being sent.",
    DeliveryStatus.SENT: "was sent.",
    DeliveryStatus.DEFERRED: "waits for what its reason says, and then goes by itself.",
    DeliveryStatus.SUPPRESSED: "was not to be sent: see its reason.",
}


@allow(Role.ADMIN)
async def deliveries(
    ctx: Context, first: int | None, after: str | None, filter: Mapping[str, Any], *, with_total: bool
) -> CountedPage:
    """Return a page of the tenant's deliveries, newest first; filter: notification, channel, status, user."""
    listing, given = db.delivery.LISTING, _restrictions(**filter)
    return await counted_page(ctx.reader, listing, given, first, after, with_total=with_total)


def _restrictions(
    notification: str | None = None,
    channel: str | None = None,
    status: Sequence[DeliveryStatus] | None = None,
    user: str | None = None,
) -> dict[str, Any]:
    """Return a client's filter as the database knows it; an id that cannot exist is that of nothing."""
    checked_texts(user=user)
    return {
        "notification": None if notification is None else uuids([notification])[0],
        "channel": None if channel is None else uuids([channel])[0],
        "recipient": user,
        "statuses": [it.value for it in status or ()],
    }


@allow(Role.ADMIN)
async def retry(ctx: Context, id: str) -> Row:
    """Begin anew what FAILED or was CANCELLED, and bring forward what waits for its next attempt."""
    parsed = uuid_or_none(id)
    async with ctx.write() as tx:
        row = await db.delivery.bring_forward(tx, parsed) if parsed else None
        if row is None:
            raise not_found("Delivery")
        if problem := _problem(row):
            raise bad_input(("id", problem))
        await audit.record(tx, ctx, "retryDelivery", str(row.id))
        return await (db.delivery.restart if row.status in _OVER else db.delivery.advance)(tx, row.id)


def _problem(row: Row) -> str | None:
    """Return why a delivery is not tried again, if so."""
    if refusal := _REFUSALS.get(row.status):
        return refusal
    if row.channel_id is None:
        return "has no channel any more."
    # Tests go past everything, so many as may be in a minute: see resolvers.test_message.
    return "was a test: send another." if row.is_test else None
