"""Custom scalars: what goes over the wire as what.

What a client got wrong is a GraphQLError, as in graphql-core's own scalars: any other would pass for ours.
"""

import re
from datetime import UTC, datetime, time
from typing import Any, NewType

import orjson
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from resolvers import timezone
from resolvers.errors import ErrorCode, TocsinError
from resolvers.url import safe_url

DateTime = NewType("DateTime", datetime)
LocalTime = NewType("LocalTime", time)
TimeZone = NewType("TimeZone", str)
JSON = NewType("JSON", object)
SafeUrl = NewType("SafeUrl", str)

_MAX_JSON_BYTES = 65_536
_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def show_datetime(value: datetime) -> str:
    """Return an instant as DateTime is written: in UTC, with milliseconds."""
    instant = value if value.tzinfo is UTC else value.astimezone(UTC)
    # Four times as fast as isoformat.
    text = orjson.dumps(instant, option=orjson.OPT_UTC_Z).decode()
    return f"{text[1:24]}Z" if instant.microsecond else f"{text[1:20]}.000Z"


def _parse_datetime(value: object) -> datetime:
    try:
        # Python reads more of ISO 8601 than RFC 3339 allows: week dates, 24:00, times without a zone.
        if isinstance(value, str) and _RFC_3339.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise GraphQLError("DateTime must be RFC 3339 with a zone, e.g. 2026-01-15T10:00:00.000Z.")


def _show_time(value: time) -> str:
    return value.strftime("%H:%M")


def _parse_time(value: object) -> time:
    if not isinstance(value, str) or not _LOCAL_TIME.fullmatch(value):
        raise GraphQLError("LocalTime must be HH:MM, 24 h.")
    return time.fromisoformat(value)


def _parse_timezone(value: object) -> str:
    if not isinstance(value, str) or value not in timezone.names():
        raise TocsinError(ErrorCode.INVALID_TIMEZONE, "TimeZone must be an IANA zone, e.g. Europe/Paris.")
    return value


def _parse_json(value: object) -> object:
    if not isinstance(value, dict):
        raise GraphQLError("JSON must be an object.")
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError:  # integers over 64 bits, lone surrogates
        raise GraphQLError("JSON must hold only what can be stored.") from None
    if size > _MAX_JSON_BYTES:
        raise GraphQLError("JSON must be at most 64 KiB.")
    return value


def _scalar(name: str, description: str, **conversions: Any) -> ScalarDefinition:
    definition: ScalarDefinition = strawberry.scalar(name=name, description=description, **conversions)
    return definition


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: _scalar(
        "DateTime",
        "UTC instant, RFC 3339, e.g. 2026-01-15T10:00:00.000Z.",
        serialize=show_datetime,
        parse_value=_parse_datetime,
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
    LocalTime: _scalar(
        "LocalTime", "Wall-clock time HH:MM, 24 h, no zone.", serialize=_show_time, parse_value=_parse_time
    ),
    TimeZone: _scalar(
        "TimeZone", "IANA zone name, e.g. Europe/Paris.", serialize=str, parse_value=_parse_timezone
    ),
    JSON: _scalar(
        "JSON",
        "A JSON object; at most 64 KiB as input.",
        serialize=lambda value: value,
        parse_value=_parse_json,
    ),
    SafeUrl: _scalar(
        "SafeUrl",
        "https:, mailto: or an app-relative /path; at most 2,048 characters. javascript:, data: and the like "
        "are refused.",
        serialize=str,
        parse_value=safe_url,
    ),
}
