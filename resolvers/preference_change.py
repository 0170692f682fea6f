"""What a client wants stored of preferences: checked, and merged with what is stored. Pure."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from db.preference import IDENTITY, SAID
from db.types import ChannelKind, Digest
from resolvers.errors import bad_input
from resolvers.inputs import text_problem, uuid_or_none

Identity = tuple[Any, ...]
"""The values of db.preference.IDENTITY, in that order."""

Problem = tuple[str, str]
"""A field, as a dotted path, and what is wrong with it."""

# An entry of the unique index may have 2,704 bytes; the rest is for its headers and the other columns.


@dataclass(frozen=True, slots=True)
class Change:
    """Which preference, and the columns to set (of SAID, None clears); one not named keeps its value."""

    category: str | None = None
    template: str | None = None
    channel_kind: ChannelKind | None = None
    project_id: str | None = None
    environment_id: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def template_id(self) -> UUID | str | None:
        """The template's id; a text that cannot be one stays what it is."""
        return self.template and (uuid_or_none(self.template) or self.template)


def identity_of(row: Any) -> Identity:
    """Return the identity of a stored row, or of a change."""
    return tuple(getattr(row, column) for column in IDENTITY)


def to_store(
    changes: Sequence[Change], stored: Mapping[Identity, Any], templates: Container[Any]
) -> list[dict[str, Any]]:
    """Return the rows that are new or differ from the stored ones, or raise BAD_USER_INPUT for all problems.

    templates: the ids of those that exist.
    """
    said = [_merged(change, stored.get(identity_of(change))) for change in changes]
    problems = list(_repetitions(changes))
    for index, change in enumerate(changes):
        found = (
            *_subject_problems(change, templates),
            *_text_problems(change),
            *_quiet_problems(said[index]),
            *_digest_problems(change, said[index]),
        )
        problems += [(f"preferences.{index}.{name}", detail) for name, detail in found]
    if problems:
        raise bad_input(*problems)
    # Rows of one call are of one moment: ids in their order keep them in it.
    ids = sorted(uuid4() for _ in changes)
    return [
        _row(change, row.id if row else id, values)
        for change, id, values in zip(changes, ids, said, strict=True)
        if not (row := stored.get(identity_of(change))) or _said(row) != values
    ]


def _row(change: Change, id: UUID, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": id, **dict(zip(IDENTITY, identity_of(change), strict=True)), **said}


def _said(row: Any) -> dict[str, Any]:
    return {column: getattr(row, column, None) for column in SAID}


def _merged(change: Change, row: Any) -> dict[str, Any]:
    return {**_said(row), **change.said}


def _repetitions(changes: Sequence[Change]) -> Iterator[Problem]:
    first: dict[Identity, int] = {}
    for index, change in enumerate(changes):
        earlier = first.setdefault(identity_of(change), index)
        if earlier != index:
            yield f"preferences.{index}", f"is the same preference as preferences.{earlier}."


def _subject_problems(change: Change, templates: Container[Any]) -> Iterator[Problem]:
    if change.category is None and change.template is None:
        yield "category", "is needed, or template."
    elif change.category is not None and change.template is not None:
        yield "template", "goes without category."
    elif change.template is not None and change.template_id not in templates:
        yield "template", "does not exist."


def _text_problems(change: Change) -> Iterator[Problem]:
    texts = {
        "category": change.category,
        "projectId": change.project_id,
        "environmentId": change.environment_id,
    }
    for name, text in texts.items():
        if text is not None and (problem := text_problem(text) if text else "is empty."):
            yield name, problem


def _quiet_problems(said: Mapping[str, Any]) -> Iterator[Problem]:
    start, end = said["quiet_start"], said["quiet_end"]
    if (start is None) != (end is None):
        yield "quietStart" if start is None else "quietEnd", "is needed: quiet hours have both ends."
    elif start is not None and start == end:
        yield "quietEnd", "equals quietStart."


def _digest_problems(change: Change, said: Mapping[str, Any]) -> Iterator[Problem]:
    if said["digest"] is not None and change.channel_kind not in {None, ChannelKind.EMAIL}:
        yield "digest", "is for EMAIL: channelKind is neither that nor null."
    if said["digest_at"] is not None and said["digest"] != Digest.DAILY:
        yield "digestAt", "goes with digest DAILY only."
