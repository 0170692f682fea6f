"""The event logs of inboxes, read after a seq, of many inboxes at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
)

from db.filter import Shape, row_conditions, shape_of, values_of
from db.inbox import Head, columns_of, head_columns, head_of, unnest
from db.notification import selected
from db.session import Row, Source
from db.statement import Read, in_tenant
from db.tables import event, inbox, notification
from db.types import Filter

_BYTES = 16_384
_LARGE = ("body", "data")
_EVENT_COLUMNS = ("seq", "kind", "notification_id", "ids", "up_to_seq", "at")


class After(NamedTuple):
    """Which log is wanted, and from where on."""

    user_id: str
    seq: int


class Log(NamedTuple):
    """Events in order with the columns of their rows, the inbox's head, and the database's time."""

    rows: list[Row]
    head: Head
    now: datetime


@lru_cache(maxsize=256)
def _after_statement(shape: Shape, names: tuple[str, ...]) -> Read:
    wanted = unnest("wanted", reader=Text, after=BigInteger)
    of_reader = and_(in_tenant(event), event.c.user_id == wanted.c.reader)
    events = (
        select(event)
        .where(of_reader, event.c.seq > wanted.c.after)
        .order_by(event.c.seq)
        .limit(bindparam("limit", type_=Integer))
        .lateral("events")
    )
    subject = and_(in_tenant(notification), notification.c.id == events.c.notification_id)
    its_inbox = and_(in_tenant(inbox), inbox.c.user_id == wanted.c.reader)
    sources: Any = (
        wanted.outerjoin(inbox, its_inbox).outerjoin(events, true()).outerjoin(notification, subject)
    )
    columns = [events.c[name].label(f"event_{name}") for name in _EVENT_COLUMNS]
    facts = (
        func.now().label("now"),
        or_(notification.c.id.is_(None), notification.c.deleted_at.is_not(None)).label("deleted"),
        and_(notification.c.id.is_not(None), *row_conditions(shape, wanted.c.reader)).label("matches"),
    )
    earlier = func.sum(_size(names)).over(
        partition_by=(wanted.c.reader, wanted.c.after), order_by=events.c.seq, rows=(None, -1)
    )
    query = select(
        wanted.c.reader,
        wanted.c.after,
        *columns,
        *head_columns(),
        *facts,
        *selected(names),
        earlier.label("earlier"),
    )
    found = query.select_from(sources).subquery("found")
    fitting = or_(found.c.earlier.is_(None), found.c.earlier < bindparam("bytes", type_=BigInteger))
    kept = [column for column in found.c if column.name != "earlier"]
    return Read(select(*kept).where(fitting).order_by(found.c.reader, found.c.after, found.c.event_seq))


def _size(names: tuple[str, ...]) -> ColumnElement[int]:
    """Return how large what may be large of a row is; Postgres knows it without reading it."""
    sizes = [func.coalesce(func.pg_column_size(notification.c[name]), 0) for name in _LARGE if name in names]
    return sum(sizes, start=literal(0, Integer))


async def after(
    source: Source, wanted: Collection[After], filter: Filter, names: tuple[str, ...], limit: int
) -> Mapping[After, Log]:
    """Read, in a service scope, at most `limit` events of each log with a higher seq.

    There are fewer of large rows: no more follow once 16 KB, as stored, have been read of one log.
    Rows carry event_*, the columns named, and of their notification as it is now: `deleted`, and whether
    it `matches` the filter (a deleted one does not).
    """
    rows = await source.fetch(
        _after_statement(shape_of(filter), names),
        limit=limit,
        bytes=_BYTES,
        **columns_of("wanted", ("reader", "after"), wanted),
        **values_of(filter),
    )
    found: dict[After, list[Row]] = defaultdict(list)
    for row in rows:
        found[After(row["reader"], row["after"])].append(row)
    return {key: _log(lines) for key, lines in found.items()}


def _log(rows: list[Row]) -> Log:
    events = [row for row in rows if row["event_seq"] is not None]
    return Log(events, head_of(rows[0]), rows[0]["now"])
