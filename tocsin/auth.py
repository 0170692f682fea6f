"""From a bearer token to a `Principal`: JWT (RFC 7519) under the practices of RFC 8725."""

import json
import logging
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidTokenError
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_decode
from pydantic import SecretStr

from resolvers.errors import ErrorCode, TocsinError, forbidden, unauthenticated
from resolvers.principal import Principal, Role
from tocsin.jwks import PublicKey, RemoteKeySet
from tocsin.settings import Settings

Claims: TypeAlias = dict[str, Any]
Clock: TypeAlias = Callable[[], float]
Key = TypeVar("Key")

MAX_TOKEN_CHARS = 8_192
MAX_ID_CHARS = 255
MAX_TENANTS = 1_000
MIN_SECRET_BYTES = 32

# RFC 7515, section 7.1: three parts, none empty, no padding, no white space.
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_ABSENT = object()
_log = logging.getLogger(__name__)


class ConfigurationError(Exception):
    """Settings that cannot verify or sign a token; the message names the variables to change."""


class KeySource(Protocol):
    """Where verification keys come from."""

    async def key(self, kid: str | None) -> PublicKey | bytes | None:
        """Return the key for a token with this key id, or None."""


class Authenticator:
    """Verifies tokens with the one algorithm and key, or key set, of the settings; one per process.

    `clock` gives Unix seconds for exp, iat and nbf; `monotonic` the age of fetched keys. Raises
    ConfigurationError when the settings do not fit together or a key is too weak.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock = time.time, monotonic: Clock = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = _key_source(settings, monotonic)
        self._jws = jwt.PyJWS(
            [settings.jwt_algorithm], {"verify_signature": True, "enforce_minimum_key_length": True}
        )

    async def principal(self, token: str, tenant: str | None = None) -> Principal:
        """Return who sent `token`, in the tenant they asked for or the only one they have.

        `expires_at` is the moment the token stops being accepted: exp plus the leeway. Raises
        UNAUTHENTICATED, always with the same text; TENANT_REQUIRED; or FORBIDDEN for a foreign tenant.
        """
        try:
            claims = await self._verified_claims(token)
            expires_at = _expiry(claims, self._clock(), self._settings.jwt_leeway_seconds)
            identity = _identity(claims, self._settings)
        except jwt.PyJWTError as reason:
            _log.debug("Token refused: %s", reason)
            raise unauthenticated() from None
        return Principal(_chosen(identity.tenants, tenant), identity.user, identity.roles, expires_at)

    async def _verified_claims(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN_CHARS or not _COMPACT.fullmatch(token):
            raise InvalidTokenError("not a compact JWS, or too long")
        algorithm = self._settings.jwt_algorithm
        key = await self._keys.key(_key_id(token, algorithm))
        if key is None:
            raise InvalidTokenError("no key with this id")
        claims = _json_object(self._jws.decode(token, key, algorithms=[algorithm]))
        _check_parties(claims, self._settings)
        return claims


def sign(
    settings: Settings,
    *,
    tenants: Sequence[str],
    user: str,
    roles: Sequence[Role],
    expires: timedelta,
    clock: Clock = time.time,
) -> str:
    """Return an HS256 token that an Authenticator with these settings accepts until `expires` from now.

    Raises ConfigurationError for another algorithm or a weak secret, ValueError for ids or roles that
    no token may carry and for a token over 8 KiB.
    """
    key = _hmac_key(settings)
    issued = int(clock())
    claims: Claims = {
        settings.jwt_tenant_claim: tenants[0] if len(tenants) == 1 else list(tenants),
        settings.jwt_roles_claim: [role.value for role in roles],
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": user,
        "iat": issued,
        "exp": issued + int(expires.total_seconds()),
    }
    try:
        _identity(claims, settings)
    except InvalidTokenError as reason:
        raise ValueError(f"Such a token would be refused: {reason}.") from None
    token = jwt.encode(claims, key, "HS256")
    if len(token) > MAX_TOKEN_CHARS:
        raise ValueError(f"Such a token would be longer than {MAX_TOKEN_CHARS} characters.")
    return token


def load_or_create_secret(data_dir: Path) -> SecretStr:
    """Return the development signing key in `data_dir`/signing-key, made at first: 32 random bytes.

    The file has mode 0600. Processes that start together get the same key, and a process that dies in
    between leaves no part of one. Raises ConfigurationError when it cannot be read or written.
    """
    path = data_dir / "signing-key"
    try:
        if not path.exists():
            _create_secret(path)
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"The signing key {path} cannot be read or made: {error}") from error
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"The signing key {path} is damaged; delete it to have a new one.")
    return SecretStr(secret)


def _create_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole and on disk before it gets its name; link, unlike rename, never replaces another's key.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as draft:
        draft.write(secrets.token_urlsafe(MIN_SECRET_BYTES))
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, path)
        except FileExistsError:
            _log.debug("Another process made the signing key first")


@dataclass(frozen=True, slots=True)
class _FixedKey:
    value: PublicKey | bytes

    async def key(self, _kid: str | None) -> PublicKey | bytes:
        return self.value


@dataclass(frozen=True, slots=True)
class _Identity:
    user: str
    tenants: frozenset[str]
    roles: frozenset[Role]


def _key_source(settings: Settings, monotonic: Clock) -> KeySource:
    if settings.jwt_algorithm == "HS256":
        return _FixedKey(_hmac_key(settings))
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


def _hmac_key(settings: Settings) -> bytes:
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


def _key_id(token: str, algorithm: str) -> str | None:
    header = _json_object(_decoded(token.partition(".")[0]))
    if header.get("alg") != algorithm:
        raise InvalidTokenError("another algorithm")
    if "crit" in header or "b64" in header:
        raise InvalidTokenError("critical header extensions are not supported")
    return _identifier(header["kid"], "kid") if "kid" in header else None


def _decoded(segment: str) -> bytes:
    try:
        return base64url_decode(segment)
    except ValueError:
        raise InvalidTokenError("a part is not base64url") from None


def _json_object(text: bytes) -> Claims:
    try:
        # Decoded here: json.loads would also take UTF-16 and UTF-32.
        value = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise InvalidTokenError("a part is not JSON with unique names") from None
    if not isinstance(value, dict):
        raise InvalidTokenError("a part is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _not_json(constant: str) -> None:
    raise ValueError(constant)


def _check_parties(claims: Claims, settings: Settings) -> None:
    if claims.get("iss") != settings.jwt_issuer:
        raise InvalidTokenError("another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in audiences) or settings.jwt_audience not in audiences:
        raise InvalidTokenError("another audience")


def _expiry(claims: Claims, now: float, leeway: int) -> datetime:
    end = _numeric_date(claims, "exp") + leeway
    issued = _numeric_date(claims, "iat")
    not_before = _numeric_date(claims, "nbf") if "nbf" in claims else issued
    if now >= end:
        raise InvalidTokenError("expired")
    if max(issued, not_before) > now + leeway:
        raise InvalidTokenError("not valid yet")
    return datetime.fromtimestamp(end, UTC)


def _numeric_date(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise InvalidTokenError(f"{name} is not a date")
    return value


def _identity(claims: Claims, settings: Settings) -> _Identity:
    return _Identity(
        _identifier(claims.get("sub"), "sub"),
        _tenants(_claim(claims, settings.jwt_tenant_claim)),
        _roles(_claim(claims, settings.jwt_roles_claim)),
    )


def _claim(claims: Claims, name: str) -> Any:
    # The exact name first: URL-like names (OpenID Connect Core, section 5.1.2) have dots of their own.
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        if not isinstance(value, dict):
            raise InvalidTokenError("a claim inside something that is not an object")
        if part not in value:
            return _ABSENT
        value = value[part]
    return value


def _identifier(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS:
        raise InvalidTokenError(f"{name} is not a string of 1 to {MAX_ID_CHARS} characters")
    # Postgres text holds neither.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidTokenError(f"{name} has a NUL or a lone surrogate")
    return value


def _tenants(value: Any) -> frozenset[str]:
    names = value if isinstance(value, list) else [value]
    if not 0 < len(names) <= MAX_TENANTS:
        raise InvalidTokenError("no tenants, or too many")
    return frozenset(_identifier(name, "tenant") for name in names)


def _roles(value: Any) -> frozenset[Role]:
    if value is _ABSENT:
        return frozenset({Role.USER})
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidTokenError("roles are not a list of strings")
    roles = {role for role in Role if role.value in value}
    if not roles or (Role.AGENT in roles and len(roles) > 1):
        raise InvalidTokenError("no known role, or an agent with another")
    return frozenset(roles | {Role.USER} if Role.ADMIN in roles else roles)


def _chosen(tenants: frozenset[str], requested: str | None) -> str:
    if requested is not None and requested not in tenants:
        raise forbidden("The token is not for this tenant.")
    if requested is None and len(tenants) > 1:
        raise TocsinError(ErrorCode.TENANT_REQUIRED, "The token is for several tenants: choose one.")
    return requested or next(iter(tenants))
