"""Tokens: what is accepted, what is refused, and that a refusal says nothing."""

import base64
import hashlib
import hmac
import json
import logging
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from resolvers.errors import ErrorCode, TocsinError
from resolvers.principal import Principal, Role
from tocsin.auth import Authenticator, ConfigurationError, load_or_create_secret, sign
from tocsin.settings import Settings

NOW = 1_790_000_000
LEEWAY = 10
SECRET = "correct horse battery staple, correct horse battery staple"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
DROP = object()
CLAIMS: dict[str, Any] = {
    "iss": "tocsin",
    "aud": "tocsin",
    "sub": "ada",
    "tenant": "acme",
    "iat": NOW,
    "exp": NOW + 60,
}

Signer = Callable[[bytes], bytes]


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> str:
    """Return the public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """Return the private key."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def hs(key: str | bytes = SECRET, digest: Any = hashlib.sha256) -> Signer:
    """Return a signer for HMAC."""
    secret = key.encode() if isinstance(key, str) else key
    return lambda data: hmac.digest(secret, data, digest)


def rs(key: rsa.RSAPrivateKey = RSA_KEY) -> Signer:
    """Return a signer for RSASSA-PKCS1-v1_5 with SHA-256."""
    return lambda data: key.sign(data, padding.PKCS1v15(), SHA256())


def rs512(data: bytes) -> bytes:
    """Sign as RS512."""
    return RSA_KEY.sign(data, padding.PKCS1v15(), SHA512())


def ps(data: bytes) -> bytes:
    """Sign as PS256."""
    return RSA_KEY.sign(data, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())


def der(data: bytes) -> bytes:
    """Sign as ES256, but in the form X.509 uses."""
    return EC_KEY.sign(data, ec.ECDSA(SHA256()))


def es(data: bytes) -> bytes:
    """Sign as ES256."""
    r, s = decode_dss_signature(der(data))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def always(signature: bytes) -> Signer:
    """Return a signer that does not sign."""
    return lambda _data: signature


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def changed(base: dict[str, Any], changes: dict[str, Any] | None) -> bytes:
    """Return `base` as JSON with some members changed or dropped."""
    merged = {**base, **(changes or {})}
    return json.dumps({name: value for name, value in merged.items() if value is not DROP}).encode()


def compact(header: bytes, payload: bytes, signer: Signer) -> str:
    """Return the compact form of any two byte strings and their signature."""
    signing_input = f"{b64(header)}.{b64(payload)}"
    return f"{signing_input}.{b64(signer(signing_input.encode()))}"


def token(
    claims: dict[str, Any] | None = None,
    header: dict[str, Any] | None = None,
    *,
    alg: str = "HS256",
    signer: Signer | None = None,
) -> str:
    """Return a token that is right apart from the changes given."""
    default = {"HS256": hs(), "RS256": rs(), "ES256": es}[alg]
    return compact(changed({"typ": "JWT", "alg": alg}, header), changed(CLAIMS, claims), signer or default)


def unsigned(alg: Any) -> str:
    """Return a token with an empty signature."""
    return token(header={"alg": alg}, signer=always(b""))


def raw_payload(payload: bytes) -> str:
    """Return a rightly signed token with any bytes as its payload."""
    return compact(b'{"alg":"HS256"}', payload, hs())


def raw_header(header: bytes) -> str:
    """Return a rightly signed token with any bytes as its header."""
    return compact(header, changed(CLAIMS, None), hs())


def not_canonical() -> str:
    """Return a good token whose signature is written in another way."""
    # 32 bytes end in a character with two unused bits: another character decodes to the same bytes.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = token()
    return good[:-1] + alphabet[alphabet.index(good[-1]) + 1]


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")
JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OTHER_RSA_KEY.public_key()))
DER_OF_RSA = RSA_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

