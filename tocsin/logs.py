"""The log: one line for each event, JSON for machines or text for people, by whichever logger it comes.

A line names what it is about by ids: request, tenant, operation, delivery. What a client sent, and what an
exception says of it, is never in it: of an exception there is its type, and where it was raised.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal
from weakref import ref

import structlog
from structlog.typing import EventDict, Processor

from tocsin.settings import Settings

_OPERATION = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,99}")
_asked: ContextVar[tuple[Any, Any] | None] = ContextVar("asked", default=None)


def about(connection: Any, operation_name: Any = None) -> None:
    """Let what this task logs name a connection and its operation; what they are is read only for a line."""
    # Tasks that outlive a request have its context, and must not keep it.
    _asked.set((ref(connection), operation_name))


def configure(settings: Settings) -> None:
    """Have every logger write to stderr in the format that is set; unset: text to a terminal, else JSON."""
    format = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_named(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(format)],
        )
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # It tells each step of what `tocsin migrate` sums up.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _named() -> list[Processor]:
    """Return what adds to each line who says it, when, and of what."""
    return [
        structlog.contextvars.merge_contextvars,
        _of_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_what_it_says,
    ]


def _rendered(format: Literal["json", "text"]) -> list[Processor]:
    if format == "text":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()]


def _of_request(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Name the request that this task answers."""
    found, operation = _asked.get() or (None, None)
    if found and (connection := found()):
        line["request_id"] = connection.request_id
        if connection.principal:
            line["tenant"] = connection.principal.tenant_id
        if isinstance(operation, str) and _OPERATION.fullmatch(operation):
            line["operation"] = operation
    return line


def _without_what_it_says(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Show of an exception and of those behind it the type and the place: the text may quote a value."""
    found = line.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        line["exception"] = "\n".join(map(_place, _chain(error)))
    return line


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    it: BaseException | None = error
    while it is not None and id(it) not in seen:
        seen.add(id(it))
        yield it
        it = it.__cause__ or (None if it.__suppress_context__ else it.__context__)


def _place(error: BaseException) -> str:
    return f"{type(error).__qualname__}\n{''.join(traceback.format_tb(error.__traceback__))}".rstrip()
