"""Counts that are exact: from the counters where these can tell, else from one user's rows."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select

from db.filter import Shape, group_conditions, row_conditions, shape_of, values_of
from db.mark import is_unread
from db.session import Row, Source
from db.statement import Read, owned
from db.tables import inbox, inbox_count, notification
from db.types import Counters, Filter, Inclusion, ReadState

_n = notification.c


def _counted(shape: Shape, table: Any) -> ColumnElement[int]:
    """Return the counters' arithmetic for the rows that a filter of read state and dismissed shows."""
    listed: tuple[ColumnElement[int], ColumnElement[int]] = {
        ReadState.ALL: (table.c.total, table.c.dismissed),
        ReadState.UNREAD: (table.c.unread, table.c.dismissed_unread),
        ReadState.READ: (table.c.total - table.c.unread, table.c.dismissed - table.c.dismissed_unread),
    }[shape.read_state]
    return {
        Inclusion.EXCLUDE: listed[0],
        Inclusion.ONLY: listed[1],
        Inclusion.INCLUDE: listed[0] + listed[1],
    }[shape.dismissed]


def total_of(shape: Shape) -> ScalarSelect[Any]:
    """Return the number of rows that match, as a subquery."""
    if shape.needs_rows:
        counted = select(func.count()).select_from(notification)
        return counted.where(owned(notification), *row_conditions(shape)).scalar_subquery()
    table = inbox_count if shape.given else inbox
    summed = select(func.coalesce(func.sum(_counted(shape, table)), 0)).where(owned(table))
    return summed.where(*group_conditions(shape)).scalar_subquery()


@lru_cache(maxsize=256)
def _groups_statement(shape: Shape) -> Read:
    """Return the counters by type and category; read state and dismissed are the caller's arithmetic."""
    if not shape.needs_rows:
        return Read(select(inbox_count).where(owned(inbox_count), *group_conditions(shape)))
    listed, unread = _n.dismissed_at.is_(None), is_unread()
    counts = {
        "total": listed,
        "unread": listed & unread,
        "dismissed": ~listed,
        "dismissed_unread": ~listed & unread,
    }
    return Read(
        select(
            _n.type,
            _n.category,
            *(func.count().filter(condition).label(name) for name, condition in counts.items()),
        )
        .where(owned(notification), *row_conditions(shape.any_state()))
        .group_by(_n.type, _n.category)
    )


async def groups(source: Source, filter: Filter) -> list[tuple[str, str, Counters]]:
    """Return (type, category, counters) of the rows that match, in one statement."""
    rows = await source.fetch(_groups_statement(shape_of(filter).any_state()), **values_of(filter))
    return [_group(row, filter) for row in rows]


def _group(row: Row, filter: Filter) -> tuple[str, str, Counters]:
    counters = Counters(*(row[name] for name in Counters._fields))
    return row["type"], row["category"], counters.matching(filter.read_state, filter.dismissed)
