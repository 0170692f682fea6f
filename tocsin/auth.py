"""From a bearer token to a `Principal`: JWT (RFC 7519) under the practices of RFC 8725."""

import logging
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from jwt import InvalidTokenError

from resolvers.errors import ErrorCode, TocsinError, forbidden, unauthenticated
from resolvers.principal import Principal, Role
from tocsin.claims import (
    Claims,
    Identity,
    Lifetime,
    check_parties,
    identity_of,
    json_object,
    key_id,
    lifetime,
)
from tocsin.keys import Clock, ConfigurationError, hmac_key, key_source, load_or_create_secret
from tocsin.recent import Recent
from tocsin.settings import Settings

__all__ = ["Authenticator", "ConfigurationError", "load_or_create_secret", "sign"]

MAX_TOKEN_CHARS = 8_192

# RFC 7515, section 7.1: three parts, none empty, no padding, no white space.
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_REMEMBERED_SECONDS = 3_600
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class _Verified(NamedTuple):
    """What a good signature vouches for, and the key that it was checked with."""

    kid: str | None
    key: Any
    lifetime: Lifetime
    identity: Identity
    only: Principal | None
    """Whom it stands for, if that is one tenant's."""

    def principal(self, tenant: str | None) -> Principal:
        """Return whom it stands for in the tenant asked for, or in the only one."""
        if self.only and tenant is None:
            return self.only
        chosen = chosen_tenant(self.identity.tenants, tenant)
        end, issued = (datetime.fromtimestamp(it, UTC) for it in (self.lifetime.end, self.lifetime.issued))
        return Principal(chosen, self.identity.user, self.identity.roles, end, issued)


class Authenticator:
    """Verifies tokens with the one algorithm and key, or key set, of the settings; one per process.

    A signature is checked once, as long as its key is the one that the settings have for it; when a token
    begins and ends is looked at each time.

    `clock` gives Unix seconds for exp, iat and nbf; `monotonic` the age of fetched keys. Raises
    ConfigurationError when the settings do not fit together or a key is too weak.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock = time.time, monotonic: Clock = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = key_source(settings, monotonic)
        self._jws = jwt.PyJWS(
            [settings.jwt_algorithm], {"verify_signature": True, "enforce_minimum_key_length": True}
        )
        # By hash: nobody finds tokens in a dump of this process's memory, and each entry is small.
        self._verified = Recent[bytes, _Verified](_REMEMBERED_SECONDS, _REMEMBERED)

    async def principal(self, token: str, tenant: str | None = None) -> Principal:
        """Return who sent `token`, in the tenant they asked for or the only one they have.

        `expires_at` is the moment the token stops being accepted: exp plus the leeway. Raises
        UNAUTHENTICATED, always with the same text; TENANT_REQUIRED; or FORBIDDEN for a foreign tenant.
        """
        try:
            known = self._remembered(token) or await self._verified_now(token)
            known.lifetime.check(self._clock())
        except jwt.PyJWTError as reason:
            _log.debug("Token refused: %s", reason)
            raise unauthenticated() from None
        return known.principal(tenant)

    def remembered(self, token: str, tenant: str | None) -> Principal | None:
        """Return what `principal` would if there is nothing to wait for; None where it would say more."""
        known = self._remembered(token)
        if known is None or not known.lifetime.begin <= self._clock() < known.lifetime.end:
            return None
        return known.principal(tenant)

    def _remembered(self, token: str) -> _Verified | None:
        """Return what was verified of a token before, with the key that is still the one for it."""
        known = self._verified.get(_digest(token))
        return known if known and self._keys.at_hand(known.kid) is known.key else None

    async def _verified_now(self, token: str) -> _Verified:
        if len(token) > MAX_TOKEN_CHARS or not _COMPACT.fullmatch(token):
            raise InvalidTokenError("not a compact JWS, or too long")
        stamp, kid = self._verified.stamp(), key_id(token, self._settings.jwt_algorithm)
        key = await self._keys.key(kid)
        if key is None:
            raise InvalidTokenError("no key with this id")
        known = self._verify(token, kid, key)
        self._verified.put(_digest(token), known, stamp)
        return known

    def _verify(self, token: str, kid: str | None, key: Any) -> _Verified:
        claims = json_object(self._jws.decode(token, key, algorithms=[self._settings.jwt_algorithm]))
        check_parties(claims, self._settings)
        identity = identity_of(claims, self._settings)
        known = _Verified(kid, key, lifetime(claims, self._settings.jwt_leeway_seconds), identity, None)
        return known._replace(only=known.principal(None)) if len(identity.tenants) == 1 else known


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()


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
    key = hmac_key(settings)
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
        identity_of(claims, settings)
    except InvalidTokenError as reason:
        raise ValueError(f"Such a token would be refused: {reason}.") from None
    token = jwt.encode(claims, key, "HS256")
    if len(token) > MAX_TOKEN_CHARS:
        raise ValueError(f"Such a token would be longer than {MAX_TOKEN_CHARS} characters.")
    return token


def chosen_tenant(tenants: frozenset[str], requested: str | None) -> str:
    """Return the tenant asked for, or else the only one; FORBIDDEN or TENANT_REQUIRED."""
    if requested is not None and requested not in tenants:
        raise forbidden("The token is not for this tenant.")
    if requested is None and len(tenants) > 1:
        raise TocsinError(ErrorCode.TENANT_REQUIRED, "The token is for several tenants: choose one.")
    return requested or next(iter(tenants))
