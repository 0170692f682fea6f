"""Opaque cursors: a place in a list, and a moment in an inbox."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from db.inbox import Head
from db.types import Position
from resolvers.errors import invalid_cursor
from resolvers.principal import Principal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_LENGTH = 4096


def _encode(*parts: object) -> str:
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def _decode(cursor: str) -> list[Any]:
    if len(cursor) > _MAX_LENGTH:
        raise ValueError
    parts = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    if not isinstance(parts, list):
        raise TypeError
    return parts


def of_row(row: Any) -> str:
    """Return the cursor of a row, from its created_at and id."""
    return _encode((row.created_at - _EPOCH) // _MICROSECOND, str(row.id))


def position(cursor: str) -> Position:
    """Return the place a cursor names, or raise INVALID_CURSOR."""
    try:
        microseconds, id = _decode(cursor)
        return Position(_EPOCH + microseconds * _MICROSECOND, UUID(id))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise invalid_cursor() from None


def of_head(principal: Principal, head: Head) -> str:
    """Return the event cursor of an inbox as it stands: tenant, user, epoch, seq."""
    return _encode(principal.tenant_id, principal.user_id, head.epoch, head.seq)


def moment(cursor: str, principal: Principal) -> tuple[int, int]:
    """Return (epoch, seq) of an event cursor of this caller's inbox, or raise INVALID_CURSOR."""
    try:
        tenant_id, user_id, epoch, seq = _decode(cursor)
    except (ValueError, TypeError):
        raise invalid_cursor() from None
    numbers = (epoch, seq)
    if (tenant_id, user_id) != (principal.tenant_id, principal.user_id) or not all(
        type(number) is int and 0 <= number < 2**63 for number in numbers
    ):
        raise invalid_cursor()
    return numbers
