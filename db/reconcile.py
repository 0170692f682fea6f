"""Whether the counters say what the rows say."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Integer, Text, any_, bindparam, func, literal, select, union_all, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from db.mark import is_unread
from db.session import Row, Source, Transaction
from db.statement import TENANT_ID, Read, Write, in_tenant
from db.tables import inbox, inbox_count, notification
from db.types import Counters

_n = notification.c
_NAMES = Counters._fields
_USERS = any_(bindparam("users", type_=ARRAY(Text)))


class Drift(NamedTuple):
    """Counters that do not equal their rows: an inbox's own (type and category ''), or those of a group."""

    user_id: str
    type: str
    category: str
    recorded: Counters
    counted: Counters


def _counters(table: Any) -> list[Any]:
    return [table.c[name] for name in _NAMES]


_listed, _unread = _n.dismissed_at.is_(None), is_unread(_n.user_id)
_tallies = {
    "total": _listed,
    "unread": _listed & _unread,
    "dismissed": ~_listed,
    "dismissed_unread": ~_listed & _unread,
}
_inboxes = select(
    literal("inbox").label("source"),
    inbox.c.user_id,
    literal("").label("type"),
    literal("").label("category"),
    *_counters(inbox),
).where(in_tenant(inbox), inbox.c.user_id == _USERS)
_groups = select(
    literal("group"),
    inbox_count.c.user_id,
    inbox_count.c.type,
    inbox_count.c.category,
    *_counters(inbox_count),
).where(in_tenant(inbox_count), inbox_count.c.user_id == _USERS)
_rows = (
    select(
        literal("rows"),
        _n.user_id,
        _n.type,
        _n.category,
        *(func.count().filter(_tallies[name]).label(name) for name in _NAMES),
    )
    .where(in_tenant(notification), _n.deleted_at.is_(None), _n.user_id == _USERS)
    .group_by(_n.user_id, _n.type, _n.category)
)
# One statement, so one moment: rows and counters change together, so even without a lock they must agree.
_PICTURE = Read(select(union_all(_inboxes, _groups, _rows).subquery("picture")))


async def drifts(source: Source, users: Sequence[str]) -> list[Drift]:
    """Return where the counters of these users differ from their rows, in order."""
    return _differences(await source.fetch(_PICTURE, users=users))


def _differences(picture: Iterable[Row]) -> list[Drift]:
    recorded: dict[tuple[str, str, str], Counters] = defaultdict(Counters)
    counted: dict[tuple[str, str, str], Counters] = defaultdict(Counters)
    for row in picture:
        key = (row["user_id"], row["type"], row["category"])
        counters = Counters(*(row[name] for name in _NAMES))
        if row["source"] == "rows":
            counted[key] = counters
            whole = (row["user_id"], "", "")
            counted[whole] = counted[whole].plus(counters)
        else:
            recorded[key] = counters
    keys = sorted(recorded.keys() | counted.keys())
    return [Drift(*key, recorded[key], counted[key]) for key in keys if recorded[key] != counted[key]]


_AFTER = bindparam("after_user", type_=Text)
_SOME_USERS = Read(
    select(inbox.c.user_id)
    .where(in_tenant(inbox), inbox.c.user_id > _AFTER)
    .order_by(inbox.c.user_id)
    .limit(bindparam("limit", type_=Integer))
)


async def users(source: Source, after: str, limit: int) -> list[str]:
    """Return at most `limit` users with an inbox whose ids come after one; '' comes before all."""
    return [row["user_id"] for row in await source.fetch(_SOME_USERS, after_user=after, limit=limit)]


_SUBJECT = bindparam("subject", type_=Text)
_new = {name: bindparam(f"new_{name}", type_=Integer) for name in _NAMES}
_MEND_INBOX = Write(update(inbox).values(_new).where(in_tenant(inbox), inbox.c.user_id == _SUBJECT))
_MEND_GROUP = Write(
    postgresql.insert(inbox_count)
    .values(
        tenant_id=TENANT_ID,
        user_id=_SUBJECT,
        type=bindparam("type", type_=Text),
        category=bindparam("category", type_=Text),
        **_new,
    )
    .on_conflict_do_update(index_elements=["tenant_id", "user_id", "type", "category"], set_=_new)
)


async def mend(tx: Transaction, found: Iterable[Drift]) -> None:
    """Write what was counted; only right under the lock under which it was counted."""
    for drift in found:
        new = {f"new_{name}": value for name, value in drift.counted._asdict().items()}
        if drift.type == "":
            await tx.fetch(_MEND_INBOX, subject=drift.user_id, **new)
        else:
            await tx.fetch(
                _MEND_GROUP, subject=drift.user_id, type=drift.type, category=drift.category, **new
            )