FORGED: dict[str, tuple[str, str]] = {
    # The algorithm
    **{f"alg {alg!r}": ("HS256", unsigned(alg)) for alg in ("none", "None", "NONE", "nOnE", "", " none")},
    **{f"alg {alg!r} signed": ("HS256", token(header={"alg": alg})) for alg in ("none", "hs256", "HS256 ")},
    **{
        f"alg is {alg!r}": ("HS256", token(header={"alg": alg}))
        for alg in (None, 256, ["HS256"], {"HS256": 1}, True)
    },
    "alg missing": ("HS256", token(header={"alg": DROP})),
    "alg none for RS256": ("RS256", unsigned("none")),
    "HS256 with the RSA public key": ("RS256", token(signer=hs(pem(RSA_KEY)))),
    "HS256 with the RSA public key, stripped": ("RS256", token(signer=hs(pem(RSA_KEY).strip()))),
    "HS256 with the RSA public key in DER": ("RS256", token(signer=hs(DER_OF_RSA))),
    "HS256 with the EC public key": ("ES256", token(signer=hs(pem(EC_KEY)))),
    "HS512 with the right secret": ("HS256", token(header={"alg": "HS512"}, signer=hs(digest="sha512"))),
    "RS512 with the right key": ("RS256", token(header={"alg": "RS512"}, signer=rs512)),
    "PS256 with the right key": ("RS256", token(header={"alg": "PS256"}, signer=ps)),
    "PS256 that says RS256": ("RS256", token(alg="RS256", signer=ps)),
    "RS256 for HS256": ("HS256", token(alg="RS256")),
    "ES256 for RS256": ("RS256", token(alg="ES256")),
    "RS256 for ES256": ("ES256", token(alg="RS256")),
    # The key
    "another secret": ("HS256", token(signer=hs("x" * 40))),
    "empty secret": ("HS256", token(signer=hs(""))),
    "another RSA key": ("RS256", token(alg="RS256", signer=rs(OTHER_RSA_KEY))),
    "kid is a path": ("HS256", token(header={"kid": "../../../../dev/null"}, signer=hs(""))),
    "kid is SQL": ("HS256", token(header={"kid": "x' UNION SELECT 'k';--"}, signer=hs("k"))),
    "kid is a command": ("HS256", token(header={"kid": "k|cat /etc/passwd"}, signer=hs("k"))),
    "kid is a URL": ("HS256", token(header={"kid": "http://127.0.0.1:1/k"}, signer=hs("k"))),
    "kid empty": ("HS256", token(header={"kid": ""})),
    "kid very long": ("HS256", token(header={"kid": "k" * 256})),
    "kid with NUL": ("HS256", token(header={"kid": "k\0"})),
    "kid with a lone surrogate": ("HS256", token(header={"kid": "\ud800"})),
    **{f"kid is {kid!r}": ("HS256", token(header={"kid": kid})) for kid in (None, 1, ["k"], {"k": 1}, True)},
    "jwk in the header": ("RS256", token(header={"jwk": JWK}, alg="RS256", signer=rs(OTHER_RSA_KEY))),
    "jku": (
        "RS256",
        token(header={"jku": "http://127.0.0.1:1/"}, alg="RS256", signer=rs(OTHER_RSA_KEY)),
    ),
    "x5u": (
        "RS256",
        token(header={"x5u": "http://127.0.0.1:1/"}, alg="RS256", signer=rs(OTHER_RSA_KEY)),
    ),
    "x5c": (
        "RS256",
        token(header={"x5c": [b64(DER_OF_RSA)]}, alg="RS256", signer=rs(OTHER_RSA_KEY)),
    ),
    # The header
    "crit": ("HS256", token(header={"crit": ["exp"], "exp": NOW})),
    "crit empty": ("HS256", token(header={"crit": []})),
    "crit null": ("HS256", token(header={"crit": None})),
    "b64 false": ("HS256", token(header={"b64": False})),
    "b64 false, critical": ("HS256", token(header={"b64": False, "crit": ["b64"]})),
    "b64 true, critical": ("HS256", token(header={"b64": True, "crit": ["b64"]})),
    "header not JSON": ("HS256", raw_header(b"alg=HS256")),
    "header array": ("HS256", raw_header(b'["HS256"]')),
    "header string": ("HS256", raw_header(b'"HS256"')),
    "header in UTF-16": ("HS256", raw_header('{"alg":"HS256"}'.encode("utf-16"))),
    "header with alg twice": ("HS256", raw_header(b'{"alg":"none","alg":"HS256"}')),
    # The form
    "empty": ("HS256", ""),
    "dots": ("HS256", ".."),
    "one part": ("HS256", BODY),
    "two parts": ("HS256", f"{HEAD}.{BODY}"),
    "four parts": ("HS256", f"{GOOD}.{SIGNATURE}"),
    "five parts": ("HS256", f"{HEAD}.{BODY}.{BODY}.{BODY}.{SIGNATURE}"),
    "truncated": ("HS256", GOOD[:-1]),
    "empty signature": ("HS256", f"{HEAD}.{BODY}."),
    "empty header": ("HS256", f".{BODY}.{SIGNATURE}"),
    "detached payload": ("HS256", f"{HEAD}..{SIGNATURE}"),
    "space before": ("HS256", f" {GOOD}"),
    "newline after": ("HS256", f"{GOOD}\n"),
    "space inside": ("HS256", f"{HEAD}. {BODY}.{SIGNATURE}"),
    "NUL after": ("HS256", f"{GOOD}\0"),
    "Bearer twice": ("HS256", f"Bearer {GOOD}"),
    "padded": ("HS256", f"{GOOD}="),
    "padded payload": ("HS256", f"{HEAD}.{BODY}==.{SIGNATURE}"),
    "signature of impossible length": ("HS256", f"{HEAD}.{BODY}.A"),
    "header of impossible length": ("HS256", f"A.{BODY}.{SIGNATURE}"),
    "signature not canonical": ("HS256", not_canonical()),
    "standard base64": ("HS256", f"{HEAD}.{BODY}.{'+/' * 21}A"),
    "full-width letters": ("HS256", GOOD.replace(HEAD[0], "\uff45", 1)),
    "lone surrogate": ("HS256", f"{GOOD}\udc80"),
    "huge": ("HS256", token({"pad": "x" * 8_192})),
    "a megabyte of dots": ("HS256", "." * 1_048_576),
    "a payload of another token": ("HS256", f"{HEAD}.{token({'sub': 'eve'}).split('.')[1]}.{SIGNATURE}"),
    "ECDSA of zeros": ("ES256", token(alg="ES256", signer=always(bytes(64)))),
    "ECDSA in DER": ("ES256", token(alg="ES256", signer=der)),
    "ECDSA too short": ("ES256", token(alg="ES256", signer=always(b"\1" * 63))),
    "RSA of zeros": ("RS256", token(alg="RS256", signer=always(bytes(256)))),
    "RSA empty": ("RS256", token(alg="RS256", signer=always(b""))),
    # The payload
    "payload not JSON": ("HS256", raw_payload(b"sub=ada")),
    "payload array": ("HS256", raw_payload(b"[" + changed(CLAIMS, None) + b"]")),
    "payload null": ("HS256", raw_payload(b"null")),
    "payload string": ("HS256", raw_payload(b'"ada"')),
    "payload in UTF-16": ("HS256", raw_payload(changed(CLAIMS, None).decode().encode("utf-16"))),
    "payload with BOM": ("HS256", raw_payload(b"\xef\xbb\xbf" + changed(CLAIMS, None))),
    "payload not UTF-8": ("HS256", raw_payload(changed(CLAIMS, None).replace(b"ada", b"\xff"))),
    "payload with sub twice": (
        "HS256",
        raw_payload(changed(CLAIMS, None).replace(b'"sub"', b'"sub": "eve", "sub"')),
    ),
    "payload with a name twice inside": (
        "HS256",
        raw_payload(changed(CLAIMS, {"x": 0})[:-2] + b'{"y":1,"y":2}}'),
    ),
    "payload with NaN": ("HS256", token({"exp": float("nan")})),
    "payload with NaN in another claim": ("HS256", token({"x": float("nan")})),
    "payload nested deeply": ("HS256", raw_payload(b'{"a":' + b"[" * 2_500 + b"]" * 2_500 + b"}")),
    "payload is a token": ("HS256", raw_payload(GOOD.encode())),
    # Claims that are missing or null
    **{
        f"{name} {'missing' if value is DROP else 'null'}": ("HS256", token({name: value}))
        for name in CLAIMS
        for value in (DROP, None)
    },
    "roles null": ("HS256", token({"roles": None})),
    # Time
    **{
        f"{name} is {value!r}": ("HS256", token({name: value}))
        for name in ("exp", "iat", "nbf")
        for value in (str(NOW), True, [NOW], {"at": NOW}, -1, float("inf"))
    },
    "exp beyond the year 9999": ("HS256", token({"exp": 10**12})),
    "exp of 5,000 digits": (
        "HS256",
        raw_payload(changed(CLAIMS, None).replace(str(NOW + 60).encode(), b"9" * 5_000)),
    ),
    "exp beyond doubles": (
        "HS256",
        raw_payload(changed(CLAIMS, None).replace(str(NOW + 60).encode(), b"1e999")),
    ),
    "expired long ago": ("HS256", token({"iat": NOW - 7_200, "exp": NOW - 3_600})),
    "expired by the leeway": ("HS256", token({"exp": NOW - LEEWAY})),
    "expired by the leeway plus one": ("HS256", token({"exp": NOW - LEEWAY - 1})),
    "nbf beyond the leeway": ("HS256", token({"nbf": NOW + LEEWAY + 1})),
    "iat beyond the leeway": ("HS256", token({"iat": NOW + LEEWAY + 1})),
    "iat beyond the leeway, nbf in the past": ("HS256", token({"iat": NOW + LEEWAY + 1, "nbf": NOW})),
    "nbf null": ("HS256", token({"nbf": None})),
    # Parties
    **{
        f"iss is {iss!r}": ("HS256", token({"iss": iss}))
        for iss in ("other", "", "TOCSIN", "tocsin ", ["tocsin"], {"tocsin": 1}, 1, True)
    },
    **{
        f"aud is {aud!r}": ("HS256", token({"aud": aud}))
        for aud in ("other", "", "tocsi", ["other"], [], ["tocsin", 1], [["tocsin"]], {"tocsin": 1}, 1, True)
    },
    **{
        f"{name} is {value!r:.20}": ("HS256", token({name: value}))
        for name in ("sub", "tenant")
        for value in ("", 1, 0, True, {"id": "ada"}, "x" * 256, "a\0", "\ud800", "a\udfff")
    },
    "sub is a list": ("HS256", token({"sub": ["ada"]})),
    **{
        f"tenants are {value!r:.20}": ("HS256", token({"tenant": value}))
        for value in ([], [""], ["acme", 1], ["acme", None], [["acme"]], ["acme", "x" * 256], ["acme", "a\0"])
    },
    "tenants are 1,001": (
        "HS256",
        raw_payload(changed({**CLAIMS, "tenant": ["x"] * 1_001}, None).replace(b" ", b"")),
    ),
    # Roles
    **{
        f"roles are {roles!r}": ("HS256", token({"roles": roles}))
        for roles in (
            "admin",
            [],
            ["root"],
            ["ADMIN"],
            ["user", 1],
            [["user"]],
            [None],
            {"admin": True},
            True,
            0,
            ["agent", "user"],
            ["agent", "admin"],
        )
    },
}

