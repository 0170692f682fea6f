"""Tocsin's own statements by name, for contenders that run the very same ones."""

from pathlib import Path
from typing import Any

import orjson

from db.filter import Shape
from db.inbox import _HEAD, _LOCK, _LOG_READ, _RECORD
from db.mark import _ADD as _ADD_MARK
from db.mark import _REACHED
from db.notification import (
    _SET_READ,
    _STATES,
    _by_ids_statement,
    _page_statement,
    _PageShape,
    columns,
)
from db.statement import SET_CONTEXT, Statement
from db.work import _ADD as _ADD_WORK

_PAGE = columns(["type", "category", "severity", "title", "body", "url", "icon", "read_at", "actions"])


def _page(*, keyset: bool) -> Statement:
    return _page_statement(_PageShape(Shape(), _PAGE, False, keyset, False, False))


STATEMENTS: dict[str, Statement] = {
    "badge": _HEAD,
    "page": _page(keyset=False),
    "page_after": _page(keyset=True),
    "context": SET_CONTEXT,
    "lock": _LOCK,
    "states": _STATES,
    "set_read": _SET_READ,
    "record": _RECORD,
    "by_ids": _by_ids_statement(columns(["read_at"])),
    "reached": _REACHED,
    "mark": _ADD_MARK,
    "work": _ADD_WORK,
    "log_read": _LOG_READ,
}


def dump(path: Path) -> None:
    """Write {name: {text, names, constants}} as JSON; names are those of the binds $1, $2 ... in order."""
    kept = {
        name: {"text": it.text, "names": list(it.names), "constants": _constants(it)}
        for name, it in STATEMENTS.items()
    }
    path.write_bytes(orjson.dumps(kept))


def _constants(statement: Statement) -> dict[str, Any]:
    return {str(name): value for name, value in statement._constants.items()}  # noqa: SLF001
