"""SQLAlchemy Core writes a statement once; what is kept is its text for asyncpg and the order of its binds.

Two forms carry the tenant. `Read` is a SELECT that sets its own tenant context in the same round trip;
`Write` is everything else and runs in a transaction that set the context first.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import asyncpg

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]

TENANT_ID = bindparam("tenant_id", type_=Text)
USER_ID = bindparam("user_id", type_=Text)
ACTOR = bindparam("actor", type_=Text)

# The only place that names the settings; policies read them through tocsin.current_tenant() and its sisters.
_CONTEXT_COLUMNS = (
    func.set_config(literal_column("'tocsin.tenant'"), TENANT_ID, true()).label("tenant_id"),
    func.set_config(literal_column("'tocsin.actor'"), ACTOR, true()).label("actor"),
)


def in_tenant(table: Table) -> ColumnElement[bool]:
    """Return the application's own predicate for a table that a tenant's users share."""
    return table.c.tenant_id == TENANT_ID


def owned(table: Table) -> ColumnElement[bool]:
    """Return the application's own predicate for a personal table."""
    return and_(table.c.tenant_id == TENANT_ID, table.c.user_id == USER_ID)


class Statement:
    """A compiled statement. `text` has $1-style binds; `names` are their names in order."""

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        self.names: Sequence[str] = compiled.positiontup or ()  # type: ignore[attr-defined]
        named: dict[BindParameter[Any], str] = compiled.bind_names  # type: ignore[attr-defined]
        # None is a constant as well, where a statement sets a column to null.
        self._constants = {name: bind.value for bind, name in named.items() if not bind.required}

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """Return the values in bind order; a bind without a value is a KeyError."""
        constants = self._constants
        return [values[name] if name in values else constants[name] for name in self.names]


class Write(Statement):
    """A statement that needs an open transaction: its context was set when that began."""


class Read(Statement):
    """A SELECT that sets the tenant context itself, in the same round trip.

    The context is a materialized CTE. The SELECT sits behind a fence (OFFSET 0, so the planner may not
    pull it up) that refers to the CTE sideways, so it cannot start before the context is set; and if it
    ever did, the policies' functions raise. So it fails closed.
    """

    def __init__(self, query: Select[Any]) -> None:
        context = select(*_CONTEXT_COLUMNS).cte("context").prefix_with("MATERIALIZED")
        rows = query.subquery("rows")
        fenced = (
            select(rows).where(context.c.tenant_id.is_not(None)).offset(literal_column("0")).lateral("fenced")
        )
        super().__init__(select(*fenced.c).select_from(context.join(fenced, true())))


SET_CONTEXT = Statement(select(*_CONTEXT_COLUMNS))
