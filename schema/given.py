"""Inputs that tell a field left out from one that is null."""

from dataclasses import asdict
from typing import Any

from strawberry import UNSET


def given(input: Any) -> dict[str, Any]:
    """Return the fields that the client wrote, by their Python names; null is None, an input a dict."""
    return {name: value for name, value in asdict(input).items() if value is not UNSET}
