"""Deliveries: what left the building."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from resolvers.words import DeliveryStatus
from schema.info import Info
from schema.page import row_id
from schema.scalars import DateTime

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
    return await info.context.loaders.notification_by_id.load(root.notification_id)


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
        description="What is delivered; null if it is deleted or not the caller's own.",
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
