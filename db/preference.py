"""Stored preferences of a user."""

from functools import lru_cache
from uuid import UUID

from sqlalchemy import Text, bindparam, insert, select

from db.session import Reader, Row, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import preference

_p = preference.c
_NARROWING = ("category", "project_id", "environment_id")


@lru_cache
def _list_statement(given: tuple[str, ...]) -> Read:
    # The user is a bind of its own: an admin reads another user's in a service scope.
    conditions = [_p[name] == bindparam(name) for name in given]
    return Read(
        select(preference)
        .where(in_tenant(preference), _p.user_id == bindparam("owner_id", type_=Text), *conditions)
        .order_by(_p.created_at, _p.id)
    )


async def of_user(reader: Reader, user_id: str, **narrowing: str | None) -> list[Row]:
    """Return a user's preferences, oldest first; category, project_id, environment_id narrow the list."""
    given = {name: narrowing[name] for name in _NARROWING if narrowing.get(name) is not None}
    return await reader.fetch(_list_statement(tuple(given)), owner_id=user_id, **given)


_INSERT = Write(
    insert(preference).values(
        {
            column.name: bindparam("owner_id", type_=Text)
            if column.name == "user_id"
            else bindparam(column.name)
            for column in preference.columns
            if column.name not in {"tenant_id", "created_at", "updated_at"}
        }
        | {"tenant_id": TENANT_ID}
    )
)


async def add(tx: Transaction, user_id: str, id: UUID, **values: object) -> None:
    """Store one new preference; what is not given is null."""
    empty = dict.fromkeys(column.name for column in preference.columns)
    await tx.fetch(_INSERT, **{**empty, **values, "id": id, "owner_id": user_id})
