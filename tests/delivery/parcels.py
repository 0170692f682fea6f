"""Parcels to send."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from delivery.parcel import Message, Parcel, Recipient

ID = UUID("6f0f4b0a-5d5e-4f0e-9a51-0d8f6f3b2c11")
CREATED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def message(**changes: Any) -> Message:
    """Return a message about a build."""
    common: dict[str, Any] = {
        "notification_id": None,
        "type": "build.done",
        "category": "build",
        "severity": "NORMAL",
        "title": "Build **42** failed",
        "body": "See the [log](https://ci.example/42).",
        "created_at": CREATED,
    }
    return Message(**{**common, **changes})


def parcel(*messages: Message, **changes: Any) -> Parcel:
    """Return a parcel for Ada, of one message unless others are given."""
    common: dict[str, Any] = {
        "id": ID,
        "tenant_id": "acme",
        "recipient": Recipient("ada", "ada@example.org"),
        "config": {"from": "bell@tocsin.example"},
        "messages": messages or [message()],
    }
    return Parcel(**{**common, **changes})
