"""What happens to something that is said to somebody, on each channel. Pure: worker and API call the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from db.types import ChannelKind, Digest, Severity
from resolvers.digest import next_digest
from resolvers.layers import Choices, Decision, PreferenceLayer, Subject, decide
from resolvers.timezone import zone

PAUSED = "The tenant has paused its notifier."


class Outcome(StrEnum):
    """Whether it is sent now, later, or not at all."""

    SEND = "SEND"
    DEFER = "DEFER"
    SKIP = "SKIP"


class Way(Protocol):
    """A channel: a row of the channel table."""

    id: UUID
    kind: str
    enabled: bool
    config: Mapping[str, Any]
    categories: Sequence[str]


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said: the same for all whom it is for. kinds None: on every kind of channel."""

    category: str
    severity: Severity = Severity.NORMAL
    template_id: UUID | None = None
    project_id: str | None = None
    environment_id: str | None = None
    required: bool = False
    enabled_by_default: bool = True
    kinds: frozenset[ChannelKind] | None = None

    def on(self, kind: ChannelKind) -> Subject:
        """Return what preferences are asked about."""
        return Subject(
            self.category,
            kind,
            self.template_id,
            self.project_id,
            self.environment_id,
            self.required,
            self.enabled_by_default,
        )


@dataclass(frozen=True, slots=True)
class Person:
    """For whom it is: what they chose, their zone and their address, if they are known."""

    choices: Choices
    timezone: str | None = None
    email: str | None = None


class Route(NamedTuple):
    """What happens, and why. at: until when it is deferred; None: until the tenant is no longer paused."""

    outcome: Outcome
    reason: str
    at: datetime | None = None
    decided_by: PreferenceLayer | None = None
    in_digest: bool = False


def off_limits(saying: Saying, way: Way) -> str | None:
    """Return why a channel is not for this at all, whoever it is said to; None if it is."""
    if not way.enabled:
        return "The channel is off."
    if saying.kinds is not None and ChannelKind(way.kind) not in saying.kinds:
        return "It was sent to other kinds of channel only."
    if way.categories and saying.category not in way.categories:
        return "The channel takes other categories only."
    return None


def to_inbox(saying: Saying, person: Person) -> Route:
    """Decide whether there is an inbox row. It waits for nothing."""
    if saying.kinds is not None and ChannelKind.IN_APP not in saying.kinds:
        return Route(Outcome.SKIP, "It was sent to other kinds of channel only.")
    return _by_preference(_decision(saying, person, ChannelKind.IN_APP))


def to_channel(
    saying: Saying, person: Person, way: Way, at: datetime, *, paused: bool = False, gathered: bool = False
) -> Route:
    """Decide what happens on a channel at a moment; gathered: it has waited for its digest already."""
    if fault := off_limits(saying, way):
        return Route(Outcome.SKIP, fault)
    kind = ChannelKind(way.kind)
    if kind is ChannelKind.EMAIL and not (way.config.get("to") or person.email):
        return Route(Outcome.SKIP, "The recipient has no email address.")
    decision = _decision(saying, person, kind)
    route = _by_preference(decision)
    if route.outcome is Outcome.SKIP:
        return route
    if paused:
        return route._replace(outcome=Outcome.DEFER, reason=PAUSED)
    waits = kind is ChannelKind.EMAIL and not gathered
    return _in_time(route, decision, saying, person, at, waits=waits)


def _decision(saying: Saying, person: Person, kind: ChannelKind) -> Decision:
    subject = saying.on(kind)
    return decide(person.choices.about(subject), subject)


def _by_preference(decision: Decision) -> Route:
    if decision.enabled:
        return Route(Outcome.SEND, "It is switched on.", decided_by=decision.decided_by)
    return Route(Outcome.SKIP, "It is switched off.", decided_by=decision.decided_by)


def _in_time(
    route: Route, decision: Decision, saying: Saying, person: Person, at: datetime, *, waits: bool
) -> Route:
    """Defer what may be sent, but not now: until quiet hours are over, or (waits) until the next digest."""
    if saying.severity is Severity.CRITICAL:
        return route._replace(reason="It is critical, so nothing defers it.")
    quiet = decision.quiet_hours(person.timezone)
    if quiet and quiet.holds(at):
        return route._replace(outcome=Outcome.DEFER, reason="Quiet hours.", at=quiet.over(at))
    said = decision.digest
    if waits and said and said.digest and said.digest != Digest.IMMEDIATE:
        where = zone(decision.digest_timezone(person.timezone))
        moment = next_digest(Digest(said.digest), said.digest_at, where, at)
        return route._replace(
            outcome=Outcome.DEFER, reason="It waits for a digest.", at=moment, in_digest=True
        )
    return route
