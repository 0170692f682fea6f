"""Stored preferences."""

from typing import Any

import strawberry

import resolvers.preference
from resolvers.words import ChannelKind
from schema.info import Info
from schema.page import row_id
from schema.scalars import DateTime, LocalTime, TimeZone
from schema.template import Template


async def _template(info: Info, root: strawberry.Parent[Any]) -> Any:
    return root.template_id and await info.context.loaders.template_by_id.load(root.template_id)


@strawberry.type(
    description="One choice of one user. Identity: user, category or template, channelKind, projectId, "
    "environmentId (null equals null). enabled and the quiet hours are decided apart: for each, the first layer "
    "that says something wins, and within a layer the more specific row (channelKind before null). So a row with "
    "quiet hours alone leaves enabled to the others. Quiet is the wall clock in [quietStart, quietEnd), wrapping "
    "midnight when start > end, in timezone (else the recipient's, else UTC)."
)
class Preference:
    """A row of the preference table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    category: str | None = strawberry.field(description="A category, or * for all.")
    template: Template | None = strawberry.field(
        resolver=_template, description="The template it is about, instead of a category."
    )
    channel_kind: ChannelKind | None = strawberry.field(description="null: every channel.")
    enabled: bool | None = strawberry.field(description="null: no opinion.")
    project_id: strawberry.ID | None = strawberry.field(description="Only in this project.")
    environment_id: strawberry.ID | None = strawberry.field(description="Only in this environment.")
    quiet_start: LocalTime | None = strawberry.field(description="Quiet from this time on.")
    quiet_end: LocalTime | None = strawberry.field(description="Quiet until this time.")
    timezone: TimeZone | None = strawberry.field(description="Whose wall clock; null: the recipient's.")
    created_at: DateTime = strawberry.field(description="When it was first stored.")
    updated_at: DateTime = strawberry.field(description="When it was last changed.")


@strawberry.type
class PreferenceQuery:
    """Root fields of preferences."""

    @strawberry.field(
        graphql_type=list[Preference] | None,
        description="Stored preferences of a user: an id, a name, or me. Another user's need the admin role. "
        "Users and admins.",
    )
    async def preferences(
        self,
        info: Info,
        user: strawberry.ID | None = strawberry.ID("me"),
        category: str | None = None,
        project_id: strawberry.ID | None = None,
        environment_id: strawberry.ID | None = None,
    ) -> Any:
        """Return stored preferences."""
        return await resolvers.preference.preferences(
            info.context, "me" if user is None else user, category, project_id, environment_id
        )
