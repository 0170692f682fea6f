"""What a notify asks for, checked: who, what, where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from db.request import Said
from db.types import ChannelKind, Severity
from resolvers import recipient, template
from resolvers.errors import bad_input
from resolvers.inputs import MAX_ID, Problem, in_range, item_checks, refuse, text_problem, uuid_or_none
from resolvers.layers import ALL_CATEGORIES

MAX_ESCALATE_MINUTES = 10_080
_NAMES = ("type", "category", "icon", "team_id", "project_id", "environment_id")
_FIELDS = {"team_id": "teamId", "project_id": "projectId", "environment_id": "environmentId"}

Check = tuple[str, str | None]
Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked input. recipients None: everyone. template: the id of what title and body come from."""

    recipients: Sequence[Given] | None
    template: str | None
    variables: Mapping[str, Any]
    said: Said
    fingerprint: bytes


def read(input: Given) -> Wanted:
    """Check an input (by Python names; null means left out); raise an error that names what is wrong."""
    given = {name: value for name, value in input.items() if value is not None}
    everyone = bool(given.get("everyone"))
    recipients = given.get("recipients")
    if everyone == (recipients is not None):
        raise bad_input(("recipients", "give either recipients or everyone: true."))
    if recipients is not None:
        recipient.check(recipients)
    if (minutes := given.get("escalate_after_minutes")) is not None:
        in_range("escalateAfterMinutes", minutes, 1, MAX_ESCALATE_MINUTES)
    refuse(_checks(given))
    return Wanted(
        recipients,
        given.get("template"),
        given.get("variables", {}),
        _said(given),
        sha256(orjson.dumps(given, option=orjson.OPT_SORT_KEYS, default=str)).digest(),
    )


def _checks(given: Given) -> Iterator[Check]:
    for name in _NAMES:
        if name in given:
            yield _FIELDS.get(name, name), text_problem(given[name], least=1)
    if given.get("category") == ALL_CATEGORIES:
        yield "category", "means all of them."
    if given.get("channels") == []:
        yield "channels", "is empty: leave it out for all of them."
    yield from item_checks("targets", given.get("targets", ()))
    yield from template.action_checks(given.get("actions", ()))
    yield from _text_checks(given)


def _text_checks(given: Given) -> Iterator[Check]:
    """Want either a title, or a template that it is made from."""
    if "template" in given:
        yield from ((name, "goes not with a template.") for name in ("title", "body") if name in given)
        return
    if "variables" in given:
        yield "variables", "goes only with a template."
    if "title" not in given:
        yield "title", "is missing: give a title, or a template."
    else:
        yield "title", text_problem(given["title"].strip(), 1, template.MAX_TITLE)
    yield "body", text_problem(given.get("body", ""), 0, template.MAX_BODY)


def _said(given: Given) -> Said:
    channels = given.get("channels")
    return Said(
        type=given["type"],
        category=given.get("category"),
        title=given.get("title", "").strip(),
        body=given.get("body", ""),
        severity=given.get("severity", Severity.NORMAL),
        url=given.get("url"),
        icon=given.get("icon"),
        actions=given.get("actions", ()),
        targets=given.get("targets", ()),
        template_id=_template_id(given),
        team_id=given.get("team_id"),
        project_id=given.get("project_id"),
        environment_id=given.get("environment_id"),
        data=given.get("data"),
        channels=None if channels is None else sorted({ChannelKind(kind).value for kind in channels}),
        escalate_minutes=given.get("escalate_after_minutes"),
    )


def _template_id(given: Given) -> UUID | None:
    return uuid_or_none(given["template"]) if "template" in given else None


def key_problem(key: str | None) -> Problem | None:
    """Return what is wrong with an idempotency key: it has 1 to 255 characters."""
    problem = None if key is None else text_problem(key, least=1, most=MAX_ID)
    return ("idempotencyKey", problem) if problem else None
