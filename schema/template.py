"""Templates."""

import strawberry

from resolvers.words import ChannelKind, TemplateKind
from schema.action import Action
from schema.page import row_id


@strawberry.type(description="What notifications of a kind are made from.")
class Template:
    """A row of the template table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    name: str = strawberry.field(description="Its name, for people.")
    kind: TemplateKind = strawberry.field(description="Whose it is.")
    group: str | None = strawberry.field(description="The heading it is listed under.")
    method: ChannelKind | None = strawberry.field(
        description="The channel kind it is meant for; null: every one."
    )
    title_template: str = strawberry.field(description="The title, with variables.")
    body_template: str = strawberry.field(description="The body, with variables.")
    actions: list[Action] = strawberry.field(description="Buttons that its notifications carry.")
    enabled_by_default: bool = strawberry.field(
        description="Whether it applies where no preference says otherwise."
    )
