"""A notify without its transport: the request, what an answer means, and when to try again."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import uuid4

EVERYONE: Literal["everyone"] = "everyone"
_DOCUMENT = """
mutation Notify($input: NotifyInput!, $key: String!) {
  notify(input: $input, idempotencyKey: $key) {
    request { id status }
    notifications
    created
    suppressed
    replayed
  }
}
"""
_AGAIN = {"RATE_LIMITED", "UNAVAILABLE"}
_AGAIN_STATUS = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    *(HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT),
}
_UNREACHABLE = "UNREACHABLE"
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user, with what the directory shall know: None leaves it as it is there."""

    id: str
    email: str | None = None
    name: str | None = None
    timezone: str | None = None


class Content(TypedDict, total=False):
    """What a notify may say beside `type`; schema.graphql, NotifyInput, tells of each."""

    category: str
    severity: Literal["LOW", "NORMAL", "HIGH", "CRITICAL"]
    title: str
    body: str
    template: str
    variables: Mapping[str, Any]
    url: str
    icon: str
    actions: Sequence[Mapping[str, str]]
    targets: Sequence[str]
    team_id: str
    project_id: str
    environment_id: str
    data: Mapping[str, Any]
    channels: Sequence[Literal["IN_APP", "EMAIL", "SLACK", "WEBHOOK", "APPRISE"]]
    escalate_after_minutes: int


Recipients = Sequence[str | Recipient] | Literal["everyone"]


class Notified(NamedTuple):
    """What a notify did. replayed: it was done before under this key, and now nothing was.

    status: DONE, or for everyone ACCEPTED or FANNING_OUT. notifications: ids of the inbox rows, in no order.
    """

    request_id: str
    status: str
    notifications: tuple[str, ...]
    created: int
    suppressed: int
    replayed: bool
    idempotency_key: str


class TocsinError(Exception):
    """A notify that was refused, or had no answer in time.

    code: that of the API, such as BAD_USER_INPUT or IDEMPOTENCY_CONFLICT; HTTP_404 and the like where
    something else answered; UNREACHABLE where nothing did. extensions: the API's, with `fields` or
    `retryAfter`. idempotency_key: what to call again with, for the request may have been done all the same.
    """

    def __init__(
        self, code: str, message: str, idempotency_key: str, extensions: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.idempotency_key = idempotency_key
        self.extensions = extensions or {}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on: so many attempts, within so many seconds in all, the last wait included.

    attempt_seconds: for an attempt. In a thread each silence of connecting, sending and the answer's head may
    last as long, so a server that trickles these can hold it beyond `seconds`. first_seconds, most_seconds: the
    first and the longest wait between two, which doubles in between; a random half to all of it is waited, or what
    the server asks for if that is more.
    """

    attempts: int = 6
    seconds: float = 30
    attempt_seconds: float = 10
    first_seconds: float = 0.25
    most_seconds: float = 5


class Again(NamedTuple):
    """That another attempt may succeed, why this one did not, and how long the server wants to be left alone."""

    error: TocsinError
    after: float = 0


class Call:
    """One notify and how it goes. now: monotonic seconds, here and in what follows."""

    def __init__(
        self,
        patience: Patience,
        now: float,
        recipients: Recipients,
        type: str,
        key: str | None,
        more: Content,
    ) -> None:
        self.key = str(uuid4()) if key is None else key
        variables = {"input": _input(recipients, type, more), "key": self.key}
        self.body = json.dumps({"query": _DOCUMENT, "variables": variables}).encode()
        self._patience = patience
        self._deadline = now + patience.seconds
        self._tries = 0

    def seconds(self, now: float) -> float:
        """Return how long the next attempt may take."""
        return max(min(self._patience.attempt_seconds, self._deadline - now), 0.001)

    def unanswered(self, error: Exception) -> Again:
        """Take that there was no answer."""
        return Again(TocsinError(_UNREACHABLE, f"{type(error).__name__}: {error}", self.key))

    def answered(self, status: int, headers: Mapping[str, str], content: bytes) -> Notified | Again:
        """Take an answer; raise TocsinError for one that would be the same the next time."""
        body = _object(content)
        if refused := _error(body):
            return self._failed(refused, headers)
        data = body.get("data")
        if isinstance(data, dict) and data.get("notify"):
            return self._notified(data["notify"])
        text = content[:_SHOWN].decode(errors="replace")
        error = TocsinError(f"HTTP_{status}", f"This is not Tocsin's answer: {text}", self.key)
        if status not in _AGAIN_STATUS:
            raise error
        return Again(error, _seconds(headers))

    def _failed(self, found: Mapping[str, Any], headers: Mapping[str, str]) -> Again:
        extensions = found["extensions"]
        code = str(extensions["code"])
        error = TocsinError(code, str(found.get("message")), self.key, extensions)
        if code not in _AGAIN:
            raise error
        return Again(error, float(extensions.get("retryAfter") or _seconds(headers)))

    def _notified(self, done: Mapping[str, Any]) -> Notified:
        return Notified(
            done["request"]["id"],
            done["request"]["status"],
            tuple(done["notifications"]),
            done["created"],
            done["suppressed"],
            done["replayed"],
            self.key,
        )

    def pause(self, again: Again, now: float) -> float:
        """Return how many seconds to wait before the next attempt; raise the error if there is none."""
        self._tries += 1
        longest = min(self._patience.first_seconds * 2 ** (self._tries - 1), self._patience.most_seconds)
        pause = max(random.uniform(longest / 2, longest), again.after)  # noqa: S311  jitter
        if self._tries >= self._patience.attempts or now + pause >= self._deadline:
            raise again.error
        return pause


def _input(recipients: Recipients, type: str, more: Content) -> dict[str, Any]:
    """Return a NotifyInput; TypeError for what it has no place for."""
    if unknown := sorted(more.keys() - Content.__annotations__.keys()):
        raise TypeError(f"notify() does not know {', '.join(unknown)}")
    found = {_camel_case(name): value for name, value in more.items()} | {"type": type}
    if recipients == EVERYONE:
        return found | {"everyone": True}
    if isinstance(recipients, str):
        raise TypeError('recipients is a list of ids, or "everyone"')
    return found | {"recipients": [_recipient(it) for it in recipients]}


def _recipient(found: str | Recipient) -> dict[str, str]:
    if isinstance(found, str):
        return {"id": found}
    return {name: value for name, value in asdict(found).items() if value is not None}


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda it: it[1].upper(), name)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the first error; None if it has no code: then it is a proxy's, and the status tells more."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    extensions = first.get("extensions") if isinstance(first, dict) else None
    return first if isinstance(extensions, dict) and "code" in extensions else None


def _seconds(headers: Mapping[str, str]) -> float:
    """Return what Retry-After asks for, in seconds; 0 if nothing, or a date: then it is our own pace."""
    text = headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0
