"""What a token says, read and checked: JWT (RFC 7519) claims and JOSE (RFC 7515) headers."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from jwt import InvalidTokenError
from jwt.utils import base64url_decode

from resolvers.inputs import MAX_ID_BYTES
from resolvers.principal import Role
from tocsin.settings import Settings

Claims: TypeAlias = dict[str, Any]

MAX_ID_CHARS = 255
MAX_TENANTS = 1_000
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the claims name, and what they may be."""

    user: str
    tenants: frozenset[str]
    roles: frozenset[Role]


def key_id(token: str, algorithm: str) -> str | None:
    """Return the header's kid, if any; another algorithm or a critical extension is an InvalidTokenError."""
    header = json_object(_decoded(token.partition(".")[0]))
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


def json_object(text: bytes) -> Claims:
    """Parse a JSON object whose names are unique (RFC 7519, section 4), or raise InvalidTokenError."""
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


def check_parties(claims: Claims, settings: Settings) -> None:
    """Require the issuer and the audience of the settings."""
    if claims.get("iss") != settings.jwt_issuer:
        raise InvalidTokenError("another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in audiences) or settings.jwt_audience not in audiences:
        raise InvalidTokenError("another audience")


class Lifetime(NamedTuple):
    """When a token was issued, and from when until before when it is accepted; in Unix seconds."""

    issued: float
    begin: float
    end: float

    def check(self, now: float) -> None:
        """Raise InvalidTokenError for a token that is not accepted now."""
        if now >= self.end:
            raise InvalidTokenError("expired")
        if now < self.begin:
            raise InvalidTokenError("not valid yet")


def lifetime(claims: Claims, leeway: int) -> Lifetime:
    """Read exp, iat and nbf, which may be off by a leeway in seconds, or raise InvalidTokenError."""
    issued = _numeric_date(claims, "iat")
    not_before = _numeric_date(claims, "nbf") if "nbf" in claims else issued
    return Lifetime(issued, max(issued, not_before) - leeway, _numeric_date(claims, "exp") + leeway)


def _numeric_date(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise InvalidTokenError(f"{name} is not a date")
    return value


def identity_of(claims: Claims, settings: Settings) -> Identity:
    """Read subject, tenants and roles, or raise InvalidTokenError."""
    return Identity(
        _identifier(claims.get("sub"), "sub"),
        _one_of_equal_tenants(_tenants(_claim(claims, settings.jwt_tenant_claim))),
        _one_of_equal_roles(_roles(_claim(claims, settings.jwt_roles_claim))),
    )


# Thousands of callers are remembered, and most have the same tenants and roles: one object for all of these.
# Two memories, for a tenant may be called as a role is, and then the sets are equal.
@lru_cache(1_024)
def _one_of_equal_tenants(names: frozenset[str]) -> frozenset[str]:
    return names


@lru_cache(16)
def _one_of_equal_roles(roles: frozenset[Role]) -> frozenset[Role]:
    return roles


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
    if len(value.encode()) > MAX_ID_BYTES:
        raise InvalidTokenError(f"{name} is longer than {MAX_ID_BYTES} bytes")
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
