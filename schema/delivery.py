"""Deliveries: what left the building, what would, and trying it again."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

import resolvers.delivery
import resolvers.explain
import resolvers.notification
import resolvers.test_message
from resolvers.layers import PreferenceLayer
from resolvers.routing import Outcome
from resolvers.words import DeliveryStatus
from schema.given import given
from schema.info import Info
from schema.page import PageInfo, row_id
from schema.scalars import DateTime
from schema.selection import selected

if TYPE_CHECKING:
    from schema.channel import Channel
    from schema.notification import Notification

_Notification = Annotated["Notification", strawberry.lazy("schema.notification")]
_Channel = Annotated["Channel", strawberry.lazy("schema.channel")]


@strawberry.type(description="One try to deliver.")
class Attempt:
    """A row of the attempt table."""

    number: int = strawberry.field(description="Counts from 1.")
    at: DateTime = strawberry.field(description="When it began.")
    duration_ms: int = strawberry.field(description="How long it took, in milliseconds.")
    status_code: int | None = strawberry.field(
        description="The receiver's HTTP or SMTP status, if it gave one."
    )
    error: str | None = strawberry.field(description="What went wrong, if anything.")


async def _notification(info: Info, root: strawberry.Parent[Any]) -> Any:
    if root.notification_id is None:
        return None
    loader = info.context.loaders.notification_by_id(resolvers.notification.columns(selected(info)))
    return await loader.load(root.notification_id)


async def _channel(info: Info, root: strawberry.Parent[Any]) -> Any:
    return root.channel_id and await info.context.loaders.channel_by_id.load(root.channel_id)


async def _attempts(info: Info, root: strawberry.Parent[Any]) -> Any:
    return await info.context.loaders.attempts_by_delivery.load(root.id)


@strawberry.type(description="A notification on its way out through a channel.")
class Delivery:
    """A row of the delivery table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    notification: _Notification | None = strawberry.field(
        resolver=_notification,
        description="What is delivered; null if it is deleted, has no inbox row or is not the caller's own.",
    )
    channel: _Channel | None = strawberry.field(
        resolver=_channel, description="The way it takes; null if the channel is gone."
    )
    status: DeliveryStatus = strawberry.field(description="Where it stands.")
    reason: str | None = strawberry.field(description="Why it stands there.")
    attempts: list[Attempt] = strawberry.field(
        resolver=_attempts, description="Each try, the first one first."
    )
    next_attempt_at: DateTime | None = strawberry.field(description="When it is tried next.")
    created_at: DateTime = strawberry.field(description="When it was decided.")


@strawberry.type(description="A delivery in a page.")
class DeliveryEdge:
    """See resolvers.page.Edge."""

    node: Delivery = strawberry.field(description="The delivery.")
    cursor: str = strawberry.field(description="Continue after it with this.")


@strawberry.type(description="A page of the delivery log, newest first.")
class DeliveryConnection:
    """See resolvers.page.CountedPage."""

    edges: list[DeliveryEdge] = strawberry.field(description="The deliveries with their cursors.")
    nodes: list[Delivery] = strawberry.field(description="The deliveries.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="Deliveries that match; counted only when selected.")


@strawberry.input(
    description="Which deliveries: fields AND together. An id that does not exist matches nothing; an empty list "
    "is no restriction."
)
class DeliveryFilter:
    """See db.delivery.LISTING."""

    notification: strawberry.ID | None = strawberry.field(default=None, description="Of this notification.")
    channel: strawberry.ID | None = strawberry.field(default=None, description="Through this channel.")
    status: list[DeliveryStatus] | None = strawberry.field(
        default=None, description="That stand at any of these."
    )
    user: strawberry.ID | None = strawberry.field(default=None, description="To this user, by id.")


@strawberry.type(description="What would happen on a channel, or in the inbox.")
class DeliveryDecision:
    """See resolvers.explain.DeliveryDecision."""

    channel: _Channel | None = strawberry.field(description="The channel; null: the inbox.")
    outcome: Outcome = strawberry.field(description="Whether it would be sent.")
    at: DateTime | None = strawberry.field(
        description="Until when it would wait; null: it would not, or until the tenant is no longer paused."
    )
    reason: str = strawberry.field(description="Why, in a sentence.")
    decided_by: PreferenceLayer | None = strawberry.field(
        description="Which layer of preferences decided whether it is on; null: something else came before."
    )


@strawberry.type
class DeliveryQuery:
    """Root fields about deliveries."""

    @strawberry.field(
        graphql_type=DeliveryConnection | None,
        description="The delivery log, newest first. first: 20 unless given, 1 to 200. Admins.",
    )
    async def deliveries(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        filter: DeliveryFilter | None = None,
    ) -> Any:
        """List the tenant's deliveries."""
        return await resolvers.delivery.deliveries(
            info.context,
            first,
            after,
            given(filter) if filter else {},
            with_total="totalCount" in selected(info),
        )

    @strawberry.field(
        graphql_type=list[DeliveryDecision] | None,
        description="If this were sent to this user, with no more severity than NORMAL, what would happen in the "
        "inbox and on each channel, and why? at: a moment from 1970 to 2199, now unless given; what is stored is "
        "taken as it is now. A user who is not known is one without preferences and address, a type that is not "
        "known has its default category; an agent may ask about its types only, else FORBIDDEN. Writes nothing. "
        "Admins and agents.",
    )
    async def explain_delivery(
        self, info: Info, user: strawberry.ID, type: str, at: DateTime | None = None
    ) -> Any:
        """Say what would happen."""
        return await resolvers.explain.explain(info.context, user, type, at)


@strawberry.type
class DeliveryMutation:
    """Root fields that send again, or for a try."""

    @strawberry.field(
        graphql_type=Delivery | None,
        description="Try it again at once. What FAILED or was CANCELLED begins anew, as PENDING and with all its "
        "attempts before it; preferences, quiet hours, digests and a pause still hold. PENDING is brought "
        "forward. What is SENDING, SENT, DEFERRED or SUPPRESSED, was a test, or has no channel any more is "
        "BAD_USER_INPUT. Absent and foreign ids are the same NOT_FOUND. Admins.",
    )
    async def retry_delivery(self, info: Info, id: strawberry.ID) -> Any:
        """Try a delivery again."""
        return await resolvers.delivery.retry(info.context, id)

    @strawberry.field(
        graphql_type=list[Delivery] | None,
        description="A test notification to the caller: in the inbox, and on every channel that is on, past "
        "preferences, quiet hours and a pause, with one attempt each. The deliveries come back PENDING: ask "
        "deliveries a moment later how they went. A channel takes 5 tests a minute, those of testChannel "
        "included: if one has had them, RATE_LIMITED with extensions.retryAfter, in seconds, and nothing is "
        "sent. Admins.",
    )
    async def send_test_notification(self, info: Info) -> Any:
        """Send a test through every channel that is on."""
        return await resolvers.test_message.to_all(info.context)
