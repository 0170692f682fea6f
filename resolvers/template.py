"""Templates: the shipped ones, which nobody changes, and the tenant's own."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import db.inbox
import db.template
import db.turn
from db.session import Row, Transaction
from db.system_template import SystemTemplate
from db.types import TemplateKind
from resolvers import audit
from resolvers.context import Context
from resolvers.errors import bad_input, forbidden, not_found
from resolvers.inputs import MAX_ID, refuse, text_problem, uuid_or_none
from resolvers.principal import Role
from resolvers.rights import allow
from resolvers.template_syntax import syntax_problem

MAX_TEMPLATES = 100
MAX_ACTIONS = 10
MAX_TITLE = 1_000
MAX_BODY = 65_536
_CLEARED_BY_NULL = ("group", "method")

Check = tuple[str, str | None]


class _Text(NamedTuple):
    """A text of a template: its column, its name in the API, its length, and whether it has a syntax."""

    column: str
    field: str
    least: int
    most: int
    is_template: bool

    def problem(self, value: str) -> str | None:
        return text_problem(value, self.least, self.most) or (
            syntax_problem(value) if self.is_template else None
        )


_TEXTS = (
    _Text("name", "name", 1, MAX_ID, is_template=False),
    _Text("group", "group", 1, MAX_ID, is_template=False),
    _Text("title_template", "titleTemplate", 1, MAX_TITLE, is_template=True),
    _Text("body_template", "bodyTemplate", 0, MAX_BODY, is_template=True),
)


@allow(Role.USER, Role.AGENT)
async def templates(ctx: Context, kind: TemplateKind | None) -> Sequence[Row | SystemTemplate]:
    """Return the tenant's templates, the shipped ones first."""
    found = await db.template.of_tenant(ctx.reader)
    return [row for row in found if kind in {None, row.kind}]


@allow(Role.ADMIN)
async def create(ctx: Context, values: Mapping[str, Any]) -> Row:
    """Store a template; BAD_USER_INPUT names every wrong field, or says that there are 100 already."""
    given = _given(values)
    refuse(_checks(given))
    async with ctx.write() as tx:
        await db.inbox.add_tenant(tx)
        await db.turn.take(tx, "template")
        if await db.template.count_custom(tx) >= MAX_TEMPLATES:
            raise bad_input(("input", f"the tenant has {MAX_TEMPLATES} templates, the most there may be."))
        row = await db.template.add(tx, uuid4(), **given)
        await audit.record(tx, ctx, "createTemplate", str(row.id), row.name)
        return row


@allow(Role.ADMIN)
async def update(ctx: Context, id: str, changes: Mapping[str, Any]) -> Row:
    """Change what is given; null clears group and method, and elsewhere means the same as left out."""
    given = _given(changes)
    async with ctx.write() as tx:
        row = await _own(tx, id)
        refuse(_checks(given))
        return await _changed(tx, ctx, row, given) if given else row


@allow(Role.ADMIN)
async def delete(ctx: Context, id: str) -> str:
    """Delete a template of the tenant's own."""
    async with ctx.write() as tx:
        row = await _own(tx, id)
        await db.template.remove(tx, row.id)
        await audit.record(tx, ctx, "deleteTemplate", str(row.id), row.name)
    return str(row.id)


async def _changed(tx: Transaction, ctx: Context, row: Row, values: Mapping[str, Any]) -> Row:
    """Change a template that is held, and record what became different."""
    after = await db.template.change(tx, row.id, values)
    if names := audit.differing(row, after):
        await audit.record(tx, ctx, "updateTemplate", str(row.id), after.name, names)
    return after


async def _own(tx: Transaction, id: str) -> Row:
    """Hold a template of the tenant's own: FORBIDDEN for a shipped one, NOT_FOUND for none or another's."""
    await db.inbox.add_tenant(tx)  # so that the shipped ones are there in a tenant that is new
    parsed = uuid_or_none(id)
    row = await db.template.lock(tx, parsed) if parsed else None
    if row is None:
        raise not_found("Template")
    if row.kind == TemplateKind.SYSTEM:
        raise forbidden("Templates of the kind SYSTEM are read-only.")
    return row


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None or name in _CLEARED_BY_NULL}


def _checks(values: Mapping[str, Any]) -> list[Check]:
    """Return the checks of the fields that are given."""
    texts = [(it.field, it.problem(values[it.column])) for it in _TEXTS if values.get(it.column) is not None]
    return [*texts, *action_checks(values.get("actions", ()))]


def action_checks(actions: Sequence[Mapping[str, str]]) -> list[Check]:
    """Return the checks of buttons: at most 10, with labels of 1 to 255 characters."""
    if len(actions) > MAX_ACTIONS:
        return [("actions", f"has more than {MAX_ACTIONS} values.")]
    return [
        (f"actions.{index}.label", text_problem(action["label"], least=1))
        for index, action in enumerate(actions)
    ]