USER = frozenset({Role.USER})
ACCEPTED: dict[str, tuple[str, str, Principal]] = {}


def accept(
    name: str,
    text: str,
    alg: str = "HS256",
    *,
    user: str = "ada",
    tenant: str = "acme",
    roles: frozenset[Role] = USER,
    exp: float = NOW + 60,
    iat: float = NOW,
) -> None:
    """Add a token that must be accepted, and what it must give."""
    until = datetime.fromtimestamp(exp + LEEWAY, UTC)
    issued = datetime.fromtimestamp(iat, UTC)
    ACCEPTED[name] = (alg, text, Principal(tenant, user, roles, until, issued))


accept("HS256", GOOD)
accept("RS256", token(alg="RS256"), "RS256")
accept("ES256", token(alg="ES256"), "ES256")
accept("typ missing", token(header={"typ": DROP}))
accept("typ of an access token", token(header={"typ": "at+jwt"}))
accept("kid that is not needed", token(header={"kid": "2026-01"}))
accept("kid as long as it may be", token(header={"kid": "k" * 255}))
accept("jku that nobody follows", token(header={"jku": "http://127.0.0.1:1/"}, alg="RS256"), "RS256")
accept("jwk that nobody uses", token(header={"jwk": JWK}, alg="RS256"), "RS256")
accept("aud as a list", token({"aud": ["other", "tocsin"]}))
accept("exp one second before the edge", token({"exp": NOW - LEEWAY + 1}), exp=NOW - LEEWAY + 1)
accept("exp with a fraction", token({"exp": NOW + 0.5}), exp=NOW + 0.5)
accept("iat at the edge", token({"iat": NOW + LEEWAY}), iat=NOW + LEEWAY)
accept("nbf at the edge", token({"nbf": NOW + LEEWAY}))
accept("nbf in the past", token({"nbf": NOW - 60}))
accept("iat long ago", token({"iat": 0}), iat=0)
accept("unknown claims", token({"jti": 7, "scope": "openid", "nested": {"a": [1.5]}}))
accept("one tenant in a list", token({"tenant": ["acme"]}))
accept("one tenant twice in a list", token({"tenant": ["acme", "acme"]}))
accept(
    "ids as long as they may be",
    token({"sub": "u" * 255, "tenant": "t" * 255}),
    user="u" * 255,
    tenant="t" * 255,
)
accept("ids beyond ASCII", token({"sub": "Ада 🙂", "tenant": "株式会社"}), user="Ада 🙂", tenant="株式会社")
accept(
    "ids with quotes", token({"sub": "a'; DROP--", "tenant": "auth0|7"}), user="a'; DROP--", tenant="auth0|7"
)
accept("roles user", token({"roles": ["user"]}))
accept("roles admin", token({"roles": ["admin"]}), roles=frozenset({Role.USER, Role.ADMIN}))
accept("roles with unknown ones", token({"roles": ["root", "user"]}))
accept("roles twice", token({"roles": ["user", "user"]}))
accept("roles agent", token({"roles": ["agent"]}), roles=frozenset({Role.AGENT}))


