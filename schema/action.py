"""Buttons of a notification or template."""

from typing import Any

import strawberry

from schema.scalars import SafeUrl


def _label(root: strawberry.Parent[Any]) -> str:
    return str(root["label"])


def _url(root: strawberry.Parent[Any]) -> SafeUrl:
    return SafeUrl(root["url"])


@strawberry.type(description="A button: where it leads and what it says.")
class Action:
    """A JSON object with label and url."""

    label: str = strawberry.field(resolver=_label, description="What the button says.")
    url: SafeUrl = strawberry.field(resolver=_url, description="Where it leads.")


@strawberry.input(description="A button: what it says and where it leads.")
class ActionInput:
    """Becomes a JSON object with label and url."""

    label: str = strawberry.field(description="What the button says, 1 to 255 characters.")
    url: SafeUrl = strawberry.field(description="Where it leads.")
