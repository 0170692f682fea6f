"""Files of JSON lines: read a line at a time, whatever is in them, and complained of by number."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

_MAX_LINE_BYTES = 4_194_304  # a valid line is shorter, even with each character escaped
_MAX_REASON = 300


def lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long only so much as shows that it is, whatever fits into memory."""
    while line := file.readline(_MAX_LINE_BYTES + 1):
        yield line
        while len(line) > _MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(_MAX_LINE_BYTES + 1)


def parsed(line: bytes) -> Any:
    """Return what a line says; ValueError if that is not JSON, or too long."""
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError(f"longer than {_MAX_LINE_BYTES} bytes")
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None


def shown(reason: str) -> str:
    """Return what is wrong with a line, on one line itself and fit for a terminal."""
    printable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in reason[:_MAX_REASON])
    return printable + ("..." if len(reason) > _MAX_REASON else "")
