"""The vault: what it seals opens in its place, and nowhere else."""

import hmac
import re
from base64 import b64decode, b64encode, urlsafe_b64encode

import pytest

from resolvers.vault import Box, CannotOpenError, Vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = ("acme", "channel-1", "secret")


def test_what_was_sealed_opens() -> None:
    """The box names its key, holds 12 bytes of nonce, the text and a tag of 16, and gives the text back."""
    box = Vault({"k1": OLD}).seal(PLACE, "hunter2 ü")
    assert box["key"] == "k1"
    assert len(b64decode(box["box"])) == 12 + len("hunter2 ü".encode()) + 16
    assert Vault({"k1": OLD}).open(PLACE, box) == "hunter2 ü"


def test_the_same_secret_never_looks_the_same() -> None:
    """A thousand boxes of one secret have a thousand nonces."""
    vault = Vault({"k1": OLD})
    assert len({b64decode(vault.seal(PLACE, "hunter2")["box"])[:12] for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("globex", "channel-1", "secret"),
        ("acme", "channel-2", "secret"),
        ("acme", "channel-1", "url"),
        ("acme", "channel-1"),
        ("acmechannel-1", "", "secret"),
        ("acme", "channel-1secret", ""),
        (),
    ],
)
def test_a_box_that_was_moved_does_not_open(elsewhere: tuple[str, ...]) -> None:
    """Another tenant, channel or key name, or the same letters cut otherwise, is another place."""
    vault = Vault({"k1": OLD})
    with pytest.raises(CannotOpenError, match="another place"):
        vault.open(elsewhere, vault.seal(PLACE, "hunter2"))


def test_keys_rotate() -> None:
    """The first key seals, the others still open; without its key a box stays shut."""
    old, both, new = Vault({"k1": OLD}), Vault({"k2": NEW, "k1": OLD}), Vault({"k2": NEW})
    box = old.seal(PLACE, "hunter2")
    assert both.open(PLACE, box) == "hunter2"
    assert both.seal(PLACE, "hunter2")["key"] == "k2"
    assert new.open(PLACE, both.seal(PLACE, "hunter2")) == "hunter2"
    with pytest.raises(CannotOpenError, match="TOCSIN_SECRET_KEYS"):
        new.open(PLACE, box)


def test_a_key_under_anothers_name_does_not_open() -> None:
    """The id only finds a key; whether it fits is proven."""
    box = Vault({"k1": OLD}).seal(PLACE, "hunter2")
    with pytest.raises(CannotOpenError, match="damaged"):
        Vault({"k1": NEW}).open(PLACE, box)


def test_a_damaged_box_does_not_open() -> None:
    """One flipped bit anywhere, a cut or no base64 at all is noticed, and the error repeats nothing."""
    vault = Vault({"k1": OLD})
    whole = b64decode(vault.seal(PLACE, "hunter2")["box"])
    flipped = [bytes(byte ^ (at == n) for at, byte in enumerate(whole)) for n in range(len(whole))]
    texts = [*(b64encode(it).decode() for it in (*flipped, whole[:-1], whole[:12], b"")), "no base64 ü"]
    for text in texts:
        with pytest.raises(CannotOpenError) as refused:
            vault.open(PLACE, Box(key="k1", box=text))
        assert not text or text not in str(refused.value)
    assert len(texts) == len(whole) + 4


def test_what_was_signed_verifies() -> None:
    """A signature names its key and is text that fits a URL."""
    signature = Vault({"k1": OLD}).sign("links", "hello ü")
    assert re.fullmatch(r"k1\.[A-Za-z0-9_-]{43}", signature)
    assert Vault({"k1": OLD}).verify("links", "hello ü", signature)


def test_a_signature_holds_for_one_purpose_and_one_text() -> None:
    """Neither another text, nor another purpose, nor another key under the same name verifies."""
    vault = Vault({"k1": OLD})
    signature = vault.sign("links", "hello")
    assert not vault.verify("links", "hello!", signature)
    assert not vault.verify("cookies", "hello", signature)
    assert not Vault({"k1": NEW}).verify("links", "hello", signature)


def test_the_signature_is_an_hmac_by_a_derived_key() -> None:
    """HKDF-SHA256 of RFC 5869 with the purpose as its info, written out, then HMAC-SHA256."""
    extracted = hmac.digest(bytes(32), OLD, "sha256")
    key = hmac.digest(extracted, b"links\x01", "sha256")
    mac = urlsafe_b64encode(hmac.digest(key, b"hello", "sha256")).decode().rstrip("=")
    assert Vault({"k1": OLD}).sign("links", "hello") == f"k1.{mac}"


def test_signing_keys_rotate() -> None:
    """The first key signs, the others still verify; without its key a signature is none."""
    old, both, new = Vault({"k1": OLD}), Vault({"k2": NEW, "k1": OLD}), Vault({"k2": NEW})
    signature = old.sign("links", "hello")
    assert both.verify("links", "hello", signature)
    assert not new.verify("links", "hello", signature)
    assert both.sign("links", "hello") == new.sign("links", "hello")


@pytest.mark.parametrize(
    "signature", ["", ".", "k1", "k1.", "k2.AAAA", "k1.ü", "k1.\ud800", "k1.AAAA=", "\x00"]
)
def test_what_is_no_signature(signature: str) -> None:
    """Any text may be asked about."""
    assert not Vault({"k1": OLD}).verify("links", "hello", signature)