def settings(**changes: Any) -> Settings:
    """Return settings with the test's leeway."""
    return Settings(**{"jwt_leeway_seconds": LEEWAY, **changes})


SETTINGS = {
    "HS256": settings(jwt_secret=SECRET),
    "RS256": settings(jwt_algorithm="RS256", jwt_public_key=pem(RSA_KEY)),
    "ES256": settings(jwt_algorithm="ES256", jwt_public_key=pem(EC_KEY)),
}


def authenticator(chosen: Settings = SETTINGS["HS256"]) -> Authenticator:
    """Return an authenticator whose clock stands still."""
    return Authenticator(chosen, clock=lambda: NOW)


async def refusal(text: str, chosen: Settings = SETTINGS["HS256"], tenant: str | None = None) -> TocsinError:
    """Return the error that the token gives."""
    with pytest.raises(TocsinError) as caught:
        await authenticator(chosen).principal(text, tenant)
    return caught.value


async def assert_refused(text: str, chosen: Settings = SETTINGS["HS256"]) -> None:
    """Assert the one error of all bad tokens, byte for byte."""
    error = await refusal(text, chosen)
    assert str(error).encode() == b"A valid token is required."
    assert error.extensions == {"code": "UNAUTHENTICATED"}


@pytest.mark.parametrize(("alg", "text"), FORGED.values(), ids=FORGED)
async def test_a_forged_or_invalid_token_is_refused_without_a_reason(alg: str, text: str) -> None:
    """Every bad token gives the same bytes (RFC 8725, section 3)."""
    await assert_refused(text, SETTINGS[alg])


