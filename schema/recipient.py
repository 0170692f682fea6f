"""The tenant's directory of people."""

from typing import Any

import strawberry

import resolvers.recipient
from schema.given import given
from schema.info import Info
from schema.page import row_id
from schema.scalars import TimeZone


@strawberry.type(description="Somebody who can be notified.")
class Recipient:
    """A row of the recipient table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="The user's id, as in tokens.")
    email: str | None = strawberry.field(description="Where email goes.")
    name: str | None = strawberry.field(description="The name, for people; not unique.")
    timezone: TimeZone | None = strawberry.field(description="Whose wall clock quiet hours mean; null: UTC.")


@strawberry.input(
    description="A user and what is known of them: an omitted field keeps its value, null clears it."
)
class RecipientInput:
    """A patch of a row of the recipient table."""

    id: strawberry.ID = strawberry.field(description="The user's id, as in tokens; 1 to 255 characters.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="Where email goes.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="1 to 255 characters.")
    timezone: TimeZone | None = strawberry.field(
        default=strawberry.UNSET, description="Whose wall clock quiet hours mean."
    )


@strawberry.type
class RecipientMutation:
    """Root fields that change the directory."""

    @strawberry.field(
        graphql_type=list[Recipient] | None,
        description="The directory that everyone means. 1 to 1,000, all or nothing, each id once; an omitted "
        "field keeps its value, null clears it. Returns them in the order given. Agents and admins.",
    )
    async def upsert_recipients(self, info: Info, recipients: list[RecipientInput]) -> Any:
        """Store people."""
        return await resolvers.recipient.upsert(info.context, [given(it) for it in recipients])

    @strawberry.field(
        graphql_type=strawberry.ID | None,
        description="Erases the user's notifications, their deliveries, events, preferences and directory "
        "entry, closes the user's sockets with 4403, and refuses tokens issued before now, within 5 seconds "
        "everywhere. A token issued later finds an empty inbox. Unknown and foreign ids are the same "
        "NOT_FOUND. Admins.",
    )
    async def remove_recipient(self, info: Info, id: strawberry.ID) -> Any:
        """Erase a user."""
        return await resolvers.recipient.remove(info.context, id)
