"""A parcel as a mail, read back by the standard library's parser."""

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import mail, prose
from delivery.mail import Mail, UnaddressedError
from delivery.parcel import Parcel, Recipient
from tests.delivery.parcels import CREATED, ID, message, parcel

URL = "https://tocsin.example/unsubscribe/abc.k1.def"
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type"),
]


def parsed(mail: Mail) -> EmailMessage:
    """Return a mail as a mail program reads it."""
    return message_from_bytes(mail.content, policy=policy.SMTPUTF8)


def made(parcel: Parcel, unsubscribe_url: str | None = None) -> EmailMessage:
    """Return a parcel's mail, parsed."""
    return parsed(mail.build(parcel, unsubscribe_url))


def test_the_headers() -> None:
    """From the channel, to the recipient, about the title, when it was made, with a stable id."""
    it = made(parcel(), URL)
    assert it.keys() == HEADERS
    assert it["From"] == "bell@tocsin.example"
    assert it["To"] == "ada@example.org"
    assert it["Subject"] == "Build 42 failed"
    assert it["Date"].datetime == CREATED
    assert it["Message-ID"] == f"<{ID}@tocsin.example>"
    assert it["Auto-Submitted"] == "auto-generated"
    assert it["List-Unsubscribe"] == f"<{URL}>"
    assert it["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_without_a_public_address() -> None:
    """There is no way out that could be named."""
    assert made(parcel()).keys() == [it for it in HEADERS if "Unsubscribe" not in it]


def test_the_parts() -> None:
    """A text and an HTML part, the richer one last (RFC 2046 5.1.4)."""
    it = made(parcel())
    assert it.get_content_type() == "multipart/alternative"
    text, page = [part for part in it.iter_parts() if isinstance(part, EmailMessage)]
    assert (text.get_content_type(), text.get_content_charset()) == ("text/plain", "utf-8")
    assert text.get_content() == "See the [log](https://ci.example/42).\r\n"
    assert (page.get_content_type(), page.get_content_charset()) == ("text/html", "utf-8")
    assert "<h2>Build <strong>42</strong> failed</h2>" in page.get_content()


def test_a_digest() -> None:
    """Several messages are one mail, of the time of the newest."""
    later = message(title="Another", body="Two", created_at=CREATED + timedelta(hours=3))
    it = made(parcel(message(), later, message()))
    assert it["Subject"] == "Build 42 failed (+2)"
    assert it["Date"].datetime == CREATED + timedelta(hours=3)
    body = it.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    assert [line for line in body.get_content().splitlines() if line.startswith("#")] == [
        "# Build **42** failed",
        "# Another",
        "# Build **42** failed",
    ]


def test_the_category_of_a_digest() -> None:
    """The one that all share, or else all categories."""
    build, bill = message(), message(category="billing")
    assert mail.category(parcel(build)) == "build"
    assert mail.category(parcel(build, build)) == "build"
    assert mail.category(parcel(build, bill)) == "*"


def test_the_channel_may_name_whom_it_goes_to() -> None:
    """`to` wins over the recipient's own address, which then need not be known."""
    config = {"from": "bell@tocsin.example", "to": "team@example.org"}
    for recipient in (Recipient("ada", "ada@example.org"), Recipient("ada")):
        it = mail.build(parcel(config=config, recipient=recipient))
        assert (it.recipient, parsed(it)["To"]) == ("team@example.org", "team@example.org")


@pytest.mark.parametrize("email", [None, ""])
def test_nobody_to_write_to(email: str | None) -> None:
    """Without any address there is no mail."""
    with pytest.raises(UnaddressedError, match=r"^The recipient has no email address\.$"):
        mail.build(parcel(recipient=Recipient("ada", email)))


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "@example.org",
        "ada@",
        "ada@example..org",
        "ada@example.org\nBcc: all@example.org",
        "ada@example.org\r\n",
        "ada\x00@example.org",
        "a@b@example.org",
        "<ada@example.org>",
        "Ada <ada@example.org>",
        "a,b@example.org",
        '"a b"@example.org',
        "a b@example.org",
        "a\u00a0b@example.org",
        "a\u200bb@example.org",
        "=?utf-8?q?=0ABcc?=@example.org",
        f"{'a' * 65}@example.org",
        f"ada@{'a.' * 130}org",
    ],
)
def test_a_malformed_address(address: str) -> None:
    """It is refused on either side, and not repeated."""
    with pytest.raises(UnaddressedError, match=r"^The recipient's email address is malformed\.$"):
        mail.build(parcel(recipient=Recipient("ada", address)))
    with pytest.raises(UnaddressedError, match=r"^The channel's sender is no email address\.$"):
        mail.build(parcel(config={"from": address}))


def test_an_international_address() -> None:
    """Letters beyond ASCII stay as they are in the envelope and in the header (RFC 6532)."""
    it = mail.build(parcel(recipient=Recipient("ada", "jürgen@straße.example")))
    assert (it.recipient, it.is_international) == ("jürgen@straße.example", True)
    assert "To: jürgen@straße.example\r\n".encode() in it.content
    assert mail.build(parcel()).is_international is False


@given(st.text() | st.from_regex(r"\A(=\?utf-8\?[qb]\?[A-Za-z0-9=_]{0,20}\?=|[ \n,:<>é]){0,9}\Z"))
def test_no_title_breaks_out_of_the_subject(title: str) -> None:
    """Any title, encoded words too, is read back as one line, and adds no header."""
    it = made(parcel(message(title=title)), URL)
    assert it.keys() == HEADERS
    assert str(it["Subject"]) == prose.subject([message(title=title)])


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_address_breaks_out_of_its_header(sender: str, recipient: str) -> None:
    """Any text is refused, or is read back as the one address of its header."""
    try:
        it = made(parcel(config={"from": f"{sender}@a.example"}, recipient=Recipient("x", f"{recipient}@b")))
    except UnaddressedError:
        return
    assert it.keys() == [name for name in HEADERS if "Unsubscribe" not in name]
    assert str(it["To"]) == f"{recipient}@b"
    assert str(it["From"]) == f"{sender}@a.example"


@given(st.text(), st.text())
def test_any_text_arrives(body: str, title: str) -> None:
    """All content is 7-bit, in lines of less than 999 characters, and the text is what was written."""
    it = mail.build(parcel(message(title=title, body=body)))
    assert it.content.isascii()
    lines = it.content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert [line for line in lines if b"\n" in line or b"\r" in line] == []
    part = parsed(it).get_body(("plain",))
    assert isinstance(part, EmailMessage)
    assert part.get_content().splitlines() == prose.markdown([message(body=body)]).splitlines()


def test_long_lines() -> None:
    """A title of 1,000 letters and a link of 2,000 are folded, and read back whole."""
    it = mail.build(parcel(message(title="x" * 1_000)), f"https://tocsin.example/{'y' * 2_000}")
    assert max(map(len, it.content.split(b"\r\n"))) <= 998
    assert parsed(it)["Subject"] == "x" * 1_000
    folded = parsed(it)["List-Unsubscribe"]
    assert folded.replace(" ", "") == f"<https://tocsin.example/{'y' * 2_000}>"
