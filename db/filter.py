"""A filter as SQL: its shape picks the statement (compiled once), its values are the binds."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, DateTime, Text, Uuid, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from db.mark import is_unread
from db.tables import inbox_count, notification
from db.types import EVERYTHING, Filter, Inclusion, ReadState

_n = notification.c


def _texts(name: str) -> Any:
    return bindparam(name, type_=ARRAY(Text))


_WHEN_GIVEN: dict[str, ColumnElement[bool]] = {
    "types": _n.type == any_(_texts("types")),
    "categories": _n.category == any_(_texts("categories")),
    "templates": _n.template_id == any_(bindparam("templates", type_=ARRAY(Uuid))),
    "targets": _n.targets.contains(_texts("targets")),
    "teams": _n.team_id == any_(_texts("teams")),
    "created_after": _n.created_at > bindparam("created_after", type_=DateTime(timezone=True)),
    "created_before": _n.created_at < bindparam("created_before", type_=DateTime(timezone=True)),
}
_DISMISSED = {Inclusion.EXCLUDE: _n.dismissed_at.is_(None), Inclusion.ONLY: _n.dismissed_at.is_not(None)}


class Shape(NamedTuple):
    """What of a filter decides the text of a statement."""

    read_state: ReadState = ReadState.ALL
    dismissed: Inclusion = Inclusion.EXCLUDE
    given: tuple[str, ...] = ()

    def any_state(self) -> "Shape":
        """Return the shape that lets every read state and dismissed row in."""
        return Shape(ReadState.ALL, Inclusion.INCLUDE, self.given)

    @property
    def needs_rows(self) -> bool:
        """Whether the counters by type and category cannot answer a count."""
        return not {"types", "categories"}.issuperset(self.given)


_ANY_SHAPE = Shape()


def shape_of(filter: Filter) -> Shape:
    """Return the shape of a filter."""
    if filter is EVERYTHING:
        return _ANY_SHAPE
    return Shape(filter.read_state, filter.dismissed, tuple(_given(filter)))


def values_of(filter: Filter) -> dict[str, Any]:
    """Return the binds of a filter: lists for tuples."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in _given(filter).items()
    }


def _given(filter: Filter) -> dict[str, Any]:
    if filter is EVERYTHING:
        return {}
    return {name: value for name in _WHEN_GIVEN if (value := getattr(filter, name))}


def row_conditions(shape: Shape, user_id: ColumnElement[str] | None = None) -> list[ColumnElement[bool]]:
    """Return what a notification must satisfy; deleted rows never do. user_id: as in `is_unread`."""
    conditions: list[ColumnElement[bool]] = [_n.deleted_at.is_(None)]
    if shape.read_state != ReadState.ALL:
        unread = is_unread(user_id)
        conditions.append(unread if shape.read_state == ReadState.UNREAD else ~unread)
    if shape.dismissed in _DISMISSED:
        conditions.append(_DISMISSED[shape.dismissed])
    return conditions + [_WHEN_GIVEN[name] for name in shape.given]


def group_conditions(shape: Shape) -> list[ColumnElement[bool]]:
    """Return what a row of inbox_count must satisfy, for a shape that does not need rows."""
    columns = {"types": inbox_count.c.type, "categories": inbox_count.c.category}
    return [columns[name] == any_(_texts(name)) for name in shape.given]
