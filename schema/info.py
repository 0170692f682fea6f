"""The info that every resolver function gets."""

import strawberry

from resolvers.context import Context

Info = strawberry.Info[Context, None]
