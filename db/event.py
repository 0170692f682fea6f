"""The event log of an inbox, read after a seq."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, and_, bindparam, func, literal, or_, select, true

from db.filter import Shape, row_conditions, shape_of, values_of
from db.inbox import Head, head_columns, head_of
from db.notification import selected
from db.session import Row, Source
from db.statement import Read, in_tenant, owned
from db.tables import event, inbox, notification
from db.types import Filter

_EVENT_COLUMNS = ("seq", "kind", "notification_id", "ids", "up_to_seq", "at")


class Log(NamedTuple):
    """Events in order with the columns of their rows, the inbox's head, and the database's time."""

    rows: list[Row]
    head: Head
    now: datetime


@lru_cache(maxsize=256)
def _after_statement(shape: Shape, names: tuple[str, ...]) -> Read:
    events = (
        select(event)
        .where(owned(event), event.c.seq > bindparam("after", type_=BigInteger))
        .order_by(event.c.seq)
        .limit(bindparam("limit", type_=Integer))
        .lateral("events")
    )
    subject = and_(in_tenant(notification), notification.c.id == events.c.notification_id)
    one = select(literal(1).label("one")).subquery("one")
    sources: Any = (
        one.outerjoin(inbox, owned(inbox)).outerjoin(events, true()).outerjoin(notification, subject)
    )
    columns = [events.c[name].label(f"event_{name}") for name in _EVENT_COLUMNS]
    facts = (
        func.now().label("now"),
        or_(notification.c.id.is_(None), notification.c.deleted_at.is_not(None)).label("deleted"),
        and_(notification.c.id.is_not(None), *row_conditions(shape)).label("matches"),
    )
    query = select(*columns, *head_columns(), *facts, *selected(names))
    return Read(query.select_from(sources).order_by(events.c.seq))


async def after(source: Source, seq: int, filter: Filter, names: tuple[str, ...], limit: int) -> Log:
    """Read at most `limit` events with a higher seq.

    Rows carry event_*, the columns named, and of their notification as it is now: `deleted`, and whether
    it `matches` the filter (a deleted one does not).
    """
    rows = await source.fetch(
        _after_statement(shape_of(filter), names), after=seq, limit=limit, **values_of(filter)
    )
    events = [row for row in rows if row["event_seq"] is not None]
    return Log(events, head_of(rows[0]), rows[0]["now"])
