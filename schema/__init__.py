"""What clients see: the GraphQL schema."""

from collections.abc import Callable, Iterable

import strawberry
from graphql import GraphQLInputObjectType, GraphQLObjectType, Undefined
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from resolvers.errors import ErrorCode
from schema import enums
from schema.agent import AgentMutation
from schema.audit import AuditQuery
from schema.channel import ChannelMutation, ChannelQuery
from schema.compiled import CompiledExecutor, Documents
from schema.delivery import DeliveryMutation, DeliveryQuery
from schema.dispatch import DispatchQuery
from schema.event import EVENTS, Subscription
from schema.notification import NotificationMutation, NotificationQuery
from schema.notification_type import NotificationTypeMutation, NotificationTypeQuery
from schema.notify import NotifyMutation, NotifyQuery
from schema.preference import PreferenceMutation, PreferenceQuery
from schema.recipient import RecipientMutation
from schema.scalars import SCALARS
from schema.settings import SettingsMutation, SettingsQuery
from schema.template import TemplateMutation, TemplateQuery

__all__ = ["build", "enums"]


@strawberry.type(description="What can be asked. A field that fails is null, and takes no sibling along.")
class Query(
    NotificationQuery,
    PreferenceQuery,
    ChannelQuery,
    DispatchQuery,
    NotificationTypeQuery,
    TemplateQuery,
    SettingsQuery,
    NotifyQuery,
    DeliveryQuery,
    AuditQuery,
):
    """The root fields of all nouns."""


@strawberry.type(
    description="What can be changed. Fields run in order, and each is committed or refused as a whole: one "
    "that fails is null, and undoes no sibling."
)
class Mutation(
    NotificationMutation,
    PreferenceMutation,
    ChannelMutation,
    SettingsMutation,
    TemplateMutation,
    RecipientMutation,
    NotificationTypeMutation,
    AgentMutation,
    NotifyMutation,
    DeliveryMutation,
):
    """The root fields of all nouns."""


def build(
    extensions: Iterable[type[SchemaExtension] | Callable[[], SchemaExtension]] = (),
) -> strawberry.Schema:
    """Return the schema; the edge adds its extensions (limits, a fresh context for each operation)."""
    schema = strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        types=[*EVENTS, ErrorCode],
        extensions=[*extensions, Documents],
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=CompiledExecutor,
    )
    _drop_null_defaults(schema)
    return schema


def _drop_null_defaults(schema: strawberry.Schema) -> None:
    """Take null defaults out of the SDL: null means the same as omitted, so it is none to show."""
    for type in schema._schema.type_map.values():  # noqa: SLF001  Strawberry has no public way
        if isinstance(type, GraphQLInputObjectType):
            inputs = list(type.fields.values())
        elif isinstance(type, GraphQLObjectType):
            inputs = [argument for field in type.fields.values() for argument in field.args.values()]
        else:
            continue
        for value in inputs:
            if value.default_value is None:
                value.default_value = Undefined