@pytest.mark.parametrize(("alg", "text", "principal"), ACCEPTED.values(), ids=ACCEPTED)
async def test_a_valid_token_is_accepted(alg: str, text: str, principal: Principal) -> None:
    """Good tokens give the whole principal, roles and end included."""
    assert await authenticator(SETTINGS[alg]).principal(text) == principal


@pytest.mark.parametrize("alg", SETTINGS)
async def test_every_truncation_and_every_changed_character_is_refused(alg: str) -> None:
    """No character of a token is decoration."""
    good = token(alg=alg)
    for at in range(len(good)):
        await assert_refused(good[:at], SETTINGS[alg])
        await assert_refused(good[:at] + ("B" if good[at] == "A" else "A") + good[at + 1 :], SETTINGS[alg])


async def test_a_token_of_1000_tenants_fits_and_8193_characters_do_not() -> None:
    """Both size limits are exact."""
    thousand = raw_payload(changed({**CLAIMS, "tenant": ["x"] * 1_000}, None).replace(b" ", b""))
    assert (await authenticator().principal(thousand)).tenant_id == "x"
    longest = next(text for size in range(8_192) if len(text := token({"pad": "x" * (5_900 + size)})) > 8_188)
    assert len(longest) <= 8_192
    assert (await authenticator().principal(longest)).user_id == "ada"
    await assert_refused(token({"pad": "x" * 6_100}))


@pytest.mark.parametrize("requested", ["acme", "globex"])
async def test_the_requested_tenant_is_chosen_among_several(requested: str) -> None:
    """X-Tenant-Id and connection_init choose."""
    several = token({"tenant": ["acme", "globex"]})
    assert (await authenticator().principal(several, requested)).tenant_id == requested


async def test_several_tenants_and_no_request_is_tenant_required() -> None:
    """There is no default among several."""
    error = await refusal(token({"tenant": ["acme", "globex"]}))
    assert error.code is ErrorCode.TENANT_REQUIRED


