"""What a tenant has set."""

from typing import Any

import strawberry
from strawberry import UNSET

import resolvers.settings
from schema.given import given
from schema.info import Info


@strawberry.type(description="What the tenant has set.")
class Settings:
    """See db.settings.Settings."""

    notifier_paused: bool = strawberry.field(
        description="true: nothing leaves on any channel; inbox rows are still stored, and what waits goes "
        "out on unpause."
    )
    retention_days: int = strawberry.field(
        description="Days after which a deleted row is gone for good; 90 unless changed."
    )
    inbox_days: int | None = strawberry.field(description="Days after which any row is deleted; null: never.")


@strawberry.input(
    description="Changes of the settings: what is left out stays as it is, and so does what is null, but for "
    "inboxDays."
)
class SettingsPatch:
    """See resolvers.settings.update."""

    notifier_paused: bool | None = strawberry.field(
        default=UNSET, description="Whether nothing leaves on any channel."
    )
    retention_days: int | None = strawberry.field(default=UNSET, description="1 to 3,650.")
    inbox_days: int | None = strawberry.field(default=UNSET, description="1 to 3,650; null: never.")


@strawberry.type(description="What updateSettings did.")
class SettingsPayload:
    """See resolvers.settings.SettingsPayload."""

    settings: Settings = strawberry.field(description="The settings as they are now.")
    changed: bool = strawberry.field(description="false where nothing differed.")


@strawberry.type
class SettingsQuery:
    """Root fields of settings."""

    @strawberry.field(
        graphql_type=Settings | None,
        description="The tenant's settings; where nothing was set, the defaults. Users, admins and agents.",
    )
    async def settings(self, info: Info) -> Any:
        """Return the settings."""
        return await resolvers.settings.settings(info.context)


@strawberry.type
class SettingsMutation:
    """Root fields that change settings."""

    @strawberry.field(
        graphql_type=SettingsPayload | None,
        description="changed is false where nothing differed, and then nothing is written. BAD_USER_INPUT "
        "lists every wrong field. Admins.",
    )
    async def update_settings(self, info: Info, input: SettingsPatch) -> Any:
        """Change the settings."""
        return await resolvers.settings.update(info.context, given(input))
