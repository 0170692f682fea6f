"""The keys of agents: tocsin_<tenant, base64url>_<prefix>_<secret>. Pure: nothing is looked up here.

The tenant stands in the key, so that the server can enter it before it looks. The prefix finds the agent
and may be shown; the secret is stored as a SHA-256 only. A fast hash is right for it: slow ones make up for
passwords that can be guessed, and 256 random bits cannot. Base64url has underscores of its own, but prefix
and secret have fixed lengths, so there is one way to read a key.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from resolvers.inputs import text_problem

_MARK = "tocsin_"
_PREFIX_CHARS = 12
_SECRET_BYTES = 32
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# 1,360 characters of base64url are 255 characters of UTF-8 at their longest.
_FORM = re.compile(
    rf"{_MARK}([A-Za-z0-9_-]{{2,1360}})_([{_ALPHABET}]{{{_PREFIX_CHARS}}})_([A-Za-z0-9_-]{{43}})", re.ASCII
)


class AgentKey(NamedTuple):
    """A key taken apart."""

    tenant_id: str
    prefix: str
    secret: str

    @classmethod
    def mint(cls, tenant_id: str) -> "AgentKey":
        """Return a new random key for a tenant."""
        prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_CHARS))
        return cls(tenant_id, prefix, secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "AgentKey | None":
        """Read a key; None is a text that no key has, whether or not it looks like one."""
        form = _FORM.fullmatch(text)
        if not form:
            return None
        try:
            key = cls(_decoded(form[1]), form[2], form[3])
        except ValueError:
            return None
        # One spelling a key: base64 leaves a few bits open.
        return key if key.text == text and not text_problem(key.tenant_id) else None

    @property
    def text(self) -> str:
        """The key as its agent has it."""
        tenant = urlsafe_b64encode(self.tenant_id.encode()).decode().rstrip("=")
        return f"{_MARK}{tenant}_{self.prefix}_{self.secret}"

    @property
    def hash(self) -> bytes:
        """What is stored of the secret."""
        return sha256(self.secret.encode()).digest()

    def opens(self, stored: bytes) -> bool:
        """Compare with a stored hash, in a time that does not depend on where they differ."""
        return compare_digest(self.hash, stored)


def looks_like_key(token: str) -> bool:
    """Tell a key, good or bad, from a JWT: the header of a JWT is a JSON object and cannot begin so."""
    return token.startswith(_MARK)


def _decoded(tenant: str) -> str:
    return urlsafe_b64decode(tenant + "=" * (-len(tenant) % 4)).decode()
