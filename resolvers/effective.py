"""What a user's preferences come to, for each notification type and channel kind. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from db.types import ChannelKind, Digest
from resolvers.digest import DAILY_AT
from resolvers.layers import ALL_CATEGORIES, Choice, Choices, PreferenceLayer, Subject, decide

ANY_TYPE = "*"
"""The type and the category of a row about a template."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose preferences: the stored rows, and the recipient's time zone if it is known."""

    rows: Sequence[Choice]
    timezone: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The project and the environment that something happens in, if in any."""

    project_id: str | None = None
    environment_id: str | None = None

    def has(self, row: Choice) -> bool:
        """Tell whether a preference holds here."""
        return row.project_id in {None, self.project_id} and row.environment_id in {None, self.environment_id}


@dataclass(frozen=True, slots=True)
class EffectivePreference:
    """What applies, which layer and row decided it, the quiet hours with the zone that hold, and the digest.

    digest is None but for EMAIL, and digest_at but for DAILY.
    """

    type: str
    category: str
    template: Any
    channel_kind: ChannelKind
    enabled: bool
    decided_by: PreferenceLayer
    preference: Choice | None
    quiet_start: time | None
    quiet_end: time | None
    timezone: str
    digest: Digest | None
    digest_at: time | None


def effective(
    owner: Owner, place: Place, types: Iterable[Any], templates: Iterable[Any]
) -> list[EffectivePreference]:
    """Return a row for each type and channel kind, then one for each template and channel kind.

    types: rows of notification_type; templates: rows of template.
    """
    # What holds elsewhere is left out once, not at each decision.
    choices = Choices(row for row in owner.rows if place.has(row))
    return [
        _row(name, template, subject, choices, owner.timezone)
        for name, template, subject in (*_of_types(types, place), *_of_templates(templates, place))
    ]


def _of_types(types: Iterable[Any], place: Place) -> Iterator[tuple[str, Any, Subject]]:
    for type in types:
        for kind in ChannelKind:
            yield (
                type.name,
                None,
                Subject(
                    type.category,
                    kind,
                    None,
                    place.project_id,
                    place.environment_id,
                    type.required,
                    type.enabled_by_default,
                ),
            )


def _of_templates(templates: Iterable[Any], place: Place) -> Iterator[tuple[str, Any, Subject]]:
    # Of any type: of the rows about categories only those about all of them are heard.
    for template in templates:
        for kind in ChannelKind:
            yield (
                ANY_TYPE,
                template,
                Subject(
                    ALL_CATEGORIES,
                    kind,
                    template.id,
                    place.project_id,
                    place.environment_id,
                    enabled_by_default=template.enabled_by_default,
                ),
            )


def _row(
    type: str, template: Any, subject: Subject, choices: Choices, timezone: str | None
) -> EffectivePreference:
    decision = decide(choices.about(subject), subject)
    quiet = decision.quiet
    return EffectivePreference(
        type,
        subject.category,
        template,
        subject.channel_kind,
        decision.enabled,
        decision.decided_by,
        decision.preference,
        quiet.quiet_start if quiet else None,
        quiet.quiet_end if quiet else None,
        decision.timezone(timezone),
        *_digest(subject.channel_kind, decision.digest),
    )


def _digest(kind: ChannelKind, said: Choice | None) -> tuple[Digest | None, time | None]:
    """Return whether mail waits, and for DAILY until when."""
    if kind is not ChannelKind.EMAIL:
        return None, None
    digest = Digest(said.digest) if said and said.digest else Digest.IMMEDIATE
    return digest, (said.digest_at or DAILY_AT) if said and digest is Digest.DAILY else None
