"""Upserts of many rows of which each names only the columns that it sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Table, Text, case, func, select, update
from sqlalchemy.dialects import postgresql

from db.inbox import unnest
from db.session import Row, Transaction
from db.statement import TENANT_ID, Write, in_tenant


class Patch:
    """Upserts into one table. `key` names a row, `columns` may be set, `fresh` must be given for new rows.

    Two statements. The first adds what is missing and locks the rest, in the order of the keys, so that two
    upserts of the same rows never wait in a circle; the second sets what was named.
    """

    def __init__(self, table: Table, key: str, columns: Sequence[str], fresh: Sequence[str] = ()) -> None:
        self._key, self._columns, self._fresh = key, columns, fresh
        self._lock = _locking(table, key, fresh)
        self._set = _setting(table, key, columns)

    async def apply(
        self, tx: Transaction, patches: Mapping[str, Mapping[str, Any]], **fresh: Sequence[Any]
    ) -> list[Row]:
        """Set the columns that each patch names, by key; return the rows in the order given.

        fresh: by column, its values for those of the patches that make a new row.
        """
        names = {f"rows_{self._key}": list(patches)}
        await tx.fetch(self._lock, **names, **{f"rows_{name}": list(fresh[name]) for name in self._fresh})
        binds: dict[str, list[Any]] = {}
        for column in self._columns:
            binds[f"rows_{column}"] = [patch.get(column) for patch in patches.values()]
            binds[f"rows_has_{column}"] = [column in patch for patch in patches.values()]
        found = {row[self._key]: row for row in await tx.fetch(self._set, **names, **binds)}
        return [found[key] for key in patches]


def _kind(column: Column[Any]) -> Any:
    # An array of text that has a collation cannot be spelled.
    return Text if isinstance(column.type, Text) else column.type


def _locking(table: Table, key: str, fresh: Sequence[str]) -> Write:
    names = (key, *fresh)
    rows = unnest("rows", **{name: _kind(table.c[name]) for name in names})
    insert = postgresql.insert(table).from_select(
        ["tenant_id", *names], select(TENANT_ID, *(rows.c[name] for name in names)).order_by(rows.c[key])
    )
    # Not DO NOTHING: a row that is being deleted must be waited for and then made anew.
    return Write(
        insert.on_conflict_do_update(
            index_elements=["tenant_id", key], set_={key: getattr(insert.excluded, key)}
        )
    )


def _setting(table: Table, key: str, columns: Sequence[str]) -> Write:
    kinds = {name: _kind(table.c[name]) for name in (key, *columns)}
    rows = unnest("rows", **kinds, **{f"has_{name}": Boolean for name in columns})
    values: dict[str, Any] = {
        name: case((rows.c[f"has_{name}"], rows.c[name]), else_=table.c[name]) for name in columns
    }
    if "updated_at" in table.c:
        values["updated_at"] = func.now()
    return Write(
        update(table)
        .values(values)
        .where(in_tenant(table), table.c[key] == rows.c[key])
        .returning(*(table.c[name] for name in kinds))
    )
