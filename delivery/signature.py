"""Signatures of webhooks as Standard Webhooks 1.0 makes them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence

_PREFIX = "whsec_"


def headers(id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the three webhook- header fields.

    id: the same at each attempt, without a full stop. timestamp: of this attempt, in Unix seconds.
    secrets: whsec_ and base64; each signs, the newest first, so that receivers can change over in peace.
    """
    signed = f"{id}.{timestamp}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(signed, secret) for secret in secrets),
    }


def _signature(signed: bytes, secret: str) -> str:
    key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
