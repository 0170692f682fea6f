"""Which of a user's stored preferences applies, layer by layer. Pure: worker and API call the same."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from db.types import ChannelKind
from resolvers.quiet_hours import QuietHours
from resolvers.timezone import zone

ALL_CATEGORIES = "*"


class PreferenceLayer(StrEnum):
    """Who decides: the first of these that says something."""

    REQUIRED_TYPE = "REQUIRED_TYPE"
    TEMPLATE = "TEMPLATE"
    ENVIRONMENT = "ENVIRONMENT"
    PROJECT = "PROJECT"
    CATEGORY_AND_CHANNEL = "CATEGORY_AND_CHANNEL"
    CATEGORY = "CATEGORY"
    ALL_CATEGORIES = "ALL_CATEGORIES"
    TYPE_DEFAULT = "TYPE_DEFAULT"


class Choice(Protocol):
    """A stored preference: a row of the preference table."""

    category: str | None
    template_id: UUID | None
    channel_kind: str | None
    project_id: str | None
    environment_id: str | None
    enabled: bool | None
    quiet_start: time | None
    quiet_end: time | None
    timezone: str | None
    digest: str | None
    digest_at: time | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What would be sent: of which type, made from which template, where, on which kind of channel.

    enabled_by_default: what the type says, and the template too if there is one.
    """

    category: str
    channel_kind: ChannelKind
    template_id: UUID | None = None
    project_id: str | None = None
    environment_id: str | None = None
    required: bool = False
    enabled_by_default: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is sent, which layer and row said so, and the rows whose quiet hours and digest hold."""

    enabled: bool
    decided_by: PreferenceLayer
    preference: Choice | None
    quiet: Choice | None
    digest: Choice | None = None

    def timezone(self, recipient: str | None) -> str:
        """Return the zone that holds: of the quiet hours' row, else the recipient's, else UTC."""
        return _zone_of(self.quiet, recipient)

    def digest_timezone(self, recipient: str | None) -> str:
        """Return the zone of the digest's row, else the recipient's, else UTC."""
        return _zone_of(self.digest, recipient)

    def quiet_hours(self, recipient: str | None) -> QuietHours | None:
        """Return the daily window that holds, if any; recipient: the recipient's zone."""
        if self.quiet is None or self.quiet.quiet_start is None or self.quiet.quiet_end is None:
            return None
        return QuietHours(self.quiet.quiet_start, self.quiet.quiet_end, zone(self.timezone(recipient)))


def _zone_of(choice: Choice | None, recipient: str | None) -> str:
    own = choice.timezone if choice else None
    return zone(own or recipient).key


class Choices:
    """A user's stored preferences by what they are about, so that each decision looks at few of them."""

    def __init__(self, rows: Iterable[Choice]) -> None:
        self._rows: dict[str | UUID | None, list[Choice]] = defaultdict(list)
        for row in rows:
            self._rows[row.template_id or row.category].append(row)

    def about(self, subject: Subject) -> list[Choice]:
        """Return those that may say something of a subject."""
        keys = {subject.template_id, subject.category, ALL_CATEGORIES} - {None}
        return [row for key in keys for row in self._rows.get(key, ())]


_ORDER = {layer: rank for rank, layer in enumerate(PreferenceLayer)}


def decide(choices: Iterable[Choice], subject: Subject) -> Decision:
    """Decide enabled, the quiet hours and the digest, each by the first row that says something of it."""
    applying = sorted((choice for choice in choices if _applies(choice, subject)), key=_rank)
    quiet = next((choice for choice in applying if choice.quiet_start is not None), None)
    digest = next((choice for choice in applying if choice.digest is not None), None)
    if subject.required:
        return Decision(True, PreferenceLayer.REQUIRED_TYPE, None, quiet, digest)
    for choice in applying:
        if choice.enabled is not None:
            return Decision(choice.enabled, _layer(choice), choice, quiet, digest)
    return Decision(subject.enabled_by_default, PreferenceLayer.TYPE_DEFAULT, None, quiet, digest)


def _applies(choice: Choice, subject: Subject) -> bool:
    """Tell whether a row is about this subject: what it names must be so, what it leaves null may be any."""
    about = (
        choice.template_id == subject.template_id
        if choice.template_id is not None
        else choice.category in {subject.category, ALL_CATEGORIES}
    )
    return (
        about
        and choice.channel_kind in {None, subject.channel_kind}
        and choice.project_id in {None, subject.project_id}
        and choice.environment_id in {None, subject.environment_id}
    )


def _layer(choice: Choice) -> PreferenceLayer:
    if choice.template_id is not None:
        return PreferenceLayer.TEMPLATE
    if choice.environment_id is not None:
        return PreferenceLayer.ENVIRONMENT
    if choice.project_id is not None:
        return PreferenceLayer.PROJECT
    if choice.category == ALL_CATEGORIES:
        return PreferenceLayer.ALL_CATEGORIES
    return PreferenceLayer.CATEGORY_AND_CHANNEL if choice.channel_kind else PreferenceLayer.CATEGORY


def _rank(choice: Choice) -> tuple[int, bool, bool, bool, bool]:
    """Order rows by layer, and within one by what they name: channel kind, category, environment, project."""
    return (
        _ORDER[_layer(choice)],
        choice.channel_kind is None,
        choice.category == ALL_CATEGORIES,
        choice.environment_id is None,
        choice.project_id is None,
    )
