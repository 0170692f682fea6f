"""The keys that tokens are signed and verified with, and those that seal secrets."""

import logging
import os
import re
import secrets
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar, cast

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import get_default_algorithms
from pydantic import SecretStr

from resolvers.vault import Vault
from tocsin.jwks import PublicKey, RemoteKeySet
from tocsin.settings import Settings

Clock: TypeAlias = Callable[[], float]
Key = TypeVar("Key")

MIN_SECRET_BYTES = 32
SIGNING_KEY, SECRET_KEYS = "signing-key", "secret-keys"
"""The files of the data dir that hold what is not set."""
_SECRET_KEY_BYTES = 32
# 43 characters of base64 and one of padding are 32 bytes.
_SECRET_KEY = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)")
_log = logging.getLogger(__name__)


class ConfigurationError(Exception):
    """Settings that cannot verify or sign a token; the message names the variables to change."""


class KeySource(Protocol):
    """Where verification keys come from."""

    def at_hand(self, kid: str | None) -> PublicKey | bytes | None:
        """Return the key for a token with this key id if there is nothing to wait for."""

    async def key(self, kid: str | None) -> PublicKey | bytes | None:
        """Return the key for a token with this key id, or None."""


@dataclass(frozen=True, slots=True)
class _FixedKey:
    value: PublicKey | bytes

    def at_hand(self, _kid: str | None) -> PublicKey | bytes:
        return self.value

    async def key(self, _kid: str | None) -> PublicKey | bytes:
        return self.value


def load_or_create_secret(data_dir: Path) -> SecretStr:
    """Return the development signing key in `data_dir`/signing-key, made at first: 32 random bytes.

    The file has mode 0600. Processes that start together get the same key, and a process that dies in
    between leaves no part of one. Raises ConfigurationError when it cannot be read or written.
    """
    path = data_dir / SIGNING_KEY
    secret = _kept(path, "signing key", lambda: secrets.token_urlsafe(MIN_SECRET_BYTES))
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"The signing key {path} is damaged; delete it to have a new one.")
    return SecretStr(secret)


def secret_vault(settings: Settings) -> Vault:
    """Return the vault of TOCSIN_SECRET_KEYS, or else of the key in `data_dir`/secret-keys, made at first.

    The file holds what the variable would. Raises ConfigurationError for a key that is none.
    """
    if settings.secret_keys is None:
        path = settings.data_dir / SECRET_KEYS
        where, text = f"The file {path}", _kept(path, "secret key", _new_secret_key)
    else:
        where, text = "TOCSIN_SECRET_KEYS", settings.secret_keys.get_secret_value()
    parts = text.split(",")
    keys = {it[1]: b64decode(it[2]) for part in parts if (it := _SECRET_KEY.fullmatch(part.strip()))}
    if len(keys) < len(parts):
        raise ConfigurationError(
            f"{where} must be a comma list of ID:BASE64, each id once and each key 32 bytes, "
            "e.g. k1: and what `openssl rand -base64 32` prints."
        )
    return Vault(keys)


def _new_secret_key() -> str:
    return f"k1:{b64encode(secrets.token_bytes(_SECRET_KEY_BYTES)).decode()}"


def _kept(path: Path, noun: str, make: Callable[[], str]) -> str:
    """Return what a file of the data dir holds; if there is none it is made."""
    try:
        if not path.exists():
            _keep(path, noun, make())
        return path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"The {noun} {path} cannot be read or made: {error}") from error


def _keep(path: Path, noun: str, content: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole and on disk before it gets its name; link, unlike rename, never replaces another's key.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, path)
        except FileExistsError:
            _log.debug("Another process made the %s first", noun)


def key_source(settings: Settings, monotonic: Clock) -> KeySource:
    """Return where the settings say that verification keys are, or raise ConfigurationError."""
    if settings.jwt_algorithm == "HS256":
        return _FixedKey(hmac_key(settings))
    if settings.jwt_secret is not None:
        raise ConfigurationError(f"TOCSIN_JWT_SECRET is for HS256, not {settings.jwt_algorithm}.")
    if settings.jwks_url is None and settings.jwt_public_key is not None:
        return _FixedKey(_pem_key(settings.jwt_public_key, settings.jwt_algorithm))
    if settings.jwks_url is None or settings.jwt_public_key is not None:
        raise ConfigurationError("Set one of TOCSIN_JWT_PUBLIC_KEY and TOCSIN_JWKS_URL.")
    try:
        return RemoteKeySet(settings.jwks_url, settings.jwt_algorithm, monotonic)
    except ValueError as error:
        raise ConfigurationError(f"TOCSIN_JWKS_URL: {error}") from error


def hmac_key(settings: Settings) -> bytes:
    """Return the HS256 key of the settings, or else the data dir's; ConfigurationError if it is weak."""
    if settings.jwt_algorithm != "HS256":
        raise ConfigurationError(f"Tokens are signed here only with HS256, not {settings.jwt_algorithm}.")
    if settings.jwt_public_key is not None or settings.jwks_url is not None:
        raise ConfigurationError("TOCSIN_JWT_PUBLIC_KEY and TOCSIN_JWKS_URL are for RS256 and ES256.")
    secret = settings.jwt_secret
    key = (load_or_create_secret(settings.data_dir) if secret is None else secret).get_secret_value()
    return _checked(key.encode(), "HS256", "TOCSIN_JWT_SECRET")


def _pem_key(pem: str, algorithm: str) -> PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError("TOCSIN_JWT_PUBLIC_KEY is not a PEM public key.") from error
    return cast(PublicKey, _checked(key, algorithm, "TOCSIN_JWT_PUBLIC_KEY"))


def _checked(key: Key, algorithm: str, variable: str) -> Key:
    verifier = get_default_algorithms()[algorithm]
    try:
        weakness = verifier.check_key_length(verifier.prepare_key(key))
    except (jwt.InvalidKeyError, TypeError) as error:
        raise ConfigurationError(f"{variable} is not a key for {algorithm}.") from error
    if weakness:
        raise ConfigurationError(f"{variable}: {weakness}")
    return key
