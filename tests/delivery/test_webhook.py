"""Webhooks, sent to a real receiver and verified as one would."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from delivery.http import HttpClient
from delivery.parcel import Message, Parcel, Recipient
from delivery.sender import Rejected, Result, Retry, Sender, Sent
from delivery.webhook import WebhookSender
from tests.delivery.receiver import OK, Receiver, answer, receiving

SECRET, PREVIOUS = ("whsec_" + b64encode(bytes([it]) * 32).decode() for it in (1, 2))
DELIVERY = UUID("0197b3a0-0000-7000-8000-000000000001")
NOTIFICATION = UUID("0197b3a0-0000-7000-8000-000000000002")
MESSAGE = Message(
    notification_id=NOTIFICATION,
    type="build.done",
    category="build",
    severity="WARNING",
    title="A *build*",
    body="It took 3 min, ü ☃.",
    created_at=datetime(2026, 1, 15, 12, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2))),
    url="https://ci.example/1",
    actions=({"label": "Open", "url": "https://ci.example/1"},),
    targets=("build:1", "repo:2"),
    data={"number": 1, "nested": {"is": [True, None, 0.5]}},
)
SLIM = Message(None, "test.sent", "test", "INFO", "A test", "", datetime(2026, 1, 15, 10, tzinfo=UTC))


def parcel(url: str, message: Message = MESSAGE, previous: tuple[str, ...] = ()) -> Parcel:
    """Return a parcel for an address."""
    config = {"url": url, "secret": SECRET}
    return Parcel(DELIVERY, "acme", Recipient("ada", "ada@example.com"), config, [message], previous)


@asynccontextmanager
async def sending(*answers: bytes) -> AsyncIterator[tuple[Receiver, Sender, str]]:
    """Run a receiver; yield it, a sender, and the receiver's address."""
    async with receiving(*answers) as receiver, HttpClient(allow_private=True) as client:
        yield receiver, WebhookSender(client), f"http://127.0.0.1:{receiver.port}/in"


async def received(message: Message, previous: tuple[str, ...] = ()) -> tuple[dict[str, str], bytes]:
    """Send a message; return the fields and the body that arrived."""
    async with sending(OK) as (receiver, sender, url):
        assert await sender.send(parcel(url, message, previous)) == Sent(200)
    (request,) = receiver.requests
    assert request.line == "POST /in HTTP/1.1"
    return request.fields, request.body


async def test_what_arrives() -> None:
    """The payload that Standard Webhooks recommends, signed, as UTF-8."""
    fields, body = await received(MESSAGE)
    assert Webhook(SECRET).verify(body, fields) == {
        "type": "build.done",
        "timestamp": "2026-01-15T10:00:00.123Z",
        "data": {
            "id": str(DELIVERY),
            "notificationId": str(NOTIFICATION),
            "tenantId": "acme",
            "userId": "ada",
            "category": "build",
            "severity": "WARNING",
            "title": "A *build*",
            "body": "It took 3 min, ü ☃.",
            "url": "https://ci.example/1",
            "actions": [{"label": "Open", "url": "https://ci.example/1"}],
            "targets": ["build:1", "repo:2"],
            "data": {"number": 1, "nested": {"is": [True, None, 0.5]}},
        },
    }
    assert "ü ☃".encode() in body
    assert fields.keys() == {
        *("host", "content-length", "content-type", "user-agent"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }
    assert fields["webhook-id"] == str(DELIVERY)
    assert fields["content-type"] == "application/json"
    assert fields["user-agent"] == "Tocsin"


async def test_what_is_absent_is_null() -> None:
    """Every key is there, whatever the message has."""
    fields, body = await received(SLIM)
    payload: dict[str, Any] = Webhook(SECRET).verify(body, fields)
    assert payload["timestamp"] == "2026-01-15T10:00:00.000Z"
    assert payload["data"] == {
        "id": str(DELIVERY),
        "notificationId": None,
        "tenantId": "acme",
        "userId": "ada",
        "category": "test",
        "severity": "INFO",
        "title": "A test",
        "body": "",
        "url": None,
        "actions": [],
        "targets": [],
        "data": None,
    }


async def test_a_secret_that_was_rotated_out_signs_along() -> None:
    """Receivers with the old secret and with the new one both read it."""
    fields, body = await received(MESSAGE, previous=(PREVIOUS,))
    for secret in (SECRET, PREVIOUS):
        assert Webhook(secret).verify(body, fields)["type"] == "build.done"


async def test_a_repetition_has_the_same_id_and_body() -> None:
    """So that a receiver can tell it."""
    async with sending(answer("500 Oh"), OK) as (receiver, sender, url):
        for _ in range(2):
            await sender.send(parcel(url))
    first, second = receiver.requests
    assert (first.fields["webhook-id"], first.body) == (second.fields["webhook-id"], second.body)


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        (answer("200 OK"), Sent(200)),
        (answer("202 Accepted"), Sent(202)),
        (answer("299 Fine"), Sent(299)),
        (answer("410 Gone"), Rejected("The receiver answered 410 Gone.", 410, gone=True)),
        (answer("301 x", "Location: /in"), Retry("The receiver answered 301 Moved Permanently.", 301)),
        (answer("400 secret"), Retry("The receiver answered 400 Bad Request.", 400)),
        (answer("404 <b>"), Retry("The receiver answered 404 Not Found.", 404)),
        (answer("429 x", "Retry-After: 9"), Retry("The receiver answered 429 Too Many Requests.", 429, 9)),
        (
            answer("503 x", "Retry-After: 90", body=b"secret"),
            Retry("The receiver answered 503 Service Unavailable.", 503, 90),
        ),
        (answer("500 x", "Retry-After: -1"), Retry("The receiver answered 500 Internal Server Error.", 500)),
        (answer("599 secret"), Retry("The receiver answered 599.", 599)),
        (b"secret\r\n\r\n", Retry("The answer was not HTTP.")),
    ],
)
async def test_what_becomes_of_it(raw: bytes, result: Result) -> None:
    """The phrase is the standard's; nothing else of the answer is told."""
    async with sending(raw) as (_receiver, sender, url):
        assert await sender.send(parcel(url)) == result


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://127.0.0.1/", Rejected("The address is not allowed.")),
        ("https://[::ffff:7f00:1]/", Rejected("The address is not allowed.")),
        ("http://127.0.0.1/", Rejected("The URL is not allowed.")),
        ("https://user:secret@a.example/", Rejected("The URL is not allowed.")),
        ("https://256.256.256.256/", Retry("The name could not be resolved.")),
    ],
)
async def test_addresses(url: str, result: Result) -> None:
    """What is not allowed will never be; a name may come back."""
    async with HttpClient() as client:
        assert await WebhookSender(client).send(parcel(url)) == result
