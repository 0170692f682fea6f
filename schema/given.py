"""Inputs that tell a field left out from one that is null."""

from dataclasses import fields, is_dataclass
from typing import Any

from strawberry import UNSET


def given(input: Any) -> dict[str, Any]:
    """Return the fields that the client wrote, by their Python names; null is None, an input a dict."""
    values = ((field.name, getattr(input, field.name)) for field in fields(input))
    return {name: _plain(value) for name, value in values if value is not UNSET}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return given(value) if is_dataclass(value) else value
