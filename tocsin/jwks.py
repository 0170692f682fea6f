"""A remote JSON Web Key Set (RFC 7517): kept, refreshed in the background, fetched sparingly."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, TypeAlias
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
)

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey
KeySet: TypeAlias = tuple[tuple[str | None, PublicKey], ...]

MAX_AGE_SECONDS = 600
TIMEOUT_SECONDS = 5
MAX_BYTES = 1_048_576
FETCHES = 2
PER_SECONDS = 60

_KEY_TYPES = {"RS256": {"kty": "RSA"}, "ES256": {"kty": "EC", "crv": "P-256"}}
_CHUNK_BYTES = 65_536
_log = logging.getLogger(__name__)


class RemoteKeySet:
    """The public keys behind a JWKS URL; one per process and event loop.

    A set older than 10 minutes is refreshed in the background while it still answers. An unknown key id
    starts a fetch too. There is one fetch at a time and at most 2 in 60 seconds, whatever callers ask
    for. An answer without a usable key is ignored; any other answer replaces the whole set.

    `algorithm` is "RS256" or "ES256", `clock` gives monotonic seconds. Raises ValueError unless `url` is
    an http or https URL with a host.
    """

    def __init__(self, url: str, algorithm: str, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("A JWKS URL starts with http:// or https:// and names a host.")
        self._url = url
        self._algorithm = algorithm
        self._clock = clock
        self._keys: KeySet = ()
        self._fetched_at = float("-inf")
        self._starts: deque[float] = deque(maxlen=FETCHES)
        self._fetch: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> PublicKey | None:
        """Return the key with this id, or None; without an id, the only key of a set that has one.

        A known key is returned at once. Otherwise this waits for a fetch, 5 seconds at most each for
        one that is under way already and for one of its own.
        """
        return self.at_hand(kid) or await self._fetch_and_find(kid)

    def at_hand(self, kid: str | None) -> PublicKey | None:
        """Return the key with this id if it is known; when the set is old, a fetch begins."""
        found = self._find(kid)
        if found and self._clock() - self._fetched_at >= MAX_AGE_SECONDS:
            self._refresh()
        return found

    def _find(self, kid: str | None) -> PublicKey | None:
        if kid is None:
            return self._keys[0][1] if len(self._keys) == 1 else None
        return next((key for known, key in self._keys if known == kid), None)

    async def _fetch_and_find(self, kid: str | None) -> PublicKey | None:
        if self._under_way():
            await self._wait()
            if found := self._find(kid):
                return found
        # A fetch that was under way may have read the set before this key was published.
        self._refresh()
        await self._wait()
        return self._find(kid)

    def _under_way(self) -> bool:
        return self._fetch is not None and not self._fetch.done()

    def _refresh(self) -> None:
        if not self._under_way() and self._spend():
            self._fetch = asyncio.create_task(self._replace())

    def _spend(self) -> bool:
        now = self._clock()
        if len(self._starts) == FETCHES and now - self._starts[0] < PER_SECONDS:
            return False
        self._starts.append(now)
        return True

    async def _wait(self) -> None:
        if self._fetch is not None:
            # Not wait_for: the fetch outlives a caller that gives up or is cancelled.
            await asyncio.wait({self._fetch}, timeout=TIMEOUT_SECONDS)

    async def _replace(self) -> None:
        started = self._clock()
        try:
            # Keys are parsed in the thread as well: a big set would stall the event loop.
            keys = await asyncio.to_thread(fetch_keys, self._url, self._algorithm)
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            _log.warning("The key set at TOCSIN_JWKS_URL stays as it was: %s", error)
        else:
            self._keys, self._fetched_at = keys, started


def parse_key_set(document: bytes, algorithm: str) -> KeySet:
    """Return the (key id, key) pairs of a JWKS document that can verify `algorithm`, in its order.

    Keys of another type, curve, algorithm or use, private keys, RSA keys under 2048 bits and malformed
    keys are left out. Raises ValueError when nothing is left or the document is not a JWKS.
    """
    body = json.loads(document)
    jwks = body.get("keys") if isinstance(body, dict) else None
    if not isinstance(jwks, list):
        raise ValueError("the answer is not a JSON Web Key Set")  # noqa: TRY004
    candidates = [(jwk.get("kid"), _public_key(jwk, algorithm)) for jwk in jwks if _fits(jwk, algorithm)]
    keys = tuple((kid, key) for kid, key in candidates if key is not None)
    if not keys:
        raise ValueError(f"the answer has no key for {algorithm}")
    return keys


def _fits(jwk: Any, algorithm: str) -> bool:
    if not isinstance(jwk, dict) or "d" in jwk:
        return False
    operations = jwk.get("key_ops", ["verify"])
    return (
        all(jwk.get(name) == value for name, value in _KEY_TYPES[algorithm].items())
        and jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(jwk.get("kid", ""), str)
    )


def _public_key(jwk: dict[str, Any], algorithm: str) -> PublicKey | None:
    try:
        parsed = jwt.PyJWK(jwk, algorithm)
    except jwt.PyJWTError:
        return None
    key: PublicKey = parsed.key
    return None if parsed.Algorithm.check_key_length(key) else key


def fetch_keys(url: str, algorithm: str) -> KeySet:
    """Return the keys at an http or https URL, in 5 s at most; OSError, HTTPException or ValueError if none."""
    try:
        return parse_key_set(_download(url), algorithm)
    except HTTPError as error:
        error.close()
        raise


def _download(url: str) -> bytes:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    body = bytearray()
    with _opener().open(url, timeout=TIMEOUT_SECONDS) as response:
        # In chunks: the socket's timeout is for each read, a trickle would never end.
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError(f"the answer is larger than {MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the answer took longer than {TIMEOUT_SECONDS} s")
    return bytes(body)


def _opener() -> OpenerDirector:
    # Handlers by name: urllib's default set follows redirects and reads file: and ftp: URLs.
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", "tocsin"), ("Accept", "application/jwk-set+json, application/json")]
    return opener
