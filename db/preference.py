"""Stored preferences of a user.

The owner is a bind of its own and not the scope's user: an admin works on another user's in a service scope.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql

from db.session import Row, Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import preference

IDENTITY = ("category", "template_id", "channel_kind", "project_id", "environment_id")
"""The columns of which a user has each combination once, null being equal to null."""

SAID = ("enabled", "quiet_start", "quiet_end", "timezone", "digest", "digest_at")
"""The columns that say something; a row in which all are null says nothing."""

_p = preference.c
_OWNER_ID = bindparam("owner_id", type_=Text)
_of_owner = and_(in_tenant(preference), _p.user_id == _OWNER_ID)
_NARROWING = ("category", "project_id", "environment_id")


@lru_cache
def _list_statement(given: tuple[str, ...]) -> Read:
    conditions = [_p[name] == bindparam(name) for name in given]
    return Read(select(preference).where(_of_owner, *conditions).order_by(_p.created_at, _p.id))


async def of_user(source: Source, user_id: str, **narrowing: str | None) -> list[Row]:
    """Return a user's preferences, oldest first; category, project_id, environment_id narrow the list."""
    given = {name: narrowing[name] for name in _NARROWING if narrowing.get(name) is not None}
    return await source.fetch(_list_statement(tuple(given)), owner_id=user_id, **given)


# Any number that no other lock of Tocsin takes as its seed.
_LOCK = Write(
    select(
        func.pg_advisory_xact_lock(func.hashtextextended(func.concat(TENANT_ID, "\n", _OWNER_ID), 0x70C52))
    )
)


async def lock(tx: Transaction, user_id: str) -> None:
    """Keep other writers of a user's preferences waiting: what is merged must not change meanwhile.

    An advisory lock, for a user who has stored nothing has no row to lock.
    """
    await tx.fetch(_LOCK, owner_id=user_id)


_insert = postgresql.insert(preference).values(
    {name: bindparam(name, type_=_p[name].type) for name in ("id", *IDENTITY, *SAID)}
    | {"tenant_id": TENANT_ID, "user_id": _OWNER_ID}
)
_STORE = Write(
    _insert.on_conflict_do_update(
        index_elements=["tenant_id", "user_id", *IDENTITY],
        set_={name: _insert.excluded[name] for name in SAID} | {"updated_at": func.now()},
    )
)


async def store(tx: Transaction, user_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store rows (id, and the columns of IDENTITY and SAID) in place of those with the same identity."""
    await tx.many(_STORE, [{**row, "owner_id": user_id} for row in rows])


async def add(tx: Transaction, user_id: str, id: UUID, **values: object) -> None:
    """Store one preference; what is not given is null."""
    await store(tx, user_id, [{**dict.fromkeys((*IDENTITY, *SAID)), **values, "id": id}])


_FORGET_EMPTY = Write(delete(preference).where(_of_owner, *(_p[name].is_(None) for name in SAID)))


async def forget_empty(tx: Transaction, user_id: str) -> None:
    """Drop a user's rows that say nothing."""
    await tx.fetch(_FORGET_EMPTY, owner_id=user_id)
