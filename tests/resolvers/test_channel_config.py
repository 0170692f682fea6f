"""Configs of channels, kind by kind, as pure values."""

from base64 import b64encode
from typing import Any

import pytest

from db.types import ChannelKind
from resolvers.channel_config import KEYS, REDACTED, Config, Policy, new_signing_secret, read

SAFE, LAX = Policy(allow_http=False), Policy(allow_http=True)
SECRET = "whsec_" + b64encode(bytes(32)).decode()
HOOK = "https://hooks.example.com/in?room=1"
WEBHOOK, SLACK, EMAIL, APPRISE = (
    ChannelKind.WEBHOOK,
    ChannelKind.SLACK,
    ChannelKind.EMAIL,
    ChannelKind.APPRISE,
)


def wrong(kind: ChannelKind, config: dict[str, Any], *stored: str, policy: Policy = SAFE) -> list[str]:
    """Return the fields that are wrong."""
    return [field for field, _problem in read(kind, config, stored, policy)[1]]


def test_each_kind_but_the_inbox_has_its_keys() -> None:
    """A new kind without a line in the table is noticed."""
    assert KEYS.keys() == set(ChannelKind) - {ChannelKind.IN_APP}


@pytest.mark.parametrize(
    ("kind", "config", "public", "secrets"),
    [
        (WEBHOOK, {"url": HOOK, "secret": SECRET}, {"url": HOOK}, {"secret": SECRET}),
        (SLACK, {"url": HOOK}, {}, {"url": HOOK}),
        (EMAIL, {"from": "a@example.com"}, {"from": "a@example.com"}, {}),
        (EMAIL, {"from": "a@b.c", "to": "x+y@localhost"}, {"from": "a@b.c", "to": "x+y@localhost"}, {}),
        (EMAIL, {"from": "a@b.c", "to": None}, {"from": "a@b.c"}, {}),
        (APPRISE, {"url": "discord://id/token"}, {}, {"url": "discord://id/token"}),
    ],
)
def test_a_config_is_taken_apart(
    kind: ChannelKind, config: dict[str, Any], public: dict[str, str], secrets: dict[str, str]
) -> None:
    """Secrets go one way and the rest another; null is left out."""
    assert read(kind, config, (), SAFE) == (Config(public, secrets), [])


def test_a_signing_secret_is_made_where_none_is_given_or_stored() -> None:
    """32 random bytes, which pass the check of given ones, and never the same again."""
    made = [read(WEBHOOK, {"url": HOOK}, (), SAFE)[0].secrets["secret"] for _ in range(2)]
    assert made[0] != made[1]
    assert wrong(WEBHOOK, {"url": HOOK, "secret": made[0]}) == []
    assert len(new_signing_secret()) == len("whsec_") + 44
    assert read(WEBHOOK, {"url": HOOK}, ("secret",), SAFE)[0].secrets == {}


@pytest.mark.parametrize("config", [{}, {"url": REDACTED}, {"url": None}])
def test_a_stored_secret_may_be_left_out_or_redacted(config: dict[str, Any]) -> None:
    """Then nothing is wrong and nothing is new; without a stored one it is missing, or no URL."""
    assert read(SLACK, config, ("url",), SAFE) == (Config({}, {}), [])
    assert wrong(SLACK, config) == ["config.url"]


