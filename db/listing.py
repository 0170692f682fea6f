"""Lists that are paged through in the order in which their rows were made, restricted in some ways or none."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Integer, Table, Uuid, bindparam, func, select, tuple_

from db.session import Reader, Row, Source
from db.statement import Read, in_tenant
from db.types import Position

_AT, _AT_ID = bindparam("at", type_=DateTime(timezone=True)), bindparam("at_id", type_=Uuid)
_LIMIT = bindparam("limit", type_=Integer)


class Listing:
    """A tenant's rows of a table with `created_at` and `id`.

    restrictions: by the name of what is given, the condition that it brings in, with a bind of that name.
    columns: what is read, if not the whole row.
    """

    def __init__(
        self,
        table: Table,
        restrictions: Mapping[str, ColumnElement[bool]],
        *,
        newest_first: bool = False,
        columns: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        self._table = table
        self._restrictions = restrictions
        self._newest_first = newest_first
        self._columns = columns or table.columns

    async def page(
        self, reader: Reader, given: Mapping[str, Any], after: Position | None, limit: int
    ) -> list[Row]:
        """Return at most `limit` rows after a position; given: by its name, each restriction there is."""
        at, at_id = after or (None, None)
        statement = page_statement(self, tuple(given), keyset=after is not None)
        return await reader.fetch(statement, at=at, at_id=at_id, limit=limit, **given)

    async def count(self, source: Source, given: Mapping[str, Any]) -> int:
        """Return how many rows there are."""
        row = await source.one(count_statement(self, tuple(given)), **given)
        return row["total"] if row else 0

    def conditions(self, given: Sequence[str]) -> list[ColumnElement[bool]]:
        """Return what a row has to meet."""
        return [in_tenant(self._table), *(self._restrictions[name] for name in given)]

    def in_order(self, given: Sequence[str], *, keyset: bool) -> Read:
        """Write the statement of a page."""
        key = (self._table.c.created_at, self._table.c.id)
        query = select(*self._columns).where(*self.conditions(given)).limit(_LIMIT)
        if keyset:
            row, last = tuple_(*key), tuple_(_AT, _AT_ID)
            query = query.where(row < last if self._newest_first else row > last)
        return Read(query.order_by(*(it.desc() if self._newest_first else it for it in key)))

    def counted(self, given: Sequence[str]) -> Read:
        """Write the statement of a count."""
        total = select(func.count().label("total")).select_from(self._table)
        return Read(total.where(*self.conditions(given)))


@lru_cache
def page_statement(listing: Listing, given: tuple[str, ...], *, keyset: bool) -> Read:
    """Return the statement of a page, written once."""
    return listing.in_order(given, keyset=keyset)


@lru_cache
def count_statement(listing: Listing, given: tuple[str, ...]) -> Read:
    """Return the statement of a count, written once."""
    return listing.counted(given)
