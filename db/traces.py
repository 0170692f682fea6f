"""Statements as spans, by their names: values are never part of them."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import asyncpg
from opentelemetry.trace import SpanKind, StatusCode, Tracer, get_current_span

from db.statement import Statement

_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK")
_TABLE = re.compile(r"\b(?:from|into|update|join)\s+tocsin\.(\w+)", re.IGNORECASE)


def traced_connection(tracer: Tracer) -> "type[asyncpg.Connection[Any]]":
    """Return connections whose statements are spans where there is a trace; they begin none."""

    @contextmanager
    def traced(text: str) -> Iterator[None]:
        name = name_of(text) if get_current_span().get_span_context().is_valid else None
        if name is None:
            yield
            return
        with tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={"db.system": "postgresql"},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                raise

    class TracedConnection(asyncpg.Connection):
        __slots__ = ()

        async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
            with traced(query):
                return await super().fetch(query, *args, **options)

        async def execute(self, query: str, *args: Any, **options: Any) -> str:
            with traced(query):
                return await super().execute(query, *args, **options)

        async def executemany(self, command: str, args: Any, **options: Any) -> None:
            with traced(command):
                await super().executemany(command, args, **options)

    return TracedConnection


def name_of(text: str) -> str | None:
    """Return the constant that a text is of; of what is built as it is needed, its first table.

    None: it is no statement of ours.
    """
    if found := _constants().get(text):
        return found
    table = _TABLE.search(text)
    return f"tocsin.{table[1]}" if table else next((it for it in _TRANSACTION if text.startswith(it)), None)


@cache
def _constants() -> dict[str, str]:
    """Return the name of each statement that a module of this room holds, by its text."""
    modules = sorted((name for name in sys.modules if name.startswith("db.")), reverse=True)
    return {
        value.text: f"{module}.{name}"
        for module in modules
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, Statement)
    }
