"""What a client said in a patch: an omitted field is not the same as null."""

from typing import Any

import strawberry


def given(patch: Any) -> dict[str, Any]:
    """Return the fields that were given, nulls included, by their Python names."""
    return {name: value for name, value in vars(patch).items() if value is not strawberry.UNSET}
