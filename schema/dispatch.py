"""By which methods this deployment can deliver."""

from typing import Any

import strawberry

import resolvers.dispatch
from resolvers.words import ChannelKind
from schema.info import Info


@strawberry.type(description="By which methods notifications can be dispatched here.")
class DispatchMethods:
    """See resolvers.dispatch.DispatchMethods."""

    available: list[ChannelKind] = strawberry.field(description="The methods that channels may have here.")
    default: ChannelKind = strawberry.field(description="The one that needs no channel: the inbox.")


@strawberry.type
class DispatchQuery:
    """Root fields of dispatch methods."""

    @strawberry.field(
        graphql_type=DispatchMethods | None,
        description="Dispatch methods that this deployment can use, and the default one; APPRISE only "
        "where its package is installed, and EMAIL leaves only where the worker knows a mail server. "
        "Users, admins and agents.",
    )
    async def dispatch_methods(self, info: Info) -> Any:
        """Return the methods."""
        return await resolvers.dispatch.methods(info.context)
