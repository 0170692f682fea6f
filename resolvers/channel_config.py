"""What the config of each kind of channel holds: one table, and the reading of a client's JSON by it."""

import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from db.types import ChannelKind
from resolvers.inputs import MAX_ID, Problem

REDACTED = "••••••••"
_MAX_URL = 2_048
_MAX_ADDRESS = 254
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(\.[\w-]+)*")
_APPRISE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_SIGNING = "whsec_"
_MADE_BYTES, _MIN_BYTES, _MAX_BYTES = 32, 24, 64


class Policy(NamedTuple):
    """What the deployment allows: whether web addresses may be http:."""

    allow_http: bool


class Key(NamedTuple):
    """A key of a config: what is wrong with a value, if anything, and whether it is a secret.

    `make` returns a value where none is given or stored; without it a required key must be given.
    """

    problem: Callable[[str, Policy], str | None]
    secret: bool = False
    required: bool = True
    make: Callable[[], str] | None = None


class Config(NamedTuple):
    """A config taken apart: what everybody may see, and the secrets that are new, in the clear."""

    public: dict[str, str]
    secrets: dict[str, str]


def new_signing_secret() -> str:
    """Return a secret as Standard Webhooks 1.0 spells them."""
    return _SIGNING + b64encode(secrets.token_bytes(_MADE_BYTES)).decode()


def _web_address(value: str, policy: Policy) -> str | None:
    if fault := _url_text(value):  # first, for urlsplit drops control characters
        return fault
    schemes = ("https", "http") if policy.allow_http else ("https",)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return "is not a URL."
    if parts.scheme not in schemes or not parts.hostname:
        return f"must be a URL of {' or '.join(f'{scheme}:' for scheme in schemes)}."
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must not hold a user, a password or a fragment."
    return None


def _apprise_address(value: str, _policy: Policy) -> str | None:
    return _url_text(value) or (None if _APPRISE_URL.fullmatch(value) else "must be a URL of Apprise.")


def _url_text(value: str) -> str | None:
    if len(value) > _MAX_URL:
        return f"is longer than {_MAX_URL:,} characters."
    return None if value.isprintable() and " " not in value else "must not hold spaces or control characters."


def _mail_address(value: str, _policy: Policy) -> str | None:
    fits = len(value) <= _MAX_ADDRESS and _ADDRESS.fullmatch(value)
    return None if fits else "must be an e-mail address, without a name."


def _signing_secret(value: str, _policy: Policy) -> str | None:
    try:
        size = len(b64decode(value.removeprefix(_SIGNING), validate=True))
    except ValueError:
        size = 0
    if value.startswith(_SIGNING) and _MIN_BYTES <= size <= _MAX_BYTES:
        return None
    return f"must be {_SIGNING} and base64 of {_MIN_BYTES} to {_MAX_BYTES} bytes."


KEYS: Mapping[ChannelKind, Mapping[str, Key]] = {
    ChannelKind.EMAIL: {"from": Key(_mail_address), "to": Key(_mail_address, required=False)},
    ChannelKind.SLACK: {"url": Key(_web_address, secret=True)},
    ChannelKind.WEBHOOK: {
        "url": Key(_web_address),
        "secret": Key(_signing_secret, secret=True, make=new_signing_secret),
    },
    ChannelKind.APPRISE: {"url": Key(_apprise_address, secret=True)},
}


def read(
    kind: ChannelKind, given: Mapping[str, Any], stored: Collection[str], policy: Policy
) -> tuple[Config, list[Problem]]:
    """Take a client's config apart, and say what is wrong with it; null means the same as left out.

    stored: the names of the secrets that are kept already. Such a one may be left out, or come back redacted.
    """
    keys = KEYS[kind]
    wanted = {
        name: value
        for name, value in given.items()
        if value is not None and not (name in stored and value == REDACTED)
    }
    for name, key in keys.items():
        if key.make and name not in wanted and name not in stored:
            wanted[name] = key.make()
    checks = [
        *((name, f"is not known: there are {', '.join(keys)}.") for name in given if name not in keys),
        *((name, _fault(key, wanted.get(name), name in stored, policy)) for name, key in keys.items()),
    ]
    problems = [(f"config.{name[:MAX_ID]}", problem) for name, problem in checks if problem]
    return _taken_apart(keys, wanted), problems


def _fault(key: Key, value: object, stored: bool, policy: Policy) -> str | None:
    if value is None:
        return "is missing." if key.required and not stored else None
    return key.problem(value, policy) if isinstance(value, str) else "must be a string."


def _taken_apart(keys: Mapping[str, Key], wanted: Mapping[str, str]) -> Config:
    config = Config({}, {})
    for name, key in keys.items():
        if name in wanted:
            (config.secrets if key.secret else config.public)[name] = wanted[name]
    return config