async def test_a_tenant_may_be_called_as_a_role_is() -> None:
    """Equal tenants and equal roles are kept once, and never one for the other."""
    verifier = Authenticator(SETTINGS["HS256"])
    for _time in range(2):
        text = sign(
            SETTINGS["HS256"], tenants=["user"], user="ada", roles=[Role.USER], expires=timedelta(hours=1)
        )
        principal = await verifier.principal(text)
        assert (type(principal.tenant_id), [type(it) for it in principal.roles]) == (str, [Role])


@pytest.mark.parametrize("tenant", ["acme", ["acme"], ["acme", "globex"]])
@pytest.mark.parametrize("requested", ["other", "", "ACME", "acme ", "globe"])
async def test_a_tenant_outside_the_token_is_forbidden(tenant: str | list[str], requested: str) -> None:
    """Tenants compare exactly, also with the only one of a token."""
    error = await refusal(token({"tenant": tenant}), tenant=requested)
    assert error.code is ErrorCode.FORBIDDEN


async def test_a_bad_token_is_unauthenticated_whatever_tenant_it_asks_for() -> None:
    """The tenant is looked at last."""
    error = await refusal(token({"tenant": ["acme", "globex"], "exp": 0}), tenant="other")
    assert error.code is ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("https://example.com/tenant", {"https://example.com/tenant": "acme"}),
        ("org.id", {"org": {"id": "acme"}}),
        ("org.id", {"org.id": "acme", "org": {"id": "other"}}),
        ("a.b.c.d", {"a": {"b": {"c": {"d": ["acme"]}}}}),
        ("sub", {"sub": "acme"}),
    ],
)
async def test_the_tenant_claim_may_be_a_name_with_dots_or_a_path(name: str, claims: dict[str, Any]) -> None:
    """The exact name wins over the path."""
    chosen = settings(jwt_secret=SECRET, jwt_tenant_claim=name)
    assert (await authenticator(chosen).principal(token({"tenant": DROP, **claims}))).tenant_id == "acme"


@pytest.mark.parametrize("claims", [{}, {"org": {}}, {"org": "acme"}, {"org": ["id"]}, {"org": {"id": None}}])
async def test_a_path_that_leads_nowhere_is_refused(claims: dict[str, Any]) -> None:
    """A tenant is never optional."""
    await assert_refused(token(claims), settings(jwt_secret=SECRET, jwt_tenant_claim="org.id"))


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"realm_access": {"roles": ["admin", "offline_access"]}}, {Role.USER, Role.ADMIN}),
        ({"realm_access": {}}, {Role.USER}),
        ({"roles": ["admin"]}, {Role.USER}),
    ],
)
async def test_the_roles_claim_may_be_a_path(claims: dict[str, Any], roles: set[Role]) -> None:
    """Keycloak nests its roles."""
    chosen = settings(jwt_secret=SECRET, jwt_roles_claim="realm_access.roles")
    assert (await authenticator(chosen).principal(token(claims))).roles == roles


async def test_the_issuer_and_audience_are_the_configured_ones() -> None:
    """The defaults are not accepted beside them."""
    chosen = settings(jwt_secret=SECRET, jwt_issuer="https://id.example/", jwt_audience="inbox")
    await assert_refused(GOOD, chosen)
    assert await authenticator(chosen).principal(token({"iss": "https://id.example/", "aud": "inbox"}))


async def test_the_reason_is_logged_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """The operator learns why, at debug level, and no log holds a credential."""
    with caplog.at_level(logging.DEBUG):
        await assert_refused(token({"exp": NOW - 60}))
        await assert_refused(GOOD[:-4])
        await assert_refused(token(header={"kid": "tell-tale\nforged line", "crit": ["tell-tale"]}))
        await assert_refused(token({"sub": "tell-tale" * 40}))
    lines = [record.getMessage() for record in caplog.records if record.name == "tocsin.auth"]
    assert lines[0] == "Token refused: expired"
    assert len(lines) == 4
    assert not any(part in line for line in lines for part in (HEAD, BODY, SIGNATURE[:8], "tell-tale"))
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


async def test_time_passes_only_by_the_clock() -> None:
    """The end a principal carries is the moment its token is refused."""
    now = float(NOW)
    verifier = Authenticator(SETTINGS["HS256"], clock=lambda: now)
    now = CLAIMS["exp"] + LEEWAY - 0.001
    assert (await verifier.principal(GOOD)).expires_at.timestamp() == CLAIMS["exp"] + LEEWAY
    now = CLAIMS["exp"] + LEEWAY
    with pytest.raises(TocsinError):
        await verifier.principal(GOOD)


