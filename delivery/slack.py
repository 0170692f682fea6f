"""Slack: posts to an incoming webhook, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson

from delivery import mrkdwn
from delivery.http import HttpClient, HttpError, Response
from delivery.parcel import Message, Parcel
from delivery.sender import Rejected, Result, Retry, Sent
from resolvers import text
from resolvers.text import TextFormat

_MAX_SECTION = 3_000
_MAX_MARKDOWN = 2 * _MAX_SECTION
_MAX_TITLE = 150
_MAX_LINES = 40
"""Messages of a digest that are named; Slack takes 50 blocks."""


class SlackSender:
    """Sends parcels of the kind SLACK: config has url, which is the right to post and so a secret."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def send(self, parcel: Parcel) -> Result:
        """Post the messages once, as one of Slack's. A refusal that names no fault of Slack's own is Rejected."""
        headers = {"Content-Type": "application/json", "User-Agent": "Tocsin"}
        body = orjson.dumps(payload(parcel.messages))
        try:
            return _result(await self._client.post(parcel.config["url"], headers, body))
        except HttpError as error:
            return Rejected(error.error) if error.final else Retry(error.error)


def payload(messages: Sequence[Message]) -> dict[str, Any]:
    """Return what is posted: one message whole, its body cut where Slack has a limit; of a digest the titles."""
    whole = len(messages) == 1
    fallback = mrkdwn.escape(_title(messages[0])) if whole else f"{len(messages):,} notifications"
    texts = _whole(messages[0]) if whole else _digest(messages)
    return {
        "text": fallback,
        "blocks": [_section(it) for it in texts],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _section(text: str) -> dict[str, Any]:
    # verbatim: a name such as @here in the text is a name and calls nobody.
    cut = mrkdwn.cut(text, _MAX_SECTION)
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut, "verbatim": True}}


def _whole(message: Message) -> Iterator[str]:
    yield f"*{_heading(message)}*"
    if body := mrkdwn.from_markdown(_beginning(message.body)):
        yield body
    if actions := _actions(message.actions):
        yield actions


def _beginning(markdown: str) -> str:
    """Return as much as can have room: converting the rest would only take time."""
    return markdown if len(markdown) <= _MAX_MARKDOWN else f"{markdown[:_MAX_MARKDOWN]}…"


def _digest(messages: Sequence[Message]) -> Iterator[str]:
    yield from (f"• {_heading(it)}" for it in messages[:_MAX_LINES])
    if len(messages) > _MAX_LINES:
        yield f"… and {len(messages) - _MAX_LINES:,} more"


def _heading(message: Message) -> str:
    return mrkdwn.link(message.url or "", _title(message))


def _title(message: Message) -> str:
    plain = " ".join(text.title(message.title, TextFormat.PLAINTEXT).split())
    return plain if len(plain) <= _MAX_TITLE else f"{plain[: _MAX_TITLE - 1]}…"


def _actions(actions: Sequence[Mapping[str, str]]) -> str:
    """Return links to what can be done; one that a message cannot link to, or that has no room, is left out."""
    line = ""
    for action in actions:
        shown = mrkdwn.link(action["url"], action["label"])
        if shown.startswith("<") and len(line) + len(shown) < _MAX_SECTION - 3:
            line += f" · {shown}" if line else shown
    return line


def _result(response: Response) -> Result:
    status = response.status
    error = f"Slack answered {status}."
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Sent(status)
    if status == HTTPStatus.GONE:
        return Rejected(error, status, gone=True)
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if is_refusal and status not in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        return Rejected(error, status)
    return Retry(error, status, response.retry_after)
