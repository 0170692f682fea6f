"""What a sender is given: one parcel, whole, so that it needs no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Recipient:
    """For whom it is. email and timezone None: not known."""

    id: str
    email: str | None = None
    name: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What was said. title and body are Markdown; notification_id None: there is no inbox row."""

    notification_id: UUID | None
    type: str
    category: str
    severity: str
    title: str
    body: str
    created_at: datetime
    url: str | None = None
    actions: Sequence[Mapping[str, str]] = ()
    targets: Sequence[str] = ()
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """Messages for one recipient by one channel; several only in a digest, the oldest first.

    id: the delivery's, the same at each attempt, so that a receiver can tell a repetition.
    config: the channel's whole config, its secrets in the clear (never log or show it).
    previous_secrets: signing secrets that were rotated out, and still sign along.
    """

    id: UUID
    tenant_id: str
    recipient: Recipient
    config: Mapping[str, str] = field(repr=False)
    messages: Sequence[Message]
    previous_secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def message(self) -> Message:
        """The one message, or the first of a digest."""
        return self.messages[0]