async def test_a_signature_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is that very token: with another signature it is checked, and refused."""
    verifier, checked = authenticator(), list[str]()
    decode = verifier._jws.decode

    def counted(token: str, *given: Any, **named: Any) -> Any:
        checked.append(token)
        return decode(token, *given, **named)

    monkeypatch.setattr(verifier._jws, "decode", counted)
    assert await verifier.principal(GOOD) == await verifier.principal(GOOD)
    forged = f"{HEAD}.{BODY}.{b64(bytes(32))}"
    for _attempt in range(2):
        with pytest.raises(TocsinError):
            await verifier.principal(forged)
    assert checked == [GOOD, forged, forged]


WEAK_RSA = rsa.generate_private_key(65537, 1024)
MISCONFIGURED: dict[str, dict[str, Any]] = {
    "secret of 31 bytes": {"jwt_secret": "x" * 31},
    "secret empty": {"jwt_secret": ""},
    "secret is a public key": {"jwt_secret": pem(RSA_KEY)},
    "secret is a JWK": {"jwt_secret": json.dumps(JWK)},
    "HS256 and a PEM": {"jwt_public_key": pem(RSA_KEY)},
    "HS256 and a JWKS": {"jwt_secret": SECRET, "jwks_url": "https://id.example/jwks"},
    "RS256 and nothing": {"jwt_algorithm": "RS256"},
    "RS256 and a secret": {"jwt_algorithm": "RS256", "jwt_secret": SECRET, "jwt_public_key": pem(RSA_KEY)},
    "RS256 and both": {
        "jwt_algorithm": "RS256",
        "jwt_public_key": pem(RSA_KEY),
        "jwks_url": "https://id.example/jwks",
    },
    "RS256 and an EC key": {"jwt_algorithm": "RS256", "jwt_public_key": pem(EC_KEY)},
    "RS256 and an Ed25519 key": {
        "jwt_algorithm": "RS256",
        "jwt_public_key": pem(Ed25519PrivateKey.generate()),
    },
    "RS256 and a private key": {"jwt_algorithm": "RS256", "jwt_public_key": private_pem(RSA_KEY)},
    "RS256 and 1024 bits": {"jwt_algorithm": "RS256", "jwt_public_key": pem(WEAK_RSA)},
    "RS256 and no PEM": {"jwt_algorithm": "RS256", "jwt_public_key": "MIIB"},
    "RS256 and an empty PEM": {"jwt_algorithm": "RS256", "jwt_public_key": ""},
    "ES256 and an RSA key": {"jwt_algorithm": "ES256", "jwt_public_key": pem(RSA_KEY)},
    "ES256 and another curve": {
        "jwt_algorithm": "ES256",
        "jwt_public_key": pem(ec.generate_private_key(ec.SECP384R1())),
    },
    "JWKS in a file": {"jwt_algorithm": "RS256", "jwks_url": "file:///etc/passwd"},
    "JWKS by FTP": {"jwt_algorithm": "RS256", "jwks_url": "ftp://id.example/jwks"},
    "JWKS without a host": {"jwt_algorithm": "RS256", "jwks_url": "https:///jwks"},
    "JWKS empty": {"jwt_algorithm": "ES256", "jwks_url": ""},
}


@pytest.mark.parametrize("changes", MISCONFIGURED.values(), ids=MISCONFIGURED)
def test_settings_that_do_not_fit_are_refused_at_the_start(changes: dict[str, Any]) -> None:
    """The error names the variable and not its value."""
    with pytest.raises(ConfigurationError, match="TOCSIN_") as caught:
        Authenticator(settings(**changes))
    assert SECRET not in str(caught.value)


async def test_a_secret_of_32_bytes_is_enough() -> None:
    """The limit counts bytes, not characters."""
    chosen = settings(jwt_secret="é" * 16)
    assert await authenticator(chosen).principal(token(signer=hs("é" * 16)))


@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        ([Role.USER], {Role.USER}),
        ([Role.ADMIN], {Role.USER, Role.ADMIN}),
        ([Role.AGENT], {Role.AGENT}),
    ],
)
@pytest.mark.parametrize("claim", ["tenant", "https://example.com/tenant", "org.tenant"])
async def test_a_signed_token_is_accepted(
    tmp_path: Path, roles: list[Role], seen: set[Role], claim: str
) -> None:
    """Signing and verifying agree under any claim name and the real clock."""
    chosen = Settings(data_dir=tmp_path, jwt_tenant_claim=claim)
    text = sign(chosen, tenants=["acme"], user="ada", roles=roles, expires=timedelta(minutes=5))
    principal = await Authenticator(chosen).principal(text, "acme")
    assert (principal.tenant_id, principal.user_id) == ("acme", "ada")
    assert principal.roles == seen
    left = principal.expires_at - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


async def test_a_signed_token_may_have_several_tenants_and_may_be_expired() -> None:
    """Tests and the CLI need both."""
    text = sign(
        SETTINGS["HS256"],
        tenants=["acme", "globex"],
        user="ada",
        roles=[Role.USER],
        expires=timedelta(seconds=-LEEWAY),
        clock=lambda: NOW - 0.5,
    )
    await assert_refused(text)
    early = Authenticator(SETTINGS["HS256"], clock=lambda: NOW - 2)
    assert (await early.principal(text, "globex")).tenant_id == "globex"


@pytest.mark.parametrize(
    ("tenants", "user", "roles"),
    [
        ([], "ada", [Role.USER]),
        ([""], "ada", [Role.USER]),
        (["acme"], "", [Role.USER]),
        (["acme"], "a\0", [Role.USER]),
        (["acme"], "ada", []),
        (["acme"], "ada", [Role.AGENT, Role.USER]),
        ([f"tenant-{number}" for number in range(900)], "ada", [Role.USER]),
    ],
)
def test_a_token_that_would_be_refused_is_not_signed(
    tenants: list[str], user: str, roles: list[Role]
) -> None:
    """The CLI says so instead of printing a useless token."""
    with pytest.raises(ValueError, match="Such a token would be"):
        sign(SETTINGS["HS256"], tenants=tenants, user=user, roles=roles, expires=timedelta(hours=1))


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_only_hs256_signs(alg: str) -> None:
    """The private keys of RS256 and ES256 are elsewhere."""
    with pytest.raises(ConfigurationError, match="only with HS256"):
        sign(SETTINGS[alg], tenants=["acme"], user="ada", roles=[Role.USER], expires=timedelta(hours=1))


def test_the_secret_is_made_once_and_is_private(tmp_path: Path) -> None:
    """32 random bytes, mode 0600, no other file left."""
    data_dir = tmp_path / "new" / "data"
    secret = load_or_create_secret(data_dir)
    assert load_or_create_secret(data_dir) == secret
    assert len(base64.urlsafe_b64decode(secret.get_secret_value() + "=")) == 32
    assert stat.S_IMODE((data_dir / "signing-key").stat().st_mode) == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["signing-key"]
    assert load_or_create_secret(tmp_path / "other") != secret


def test_a_damaged_secret_is_never_used(tmp_path: Path) -> None:
    """A weak or foreign file is reported, not replaced."""
    (tmp_path / "signing-key").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="damaged"):
        load_or_create_secret(tmp_path)
    (tmp_path / "signing-key").write_bytes(b"\xff" * 40)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_or_create_secret(tmp_path)


def test_a_data_dir_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    """No raw OSError at start."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be read or made"):
        load_or_create_secret(tmp_path / "data")


