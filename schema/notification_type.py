"""The notification types that a tenant knows."""

from typing import Any

import strawberry

import resolvers.notification_type
from schema.given import given
from schema.info import Info


@strawberry.type(description="What kind of thing notifications of one name are about.")
class NotificationType:
    """A row of the notification_type table."""

    name: str = strawberry.field(description="Dotted machine name, e.g. issue.digest.")
    category: str = strawberry.field(description="Coarse group that a user can switch off, e.g. billing.")
    icon: str = strawberry.field(description="The icon of notifications that have none of their own.")
    enabled_by_default: bool = strawberry.field(
        description="Whether it is sent where no preference says otherwise."
    )
    required: bool = strawberry.field(description="Whether it is sent whatever preferences say.")


@strawberry.input(
    description="A type, known or new: an omitted field keeps its value, or has the default if the type is "
    "new; null sets the default."
)
class NotificationTypeInput:
    """A patch of a row of the notification_type table."""

    name: str = strawberry.field(description="Dotted machine name, 1 to 255 characters.")
    category: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The category of notifications to come. Default: the name up to its first dot, or else "
        "general.",
    )
    icon: str | None = strawberry.field(default=strawberry.UNSET, description="Default: bell.")
    enabled_by_default: bool | None = strawberry.field(default=strawberry.UNSET, description="Default: true.")
    required: bool | None = strawberry.field(default=strawberry.UNSET, description="Default: false.")


@strawberry.type
class NotificationTypeQuery:
    """Root fields of types."""

    @strawberry.field(
        graphql_type=list[NotificationType] | None,
        description="Notification types known in this tenant, by name. Users, admins and agents.",
    )
    async def notification_types(self, info: Info) -> Any:
        """List the tenant's types."""
        return await resolvers.notification_type.notification_types(info.context)


@strawberry.type
class NotificationTypeMutation:
    """Root fields that change types."""

    @strawberry.field(
        graphql_type=list[NotificationType] | None,
        description="A type is known from its first notify; this sets its category, icon, default, and "
        "whether it may be switched off. 1 to 200, all or nothing, each name once. Returns them in the order "
        "given. Notifications that are stored keep the category they were stored with. Admins.",
    )
    async def upsert_notification_types(self, info: Info, types: list[NotificationTypeInput]) -> Any:
        """Store types."""
        return await resolvers.notification_type.upsert(info.context, [given(it) for it in types])
