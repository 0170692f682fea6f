"""The short public vocabulary of expected errors; whatever is not here is masked at the edge."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """What a client finds in `errors[].extensions.code`."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    TENANT_REQUIRED = "TENANT_REQUIRED"
    NOT_FOUND = "NOT_FOUND"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    INVALID_CURSOR = "INVALID_CURSOR"
    LIMIT_OUT_OF_RANGE = "LIMIT_OUT_OF_RANGE"
    INVALID_NOTIFICATION_IDS = "INVALID_NOTIFICATION_IDS"
    INVALID_TIMEZONE = "INVALID_TIMEZONE"
    INVALID_URL = "INVALID_URL"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


class TocsinError(Exception):
    """An expected error: its message and extensions go to the client as they are.

    `extensions` always carries `code`. graphql-core copies it from the original exception.
    """

    def __init__(self, code: ErrorCode, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.code = code
        self.extensions: Mapping[str, Any] = {"code": code.value, **extensions}


def unauthenticated(message: str = "A valid token is required.") -> TocsinError:
    """Return the error for a missing, malformed, expired or forged token; it never says which."""
    return TocsinError(ErrorCode.UNAUTHENTICATED, message)


def forbidden(message: str = "Your role does not allow this.") -> TocsinError:
    """Return the error for a caller that is known and may not do this."""
    return TocsinError(ErrorCode.FORBIDDEN, message)


def not_found(noun: str) -> TocsinError:
    """Return the one answer for absent, deleted and foreign ids; the id itself is not repeated."""
    return TocsinError(ErrorCode.NOT_FOUND, f"{noun} not found.")


def bad_input(*fields: tuple[str, str]) -> TocsinError:
    """Return BAD_USER_INPUT that names each wrong field as (field, detail)."""
    listed = [{"field": field, "detail": detail} for field, detail in fields]
    message = " ".join(f"{field}: {detail}" for field, detail in fields)
    return TocsinError(ErrorCode.BAD_USER_INPUT, message, fields=listed)


def invalid_cursor() -> TocsinError:
    """Return the error for a cursor that is malformed or names another inbox."""
    return TocsinError(ErrorCode.INVALID_CURSOR, "The cursor is not valid here.")


def invalid_ids(ids: Sequence[str]) -> TocsinError:
    """Return the all-or-nothing refusal that lists the ids that are absent, deleted or foreign."""
    return TocsinError(
        ErrorCode.INVALID_NOTIFICATION_IDS, "Some notifications do not exist.", invalidIds=list(ids)
    )


def unavailable(request_id: str) -> TocsinError:
    """Return the error for a database that is away: try again; what was asked may have been done or not."""
    return TocsinError(ErrorCode.UNAVAILABLE, "The database is away. Try again.", requestId=request_id)


def rate_limited(message: str, seconds: int) -> TocsinError:
    """Return RATE_LIMITED for what may be tried again after so many seconds, at least 1."""
    return TocsinError(ErrorCode.RATE_LIMITED, message, retryAfter=seconds)