LOAD = """
import os, signal, sys, time
from pathlib import Path
from tocsin.auth import load_or_create_secret
{sabotage}
print("ready", flush=True)
while not (Path(sys.argv[1]) / "start").exists():
    time.sleep(0.0005)
print(load_or_create_secret(Path(sys.argv[1]) / "data").get_secret_value())
"""


def loader(directory: Path, sabotage: str = "") -> subprocess.Popen[str]:
    """Start a process that loads the secret when the file `start` appears."""
    program = LOAD.format(sabotage=sabotage)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(directory)], stdout=subprocess.PIPE, text=True
    )


def test_processes_that_start_together_have_the_same_secret(tmp_path: Path) -> None:
    """Whoever links first wins; the rest read."""
    processes = [loader(tmp_path) for _ in range(4)]
    assert [process.stdout and process.stdout.readline() for process in processes] == ["ready\n"] * 4
    (tmp_path / "start").touch()
    secrets = {process.communicate(timeout=30)[0].strip() for process in processes}
    assert secrets == {load_or_create_secret(tmp_path / "data").get_secret_value()}


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_process_killed_half_way_leaves_no_part_of_a_secret(tmp_path: Path, call: str) -> None:
    """The name appears only with the whole content."""
    (tmp_path / "start").touch()
    process = loader(tmp_path, f"os.{call} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)")
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "data" / "signing-key").exists()
    assert load_or_create_secret(tmp_path / "data") == load_or_create_secret(tmp_path / "data")
