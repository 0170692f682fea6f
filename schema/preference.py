"""Stored preferences."""

from typing import Any

import strawberry

import resolvers.preference
from resolvers.layers import PreferenceLayer
from resolvers.preference_change import Change
from resolvers.words import ChannelKind, Digest
from schema.given import given
from schema.info import Info
from schema.page import row_id
from schema.scalars import DateTime, LocalTime, TimeZone
from schema.template import Template

_ME = strawberry.ID("me")


async def _template(info: Info, root: strawberry.Parent[Any]) -> Any:
    return root.template_id and await info.context.loaders.template_by_id.load(root.template_id)


@strawberry.type(
    description="One choice of one user. Identity: user, category or template, channelKind, projectId, "
    "environmentId (null equals null). enabled, the quiet hours and the digest are decided apart: for each, the "
    "first layer that says something wins, and within a layer the more specific row (channelKind before null). "
    "So a row with quiet hours alone leaves enabled to the others. Quiet is the wall clock in [quietStart, "
    "quietEnd), wrapping midnight when start > end, in timezone (else the recipient's, else UTC), so right "
    "across DST. While they last, inbox rows are stored at once and other channels wait for the end; nothing "
    "is dropped. A digest is of mail: it waits, for the next full hour or a time of the day in timezone, and one "
    "mail tells of all that has come meanwhile. CRITICAL passes both. IN_APP off: no inbox row."
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
    digest: Digest | None = strawberry.field(description="Whether mail waits for more; null: no opinion.")
    digest_at: LocalTime | None = strawberry.field(
        description="When a DAILY digest leaves; null: at 08:00 in that zone."
    )
    created_at: DateTime = strawberry.field(description="When it was first stored.")
    updated_at: DateTime = strawberry.field(description="When it was last changed.")


@strawberry.type(
    description="What applies on one channel kind to notifications of a type, or, if template is set, to "
    "those made from it. type and category are * then: whatever the type, so a required type is sent all the "
    "same, and where no preference about the template decides, one about the type's category comes before "
    "one about all."
)
class EffectivePreference:
    """See resolvers.effective.EffectivePreference."""

    type: str = strawberry.field(description="The notification type; * in a row about a template.")
    category: str = strawberry.field(description="The type's category; * in a row about a template.")
    template: Template | None = strawberry.field(
        description="The template that the row is about; null: any, as long as it is not in a row of its own."
    )
    channel_kind: ChannelKind = strawberry.field(description="The kind of channel.")
    enabled: bool = strawberry.field(description="Whether it is sent there.")
    decided_by: PreferenceLayer = strawberry.field(description="Which layer decided enabled.")
    preference: Preference | None = strawberry.field(
        description="The stored preference that decided enabled; null if none did."
    )
    quiet_start: LocalTime | None = strawberry.field(description="Quiet from this time on; null: never.")
    quiet_end: LocalTime | None = strawberry.field(description="Quiet until this time.")
    timezone: TimeZone = strawberry.field(
        description="Whose wall clock: as the preference with the quiet hours says, else the recipient's, "
        "else UTC."
    )
    digest: Digest | None = strawberry.field(
        description="Whether mail waits for more, IMMEDIATE unless a preference says otherwise; null where "
        "channelKind is not EMAIL."
    )
    digest_at: LocalTime | None = strawberry.field(
        description="When a DAILY digest leaves, by the wall clock of the preference that says so, else the "
        "recipient's, else UTC; null for others."
    )


@strawberry.input(
    description="A preference to store: exactly one of category and template, and what it says. Of enabled, "
    "quietStart, quietEnd, timezone, digest and digestAt an omitted one keeps its stored value, and null "
    "clears it."
)
class PreferenceInput:
    """See resolvers.preference_change.Change."""

    category: str | None = strawberry.field(default=None, description="A category, or * for all.")
    template: strawberry.ID | None = strawberry.field(
        default=None, description="The template it is about, instead of a category."
    )
    channel_kind: ChannelKind | None = strawberry.field(default=None, description="null: every channel.")
    project_id: strawberry.ID | None = strawberry.field(default=None, description="Only in this project.")
    environment_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only in this environment."
    )
    enabled: bool | None = strawberry.field(default=strawberry.UNSET, description="null: no opinion.")
    quiet_start: LocalTime | None = strawberry.field(
        default=strawberry.UNSET, description="Quiet from this time on; goes with quietEnd."
    )
    quiet_end: LocalTime | None = strawberry.field(
        default=strawberry.UNSET, description="Quiet until this time; not equal to quietStart."
    )
    timezone: TimeZone | None = strawberry.field(
        default=strawberry.UNSET, description="Whose wall clock; null: the recipient's."
    )
    digest: Digest | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether mail waits for more; only where channelKind is EMAIL or null. null: no opinion.",
    )
    digest_at: LocalTime | None = strawberry.field(
        default=strawberry.UNSET,
        description="When a DAILY digest leaves, and only with that; null: at 08:00.",
    )


_IDENTITY = ("category", "template", "channel_kind", "project_id", "environment_id")


def _change(input: PreferenceInput) -> Change:
    said = given(input)
    return Change(**{name: said.pop(name) for name in _IDENTITY}, said=said)


@strawberry.type
class PreferenceQuery:
    """Root fields that read preferences."""

    @strawberry.field(
        graphql_type=list[Preference] | None,
        description="Stored preferences of a user: an id, a name, or me. Another user's need the admin role. "
        "Users and admins.",
    )
    async def preferences(
        self,
        info: Info,
        user: strawberry.ID | None = _ME,
        category: str | None = None,
        project_id: strawberry.ID | None = None,
        environment_id: strawberry.ID | None = None,
    ) -> Any:
        """Return stored preferences."""
        return await resolvers.preference.preferences(
            info.context, user, category, project_id, environment_id
        )

    @strawberry.field(
        graphql_type=list[EffectivePreference] | None,
        description="What applies for each notification type and channel kind, and which layer decided it; "
        "then the same for each template that a preference of the user names, or that is off by default. "
        "projectId, environmentId: what applies there; without them, what applies where neither is known. "
        "Another user's need the admin role. Users and admins.",
    )
    async def effective_preferences(
        self,
        info: Info,
        user: strawberry.ID | None = _ME,
        project_id: strawberry.ID | None = None,
        environment_id: strawberry.ID | None = None,
    ) -> Any:
        """Return what preferences come to."""
        return await resolvers.preference.effective_preferences(
            info.context, user, project_id, environment_id
        )


@strawberry.type
class PreferenceMutation:
    """Root fields that change preferences."""

    @strawberry.field(
        graphql_type=list[Preference] | None,
        description="Upsert, all or nothing, 1 to 200. An omitted field keeps its value, null clears it. "
        "Returns all of the user's, 2,000 at most: beyond that, those that say nothing are dropped first. "
        "The same identity twice, a template that does not exist, one end of quiet hours alone, two that are "
        "equal, a digest of what is no mail, or its time without DAILY: BAD_USER_INPUT. Another user's need "
        "the admin role. Users and admins.",
    )
    async def update_preferences(
        self, info: Info, preferences: list[PreferenceInput], user: strawberry.ID | None = _ME
    ) -> Any:
        """Store preferences."""
        return await resolvers.preference.update(info.context, [_change(it) for it in preferences], user)
