"""What statements are called in traces: their values are never part of it."""

import re
import sys
from functools import cache

from db.statement import Statement

_TABLE = re.compile(r"\b(?:from|into|update|join)\s+tocsin\.(\w+)", re.IGNORECASE)


@cache
def constants() -> dict[str, str]:
    """Return the name of each statement that a module of this room holds, by its text."""
    modules = sorted(name for name in sys.modules if name.startswith("db."))
    return {
        value.text: f"{module}.{name}"
        for module in reversed(modules)
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, Statement)
    }


def name_of(text: str) -> str:
    """Return the constant that a text is of; of what is built as it is needed, its first table.

    Of what is neither, such as COMMIT, it is the first word.
    """
    if found := constants().get(text):
        return found
    table = _TABLE.search(text)
    return f"tocsin.{table[1]}" if table else text.split(maxsplit=1)[0].strip(";").upper()
