"""The words that the database and the API share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID


class ReadState(StrEnum):
    """Which rows, by whether they were read."""

    ALL = "ALL"
    UNREAD = "UNREAD"
    READ = "READ"


class Inclusion(StrEnum):
    """Whether rows of a kind are left out, let in, or wanted alone."""

    EXCLUDE = "EXCLUDE"
    INCLUDE = "INCLUDE"
    ONLY = "ONLY"


class Severity(StrEnum):
    """How much a notification matters."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class ChannelKind(StrEnum):
    """How a notification can reach somebody."""

    IN_APP = "IN_APP"
    EMAIL = "EMAIL"
    SLACK = "SLACK"
    WEBHOOK = "WEBHOOK"
    APPRISE = "APPRISE"


class TemplateKind(StrEnum):
    """Whose a template is."""

    SYSTEM = "SYSTEM"
    CUSTOM = "CUSTOM"


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    DEFERRED = "DEFERRED"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"
    CANCELLED = "CANCELLED"


class RequestStatus(StrEnum):
    """How far a notify has got."""

    ACCEPTED = "ACCEPTED"
    FANNING_OUT = "FANNING_OUT"
    DONE = "DONE"


class WorkKind(StrEnum):
    """What a worker has to do: send a delivery, fan a request out, or settle a mark."""

    DELIVERY = "DELIVERY"
    REQUEST = "REQUEST"
    MARK = "MARK"


class Digest(StrEnum):
    """Whether mail waits for more, and how long."""

    IMMEDIATE = "IMMEDIATE"
    HOURLY = "HOURLY"
    DAILY = "DAILY"


class EventKind(StrEnum):
    """What happened to a row (or, for READ, to many at once)."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    REMOVED = "REMOVED"
    READ = "READ"


@dataclass(frozen=True, slots=True)
class Filter:
    """Fields AND together; values in a tuple OR together, except targets: a row carries all of them.

    An empty tuple or None means no restriction. types None: the client did not look at types at all.
    """

    read_state: ReadState = ReadState.ALL
    dismissed: Inclusion = Inclusion.EXCLUDE
    types: tuple[str, ...] | None = None
    categories: tuple[str, ...] = ()
    templates: tuple[UUID, ...] = ()
    targets: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None


EVERYTHING = Filter()
"""The filter of those who gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a notification says, whoever it is for."""

    type: str
    title: str
    body: str = ""
    severity: Severity = Severity.NORMAL
    url: str | None = None
    icon: str | None = None
    actions: Sequence[dict[str, str]] = ()
    targets: Sequence[str] = ()
    template_id: UUID | None = None
    team_id: str | None = None
    data: dict[str, Any] | None = None


class Counters(NamedTuple):
    """Rows of an inbox or a part of it. `total` and `unread` leave dismissed rows out."""

    total: int = 0
    unread: int = 0
    dismissed: int = 0
    dismissed_unread: int = 0

    @classmethod
    def of_row(cls, *, unread: bool, dismissed: bool) -> "Counters":
        """Return what one row adds to its inbox."""
        return cls(0, 0, 1, int(unread)) if dismissed else cls(1, int(unread))

    def plus(self, other: Sequence[int]) -> "Counters":
        """Return the sum."""
        return Counters(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def minus(self, other: Sequence[int]) -> "Counters":
        """Return the difference."""
        return Counters(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))

    def matching(self, read_state: ReadState, dismissed: Inclusion) -> "Counters":
        """Return the counters of only those rows that have this read state and are so dismissed.

        The result's `total` and `unread` count what a list with this filter shows; its `dismissed`
        counts the dismissed rows of this read state, listed or not.
        """
        total, unread = {
            Inclusion.EXCLUDE: (self.total, self.unread),
            Inclusion.ONLY: (self.dismissed, self.dismissed_unread),
            Inclusion.INCLUDE: (self.total + self.dismissed, self.unread + self.dismissed_unread),
        }[dismissed]
        keep = _of_state(read_state)
        return Counters(*keep(total, unread), *keep(self.dismissed, self.dismissed_unread))


def _of_state(read_state: ReadState) -> Callable[[int, int], tuple[int, int]]:
    """Return how (total, unread) shrink to the rows of one read state."""
    return {
        ReadState.ALL: lambda total, unread: (total, unread),
        ReadState.UNREAD: lambda _total, unread: (unread, unread),
        ReadState.READ: lambda total, unread: (total - unread, 0),
    }[read_state]


class Position(NamedTuple):
    """A place in an inbox, newest first: the keyset of (createdAt, id)."""

    created_at: datetime
    id: UUID