@pytest.mark.parametrize(
    ("kind", "config", "fields"),
    [
        (WEBHOOK, {}, ["config.url"]),
        (WEBHOOK, {"url": 1, "secret": [], "Url": HOOK}, ["config.Url", "config.url", "config.secret"]),
        (EMAIL, {"url": HOOK, "password": "x"}, ["config.url", "config.password", "config.from"]),
        (EMAIL, {"from": "a", "to": "b"}, ["config.from", "config.to"]),
        (APPRISE, {"url": "discord", "": "x"}, ["config.", "config.url"]),
        (SLACK, {"url": {"secret": "x"}}, ["config.url"]),
    ],
)
def test_everything_wrong_is_listed(kind: ChannelKind, config: dict[str, Any], fields: list[str]) -> None:
    """Unknown keys, missing ones, wrong types and wrong values, all at once."""
    assert wrong(kind, config) == fields


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "//hooks.example.com",
        "/relative",
        "ftp://example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user@example.com",
        "https://user:password@example.com",
        "https://example.com/#part",
        "https://example.com:port/",
        "https://example.com:99999/",
        "https://[::1",
        "https://exa mple.com",
        "https://example.com/\n",
        " https://example.com/",
        "ht\ntps://example.com/",
        "https://example.com/\x00",
        "https://example.com/\ud800",
        f"https://example.com/{'x' * 2_029}",
    ],
)
def test_what_is_no_web_address(url: str) -> None:
    """Also where http: is allowed."""
    for policy in (SAFE, LAX):
        assert wrong(WEBHOOK, {"url": url}, policy=policy) == ["config.url"]
        assert wrong(SLACK, {"url": url}, policy=policy) == ["config.url"]


def test_the_longest_address() -> None:
    """2,048 characters pass, in any script."""
    assert wrong(WEBHOOK, {"url": f"https://example.com/{'ü' * 2_028}"}) == []


def test_http_only_where_it_is_allowed() -> None:
    """The deployment says so."""
    for kind in (WEBHOOK, SLACK):
        assert wrong(kind, {"url": "http://10.0.0.1:8080/in"}) == ["config.url"]
        assert wrong(kind, {"url": "http://10.0.0.1:8080/in"}, policy=LAX) == []


@pytest.mark.parametrize("size", [24, 25, 64])
def test_signing_secrets_of_every_size(size: int) -> None:
    """24 to 64 bytes, as Standard Webhooks 1.0 wants them."""
    assert wrong(WEBHOOK, {"url": HOOK, "secret": "whsec_" + b64encode(bytes(size)).decode()}) == []


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "a secret",
        SECRET.removeprefix("whsec_"),
        SECRET.replace("whsec_", "WHSEC_"),
        SECRET + "\n",
        SECRET.rstrip("="),
        "whsec_" + b64encode(bytes(23)).decode(),
        "whsec_" + b64encode(bytes(65)).decode(),
        "whsec_" + "_-" * 24,
        "whsec_ü" + b64encode(bytes(32)).decode(),
        REDACTED,
    ],
)
def test_what_is_no_signing_secret(secret: str) -> None:
    """Another prefix, size or alphabet."""
    assert wrong(WEBHOOK, {"url": HOOK, "secret": secret}) == ["config.secret"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b.c",
        "a@",
        "a@b@c.d",
        "a b@c.d",
        "Ada <a@b.c>",
        "a@b.c\nBcc: x@y.z",
        "a@b.c,x@y.z",
        "a@b..c",
        f"{'a' * 65}@b.c",
        f"a@{'b' * 253}",
        "a@b.c\x00",
        REDACTED,
    ],
)
def test_what_is_no_mail_address(address: str) -> None:
    """Lists, names, line breaks and what is too long."""
    assert wrong(EMAIL, {"from": "a@b.c", "to": address}) == ["config.to"]


@pytest.mark.parametrize(
    "url", ["", "discord", "discord:x", "://x", "1x://y", "discord://a b", f"json://{'x' * 2_042}"]
)
def test_what_is_no_apprise_address(url: str) -> None:
    """A scheme, two slashes, no spaces."""
    assert wrong(APPRISE, {"url": url}) == ["config.url"]


def test_a_long_unknown_key_is_cut() -> None:
    """The answer to a key of 60,000 characters is short, and never repeats a value."""
    ((field, detail),) = read(SLACK, {"url": HOOK, "k" * 60_000: "hunter2"}, (), SAFE)[1]
    assert field == f"config.{'k' * 255}"
    assert detail == "is not known: there are url."
