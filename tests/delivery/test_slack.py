"""Slack: what is posted to a real receiver, and what its answers mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from delivery.http import HttpClient
from delivery.parcel import Message, Parcel, Recipient
from delivery.sender import Rejected, Result, Retry, Sender, Sent
from delivery.slack import SlackSender, payload
from tests.delivery.receiver import OK, Receiver, answer, receiving

MESSAGE = Message(
    notification_id=UUID(int=2),
    type="build.done",
    category="build",
    severity="WARNING",
    title="A *build* <!here> & more",
    body="It **took** 3 min, ü.\n\n- <@U1>",
    created_at=datetime(2026, 1, 15, 12, tzinfo=UTC),
    url="https://ci.example/1?a=b&c=d",
    actions=(
        {"label": "Open > it", "url": "https://ci.example/1"},
        {"label": "Here", "url": "/relative"},
        {"label": "Mail", "url": "mailto:a@b.example"},
    ),
)
SLIM = Message(None, "test.sent", "test", "INFO", "A test", "", datetime(2026, 1, 15, tzinfo=UTC))


def parcel(url: str, *messages: Message) -> Parcel:
    """Return a parcel for an address."""
    return Parcel(UUID(int=1), "acme", Recipient("ada"), {"url": url}, messages)


@asynccontextmanager
async def sending(*answers: bytes) -> AsyncIterator[tuple[Receiver, Sender, str]]:
    """Run a receiver; yield it, a sender, and the receiver's address."""
    async with receiving(*answers) as receiver, HttpClient(allow_private=True) as client:
        yield receiver, SlackSender(client), f"http://127.0.0.1:{receiver.port}/services/s3cret"


async def result_of(*answers: bytes) -> Result:
    """Return what becomes of a parcel that is answered like this."""
    async with sending(*answers) as (_, sender, url):
        return await sender.send(parcel(url, SLIM))


def texts(*messages: Message) -> list[str]:
    """Return the mrkdwn of the blocks, in order."""
    return [block["text"]["text"] for block in payload(messages)["blocks"]]


def section(text: str) -> dict[str, Any]:
    """Return a block."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


async def test_what_arrives() -> None:
    """Title, body and links as three sections; a plain text for the push notification; nothing unfolds."""
    async with sending(OK) as (receiver, sender, url):
        assert await sender.send(parcel(url, MESSAGE)) == Sent(200)
    (request,) = receiver.requests
    assert request.line == "POST /services/s3cret HTTP/1.1"
    assert request.fields["content-type"] == "application/json"
    assert orjson.loads(request.body) == {
        "text": "A build &lt;!here&gt; &amp; more",
        "blocks": [
            section("*<https://ci.example/1?a=b&amp;c=d|A build &lt;!here&gt; &amp; more>*"),
            section("It *took* 3 min, ü.\n\n• &lt;@U1&gt;"),
            section("<https://ci.example/1|Open &gt; it> · <mailto:a@b.example|Mail>"),
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def test_a_message_with_nothing_more() -> None:
    """No body, no link and no actions: the title alone."""
    assert texts(SLIM) == ["*A test*"]
    assert texts(replace(SLIM, url="/relative")) == ["*A test*"]


def test_what_is_long_is_cut() -> None:
    """A title to 150 characters, a section to 3,000; links that have no room are left out."""
    long = replace(
        SLIM,
        title="&" * 1_000,
        body="word " * 13_000,
        actions=[{"label": "x" * 255, "url": f"https://e.x/{number}/{'x' * 1_000}"} for number in range(10)],
    )
    title, body, actions = texts(long)
    assert title == f"*{'&amp;' * 149}…*"
    assert (len(body), body[-6:]) == (2_995, " word…")
    assert actions.count("<https://e.x/") == 2
    assert texts(replace(SLIM, body="\n" * 6_000 + "x")) == ["*A test*", "…"]


def test_a_digest() -> None:
    """Its titles, the oldest first; beyond 40 only how many."""
    assert texts(SLIM, MESSAGE)[0] == "• A test"
    assert len(texts(SLIM, MESSAGE)) == 2
    assert payload([SLIM, MESSAGE])["text"] == "2 notifications"
    assert len(texts(*[SLIM] * 40)) == 40
    assert texts(*[SLIM] * 1_040)[40:] == ["… and 1,000 more"]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("200 OK", Sent(200)),
        ("204 No Content", Sent(204)),
        ("302 Found", Retry("Slack answered 302.", 302)),
        ("400 Bad Request", Rejected("Slack answered 400.", 400)),
        ("403 Forbidden", Rejected("Slack answered 403.", 403)),
        ("404 Not Found", Rejected("Slack answered 404.", 404)),
        ("408 Request Timeout", Retry("Slack answered 408.", 408)),
        ("410 Gone", Rejected("Slack answered 410.", 410, gone=True)),
        ("429 Too Many Requests", Retry("Slack answered 429.", 429)),
        ("500 Internal Server Error", Retry("Slack answered 500.", 500)),
        ("503 Service Unavailable", Retry("Slack answered 503.", 503)),
    ],
)
async def test_answers(status: str, result: Result) -> None:
    """What the receiver says in words plays no part."""
    assert await result_of(answer(status, body=b"channel_not_found s3cret")) == result


async def test_slack_asks_for_a_pause() -> None:
    """One message a second is its limit; it says for how long to wait."""
    busy = answer("429 Too Many Requests", "Retry-After: 30")
    assert await result_of(busy) == Retry("Slack answered 429.", 429, 30.0)


async def test_no_answer() -> None:
    """A receiver that hangs up is tried again; an address that is not allowed is not."""
    assert await result_of() == Retry("The connection broke.")
    async with receiving(OK) as receiver, HttpClient() as client:
        for url in (f"https://127.0.0.1:{receiver.port}/s3cret", "http://hooks.slack.example/s3cret"):
            refused = await SlackSender(client).send(parcel(url, SLIM))
            assert isinstance(refused, Rejected)
            assert "s3cret" not in repr(refused)
    assert receiver.connections == 0


def test_a_sender_of_parcels() -> None:
    """The parcel's secret is not shown where the parcel is."""
    assert "s3cret" not in repr(parcel("https://hooks.slack.com/s3cret", SLIM))
