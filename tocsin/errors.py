"""What leaves the process when something fails: public errors, and the answer that carries them.

Expected errors keep their message and extensions. The rest is masked, and logged under the id of its request:
the exception with its traceback, never the document or the variables.
"""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLSyntaxError
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from db.session import is_away
from resolvers.errors import ErrorCode, TocsinError, unavailable

logger = logging.getLogger(__name__)

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"

_STATUS = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}

# graphql-core raises these as plain GraphQLErrors: only the text tells them from what a resolver may raise.
_COERCION = re.compile(
    r"Variable '\$|Variable values are nested|Too many errors processing variables|Argument '\w+' (of|has)|"
    r"Must provide (an )?operation|Unknown operation named"
)
# Names of the schema that resemble the wrong one, always at the end.
_SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)
# It also repeats values that it could not take, and there may be a secret in them.
_ECHO = re.compile(r"[,;]? [Ff]ound(: | (Block)?String ).*|(?<=cannot represent )(.*value): .*", re.DOTALL)


class PublicError(GraphQLError):
    """An error that clients may see as it is."""


class StatusError(TocsinError):
    """An expected error with an HTTP status of its own, and perhaps headers."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(ErrorCode.BAD_USER_INPUT, message)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Accept:
    """What a client wants to be answered with (RFC 9110 12.5.1, GraphQL over HTTP 6.1)."""

    json: str | None  # the JSON media type, if one is acceptable
    events: bool  # server-sent events are acceptable
    events_first: bool  # and preferred to JSON
    page: bool  # HTML is preferred to JSON

    @staticmethod
    @lru_cache(maxsize=256)
    def of(header: str | None) -> "Accept":
        """Read an Accept header; a client that sends none takes anything."""
        ranges = _ranges(header or "*/*")
        plain, response = (_quality(ranges, media) for media in (JSON, RESPONSE_JSON))
        # A wildcard means application/json: clients that send one know nothing newer.
        newer = RESPONSE_JSON in ranges and response >= plain
        best, media = (response, RESPONSE_JSON) if newer else (plain, JSON)
        events, page = (_quality(ranges, it) for it in (EVENT_STREAM, "text/html"))
        return Accept(media if best else None, events > 0, events > best, page > best)


def _ranges(header: str) -> dict[str, float]:
    ranges = {}
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((it[2:] for it in parameters if it.startswith("q=")), "1")
        ranges[media] = float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0.0
    return ranges


def _quality(ranges: dict[str, float], media: str) -> float:
    family = media.partition("/")[0] + "/*"
    return next((ranges[it] for it in (media, family, "*/*") if it in ranges), 0.0)


def quieten_strawberry() -> None:
    """Stop Strawberry's own log: it prints the whole document of an operation that failed."""
    logging.getLogger("strawberry.execution").addFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False


def expected(error: Exception, request_id: str) -> TocsinError:
    """Return an expected error as it is; log any other and return INTERNAL with `requestId` instead.

    UNAVAILABLE while the database is away: there is nothing to find in a traceback then.
    """
    if isinstance(error, TocsinError):
        return error
    if is_away(error):
        logger.warning("Request %s found the database away: %s", request_id, type(error).__name__)
        return unavailable(request_id)
    if isinstance(error, GraphQLError):  # printed, it would show the line of the document
        error = RuntimeError(error.message).with_traceback(error.__traceback__)
    logger.error("Internal error in request %s", request_id, exc_info=error)
    return TocsinError(ErrorCode.INTERNAL, "Internal error.", requestId=request_id)


