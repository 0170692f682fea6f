"""Notify: what producers send."""

from typing import Any

import strawberry
from strawberry import UNSET

import resolvers.notify
from resolvers.words import ChannelKind, RequestStatus, Severity
from schema.action import ActionInput
from schema.given import given
from schema.info import Info
from schema.page import row_id
from schema.recipient import RecipientInput
from schema.scalars import JSON, DateTime, SafeUrl


@strawberry.type(description="A notify that was accepted, and how far it has got.")
class NotifyRequest:
    """A row of the request table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    status: RequestStatus = strawberry.field(description="Where it stands.")
    recipients: int = strawberry.field(
        description="How many it is for; of everyone, those known when it was made."
    )
    done: int = strawberry.field(description="To how many of them it has come.")
    created_at: DateTime = strawberry.field(description="When it was accepted.")


@strawberry.type(description="What a notify has done.")
class NotifyPayload:
    """See resolvers.notify.NotifyPayload."""

    request: NotifyRequest = strawberry.field(description="The request; ask notifyRequest for its progress.")
    notifications: list[strawberry.ID] = strawberry.field(
        description="The inbox rows, in no order; with everyone none, for the worker stores them later."
    )
    created: int = strawberry.field(description="How many inbox rows there are by now.")
    suppressed: int = strawberry.field(
        description="How many recipients have none: they, or the channels given, leave the inbox out."
    )
    replayed: bool = strawberry.field(
        description="Whether an earlier call with this idempotencyKey did it, and this one nothing."
    )


@strawberry.input(
    description="What is said, to whom. Either recipients or everyone; either a title (and a body), or a template "
    "with its variables."
)
class NotifyInput:
    """See resolvers.notify_input."""

    recipients: list[RecipientInput] | None = strawberry.field(
        default=UNSET,
        description="1 to 1,000 of them, each once. Who is not in the directory is added; what is said of a "
        "person beside the id is stored.",
    )
    everyone: bool | None = strawberry.field(
        default=False, description="All who are in the directory now; the worker stores their rows."
    )
    type: str = strawberry.field(
        description="Dotted machine name, e.g. issue.digest, 1 to 255 characters. Known from its first notify on."
    )
    category: str | None = strawberry.field(
        default=UNSET, description="1 to 255 characters; left out: the type's."
    )
    severity: Severity | None = strawberry.field(
        default=Severity.NORMAL, description="CRITICAL passes quiet hours and digests."
    )
    title: str | None = strawberry.field(
        default=UNSET, description="Markdown, one line, 1 to 1,000 characters."
    )
    body: str | None = strawberry.field(default=UNSET, description="Markdown, up to 65,536 characters.")
    template: strawberry.ID | None = strawberry.field(
        default=UNSET, description="What title, body and, unless given, actions are made from."
    )
    variables: JSON | None = strawberry.field(default=UNSET, description="What the template asks for.")
    url: SafeUrl | None = strawberry.field(default=UNSET, description="Where it leads.")
    icon: str | None = strawberry.field(
        default=UNSET, description="1 to 255 characters; left out: the type's."
    )
    actions: list[ActionInput] | None = strawberry.field(default=UNSET, description="Up to 10 buttons.")
    targets: list[strawberry.ID] | None = strawberry.field(
        default=UNSET, description="Ids of up to 100 things that it is about."
    )
    team_id: strawberry.ID | None = strawberry.field(default=UNSET, description="The team that it concerns.")
    project_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The project that it happened in; preferences may name it."
    )
    environment_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The environment that it happened in; preferences may name it."
    )
    data: JSON | None = strawberry.field(default=UNSET, description="For programs: any JSON object.")
    channels: list[ChannelKind] | None = strawberry.field(
        default=UNSET, description="Only these; preferences still apply. IN_APP is the inbox."
    )
    escalate_after_minutes: int | None = strawberry.field(
        default=UNSET,
        description="The inbox at once; other channels only after so many minutes, 1 to 10,080, and only if it is "
        "then neither read nor dismissed nor deleted.",
    )


@strawberry.type
class NotifyQuery:
    """Root fields that tell of requests."""

    @strawberry.field(
        graphql_type=NotifyRequest | None,
        description="How far a notify has got. The agent that made it, or an admin; for others, and for absent "
        "ids, NOT_FOUND. Admins and agents.",
    )
    async def notify_request(self, info: Info, id: strawberry.ID) -> Any:
        """Return a request."""
        return await resolvers.notify.request(info.context, id)


@strawberry.type
class NotifyMutation:
    """Root fields that send."""

    @strawberry.field(
        graphql_type=NotifyPayload | None,
        description="With recipients, the inbox rows and their deliveries are stored in one transaction; with "
        "everyone, the request is accepted and the worker fans it out (see notifyRequest). idempotencyKey, 1 to "
        "255 characters: unique per tenant and caller for 24 h; same key and input replays the first answer, "
        "same key and another input is IDEMPOTENCY_CONFLICT. An agent may send its types only, else FORBIDDEN. "
        "Agents and admins.",
    )
    async def notify(self, info: Info, input: NotifyInput, idempotency_key: str | None = None) -> Any:
        """Say something to people."""
        return await resolvers.notify.notify(info.context, given(input), idempotency_key)
