"""Which of a user's stored preferences applies, layer by layer. Pure: the worker and the API call the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from db.types import ChannelKind

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


@dataclass(frozen=True, slots=True)
class Subject:
    """What would be sent: of which type, made from which template, where, on which kind of channel."""

    category: str
    channel_kind: ChannelKind
    template_id: UUID | None = None
    project_id: str | None = None
    environment_id: str | None = None
    required: bool = False
    enabled_by_default: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is sent, which layer and row said so, and the row whose quiet hours hold, if any."""

    enabled: bool
    decided_by: PreferenceLayer
    preference: Choice | None
    quiet: Choice | None


_ORDER = {layer: rank for rank, layer in enumerate(PreferenceLayer)}


def decide(choices: Iterable[Choice], subject: Subject) -> Decision:
    """Decide enabled and the quiet hours, each by the first row that says something of it."""
    applying = sorted((choice for choice in choices if _applies(choice, subject)), key=_rank)
    quiet = next((choice for choice in applying if choice.quiet_start is not None), None)
    if subject.required:
        return Decision(True, PreferenceLayer.REQUIRED_TYPE, None, quiet)
    for choice in applying:
        if choice.enabled is not None:
            return Decision(choice.enabled, _layer(choice), choice, quiet)
    return Decision(subject.enabled_by_default, PreferenceLayer.TYPE_DEFAULT, None, quiet)


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