def public(error: GraphQLError, request_id: str, *, suggest: bool = True) -> GraphQLError:
    """Return the error as clients may see it, at the same location and path; twice is as good as once.

    suggest: whether it may say which names were perhaps meant.
    """
    if isinstance(error, PublicError):
        return error
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error:
        cause = cause.original_error
    code = _code_before_execution(error, cause)
    shown = None if code else expected(cause, request_id)
    said = str(shown) if shown else _ECHO.sub(r"\3", error.message)
    extensions = shown.extensions if shown else {"code": code, **(error.extensions or {})}
    return PublicError(
        said if shown or suggest else _SUGGESTION.sub("", said),
        error.nodes,
        error.source,
        error.positions,
        error.path,
        extensions=dict(extensions),
    )


def _code_before_execution(error: GraphQLError, cause: Exception) -> str | None:
    """Return the code of an error that is the client's and has no TocsinError behind it."""
    if isinstance(error, GraphQLSyntaxError) and not error.extensions:
        return ErrorCode.GRAPHQL_PARSE_FAILED.value
    if error.path is None and isinstance(cause, GraphQLError) and error.extensions:
        return str(error.extensions["code"]) if "code" in error.extensions else None
    if isinstance(cause, CannotGetOperationTypeError | InvalidOperationTypeError):
        return ErrorCode.BAD_USER_INPUT.value
    by_core = isinstance(error.original_error, GraphQLError | None) and not isinstance(cause, TocsinError)
    return ErrorCode.BAD_USER_INPUT.value if by_core and _COERCION.match(error.message) else None


def payload(data: Any, errors: Sequence[GraphQLError] | None, request_id: str) -> dict[str, Any]:
    """Return a GraphQL response; no `data` where the request failed before a field was executed."""
    if not errors:
        return {"data": data}
    shown = [public(error, request_id).formatted for error in errors]
    if data is None and not any("path" in error for error in shown):
        return {"errors": shown}
    return {"data": data, "errors": shown}


def respond(body: dict[str, Any], accept: Accept) -> Response:
    """Answer with a GraphQL response.

    A request that failed before execution is 200 in application/json and 400 in the newer media type
    (GraphQL over HTTP 6.4); 500 or 503 in both if the fault is ours.
    """
    if "errors" not in body:
        return _response(200, body, accept, {})
    codes = {error["extensions"]["code"] for error in body["errors"]}
    ours = [_STATUS[code] for code in (ErrorCode.INTERNAL, ErrorCode.UNAVAILABLE) if code in codes]
    failed = ours[0] if ours else 200 if accept.json == JSON else 400
    return _response(200 if "data" in body else failed, body, accept, {})


def refuse(error: TocsinError, accept: Accept) -> Response:
    """Answer a request that was not even tried, with the status of the error's code."""
    status = error.status if isinstance(error, StatusError) else _STATUS.get(error.code, 400)
    if error.code is ErrorCode.PERSISTED_QUERY_NOT_FOUND and accept.json == JSON:
        status = 200  # as for a document that is not valid: some clients give up asking by id at a 400
    headers = dict(error.headers) if isinstance(error, StatusError) else {}
    if error.code is ErrorCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if "retryAfter" in error.extensions:
        headers["Retry-After"] = str(error.extensions["retryAfter"])
    body = {"errors": [{"message": str(error), "extensions": dict(error.extensions)}]}
    return _response(status, body, accept, headers)


class Json(Response):
    """A GraphQL response in one piece, its headers written as they are sent."""

    def __init__(self, status: int, body: dict[str, Any], media: str, headers: dict[str, str]) -> None:
        self.status_code = status
        self.background = None
        self.body = encode(body)
        self.raw_headers = [
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"%b; charset=utf-8" % media.encode()),
            *_ALWAYS,
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
        ]


_ALWAYS = ((b"cache-control", b"no-store"), (b"vary", b"Accept"), (b"x-content-type-options", b"nosniff"))


def _response(status: int, body: dict[str, Any], accept: Accept, headers: dict[str, str]) -> Response:
    return Json(status, body, accept.json or JSON, headers)


def encode(value: Any) -> bytes:
    """Return JSON in UTF-8; what orjson cannot write (integers over 64 bits) takes the slow way."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()
