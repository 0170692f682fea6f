"""Signatures, verified with the package of those who wrote the standard."""

import time
from base64 import b64encode

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from delivery.signature import headers

SECRET, PREVIOUS, FOREIGN = ("whsec_" + b64encode(bytes([it]) * 32).decode() for it in (1, 2, 3))
BODY = '{"type":"build.done","ü":"☃"}'.encode()


def test_the_fields() -> None:
    """The example of the reference implementations: one known message, one known signature."""
    assert headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    ) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secrets", [[SECRET], [SECRET, PREVIOUS], [PREVIOUS, SECRET]])
def test_each_secret_verifies(secrets: list[str]) -> None:
    """A receiver with the old secret or the new one reads the message; one with another does not."""
    fields = headers("msg_1", int(time.time()), BODY, secrets)
    for secret in secrets:
        assert Webhook(secret).verify(BODY, fields) == {"type": "build.done", "ü": "☃"}
    with pytest.raises(WebhookVerificationError, match="No matching signature found"):
        Webhook(FOREIGN).verify(BODY, fields)
    assert fields["webhook-signature"].count("v1,") == len(secrets)


@pytest.mark.parametrize(
    ("id", "later", "body"), [("msg_2", 0, BODY), ("msg_1", 60, BODY), ("msg_1", 0, BODY + b" ")]
)
def test_everything_is_signed(id: str, later: int, body: bytes) -> None:
    """Another id, time or body does not verify."""
    now = int(time.time())
    signed = headers("msg_1", now, BODY, [SECRET])
    with pytest.raises(WebhookVerificationError, match="No matching signature found"):
        Webhook(SECRET).verify(body, {**signed, "webhook-id": id, "webhook-timestamp": str(now + later)})


def test_an_old_message_is_refused() -> None:
    """The timestamp is the attempt's, and a receiver checks it."""
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(BODY, headers("msg_1", int(time.time()) - 301, BODY, [SECRET]))
