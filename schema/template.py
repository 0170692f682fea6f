"""Templates."""

from typing import Any

import strawberry
from strawberry import UNSET

import resolvers.template
from resolvers.words import ChannelKind, TemplateKind
from schema.action import Action, ActionInput
from schema.given import given
from schema.info import Info
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


@strawberry.input(
    description="A new template of the tenant's own. Both texts are Jinja templates whose output is "
    "Markdown; they may use no other template."
)
class TemplateInput:
    """See resolvers.template.create."""

    name: str = strawberry.field(description="Its name, for people, 1 to 255 characters.")
    group: str | None = strawberry.field(default=None, description="The heading it is listed under.")
    method: ChannelKind | None = strawberry.field(
        default=None, description="The channel kind it is meant for; null: every one."
    )
    title_template: str = strawberry.field(description="The title, 1 to 1,000 characters.")
    body_template: str = strawberry.field(description="The body, up to 65,536 characters.")
    actions: list[ActionInput] | None = strawberry.field(
        default_factory=list, description="Buttons that its notifications carry, up to 10."
    )
    enabled_by_default: bool | None = strawberry.field(
        default=True, description="Whether it applies where no preference says otherwise."
    )


@strawberry.input(
    description="Changes of a template: what is left out stays as it is, and so does what is null, but for "
    "group and method, which null clears."
)
class TemplatePatch:
    """See resolvers.template.update."""

    name: str | None = strawberry.field(default=UNSET, description="Its name, 1 to 255 characters.")
    group: str | None = strawberry.field(
        default=UNSET, description="The heading it is listed under; null: none."
    )
    method: ChannelKind | None = strawberry.field(
        default=UNSET, description="The channel kind it is meant for; null: every one."
    )
    title_template: str | None = strawberry.field(
        default=UNSET, description="The title, 1 to 1,000 characters."
    )
    body_template: str | None = strawberry.field(
        default=UNSET, description="The body, up to 65,536 characters."
    )
    actions: list[ActionInput] | None = strawberry.field(
        default=UNSET, description="Buttons that its notifications carry, up to 10; replaces all."
    )
    enabled_by_default: bool | None = strawberry.field(
        default=UNSET, description="Whether it applies where no preference says otherwise."
    )


@strawberry.type
class TemplateQuery:
    """Root fields of templates."""

    @strawberry.field(
        graphql_type=list[Template] | None,
        description="SYSTEM: shipped and read-only. CUSTOM: the tenant's own, at most 100. SYSTEM first, "
        "then by group and name. Users, admins and agents.",
    )
    async def templates(self, info: Info, kind: TemplateKind | None = None) -> Any:
        """List the templates."""
        return await resolvers.template.templates(info.context, kind)


@strawberry.type
class TemplateMutation:
    """Root fields that change templates."""

    @strawberry.field(
        graphql_type=Template | None,
        description="BAD_USER_INPUT lists every wrong field, a syntax error with its line. Admins.",
    )
    async def create_template(self, info: Info, input: TemplateInput) -> Any:
        """Make a template."""
        return await resolvers.template.create(info.context, given(input))

    @strawberry.field(
        graphql_type=Template | None,
        description="A SYSTEM template is FORBIDDEN; absent and foreign ids are the same NOT_FOUND. Admins.",
    )
    async def update_template(self, info: Info, id: strawberry.ID, input: TemplatePatch) -> Any:
        """Change a template."""
        return await resolvers.template.update(info.context, id, given(input))

    @strawberry.field(
        graphql_type=strawberry.ID | None,
        description="Preferences about it are deleted too; notifications made from it stay, without it. A "
        "SYSTEM template is FORBIDDEN; absent and foreign ids are the same NOT_FOUND. Admins.",
    )
    async def delete_template(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a template."""
        return await resolvers.template.delete(info.context, id)
