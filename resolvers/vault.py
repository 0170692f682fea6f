"""Secrets at rest: sealed with AES-GCM, each for one place, so that a box moved elsewhere does not open.

The same keys sign what is given away and must come back unchanged.
"""

import hmac
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import TypedDict

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class Box(TypedDict):
    """A sealed secret as it is stored: the id of its key, and base64 of the nonce and the ciphertext."""

    key: str
    box: str


class CannotOpenError(Exception):
    """A box that no key opens here; the message holds neither the box nor a key."""


class Vault:
    """Keys of 32 bytes by their ids. The first one seals and signs; all open and verify, so keys can rotate."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self._ciphers = {id: AESGCM(key) for id, key in keys.items()}
        self._newest = next(iter(keys))

    def seal(self, context: Sequence[str], plaintext: str) -> Box:
        """Return the box of a secret; it opens in this context only: where it is kept, widest first."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, plaintext.encode(), _bound_to(context))
        return Box(key=self._newest, box=b64encode(nonce + sealed).decode())

    def open(self, context: Sequence[str], box: Box) -> str:
        """Return the secret, or raise CannotOpenError: its key is not there, or it was sealed elsewhere."""
        cipher = self._ciphers.get(box["key"])
        if cipher is None:
            raise CannotOpenError("The key that sealed this secret is not in TOCSIN_SECRET_KEYS.")
        try:
            sealed = b64decode(box["box"], validate=True)
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(context)).decode()
        except (InvalidTag, ValueError):
            raise CannotOpenError("The secret was sealed for another place, or is damaged.") from None

    def reseal(self, context: Sequence[str], box: Box) -> Box:
        """Return a box under the first key, the same one if it is; CannotOpenError as from `open`."""
        secret = self.open(context, box)
        return box if box["key"] == self._newest else self.seal(context, secret)

    def sign(self, purpose: str, text: str) -> str:
        """Return the key's id, a dot and a base64url HMAC-SHA256; a signature holds for this purpose only."""
        return self._signed_with(self._newest, purpose, text)

    def verify(self, purpose: str, text: str, signature: str) -> bool:
        """Tell whether a text was signed for this purpose with a key that is still here."""
        id = signature.partition(".")[0]
        if id not in self._keys:
            return False
        expected = self._signed_with(id, purpose, text)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))

    def _signed_with(self, id: str, purpose: str, text: str) -> str:
        # A key of its own for each purpose (RFC 5869): what is signed never meets what AES-GCM works with.
        key = HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._keys[id])
        mac = hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")
        return f"{id}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def _bound_to(context: Sequence[str]) -> bytes:
    # JSON keeps the parts apart: "a", "bc" is never "ab", "c".
    return orjson.dumps(list(context))
