"""A parcel as a mail: RFC 5322 headers around a text and an HTML part that say the same."""

import re
from dataclasses import dataclass
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from delivery import prose
from delivery.parcel import Parcel

# Nothing that would need quotes, nor an encoded word, which some readers decode even here.
_ADDRESS = re.compile(r"(?!.*=\?)[^\s@<>()\[\]\\,;:\"]{1,64}@[\w-]+(\.[\w-]+)*")
_MAX_ADDRESS = 254
# With the field's name a line of 78 characters, so that nothing needs folding (RFC 5322 2.1.1).
_SHORT = 69
_URL_LINE = 900
_PARTS = SMTP.clone(cte_type="7bit")


class UnaddressedError(Exception):
    """A parcel that no mail can be made of; the message says why, without the address."""


@dataclass(frozen=True, slots=True)
class Mail:
    """An envelope and what is in it: sender and recipient are bare addresses, content has CRLF lines."""

    sender: str
    recipient: str
    content: bytes

    @property
    def is_international(self) -> bool:
        """Whether an address is not ASCII, which takes a server with SMTPUTF8 (RFC 6531)."""
        return not (self.sender + self.recipient).isascii()


def build(parcel: Parcel, unsubscribe_url: str | None = None) -> Mail:
    """Return the mail of a parcel, the same at each attempt but for the boundary of its parts.

    unsubscribe_url: takes a POST with one click (RFC 8058). Raises UnaddressedError.
    """
    sender = _checked(parcel.config["from"], "The channel's sender is no email address.")
    to = parcel.config.get("to") or parcel.recipient.email
    if not to:
        raise UnaddressedError("The recipient has no email address.")
    recipient = _checked(to, "The recipient's email address is malformed.")
    headers = {
        "From": sender,
        "To": recipient,
        "Subject": _encoded(prose.subject(parcel.messages)),
        # When the author was done (RFC 5322 3.6.1), whenever it is sent.
        "Date": format_datetime(max(it.created_at for it in parcel.messages)),
        "Message-ID": f"<{parcel.id}@{sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
        **(_unsubscribing(unsubscribe_url) if unsubscribe_url else {}),
    }
    # EmailMessage takes no part in the headers: it decodes what looks like an encoded word in a title, and
    # writes the line breaks that come out (CVE-2024-6923).
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Mail(sender, recipient, head.encode() + _parts(parcel).as_bytes())


def category(parcel: Parcel) -> str:
    """Return the category that all messages share, or else "*", which is all categories."""
    categories = {it.category for it in parcel.messages}
    return categories.pop() if len(categories) == 1 else "*"


def _checked(address: str, fault: str) -> str:
    if len(address) <= _MAX_ADDRESS and address.isprintable() and _ADDRESS.fullmatch(address):
        return address
    raise UnaddressedError(fault)


def _encoded(line: str) -> str:
    """Return a line as it is if that is short ASCII, else as encoded words (RFC 2047)."""
    if line.isascii() and len(line) <= _SHORT and "=?" not in line:
        return line
    return Header(line, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _unsubscribing(url: str) -> dict[str, str]:
    # A line must end before its 998th character; white space within the brackets does not count (RFC 2369 2).
    lines = [url[at : at + _URL_LINE] for at in range(0, len(url), _URL_LINE)]
    folded = "\r\n ".join(lines)
    return {
        "List-Unsubscribe": f"<{folded}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _parts(parcel: Parcel) -> EmailMessage:
    parts = EmailMessage(_PARTS)
    # The Markdown itself: it reads well, and as plain text its links would lead nowhere.
    parts.set_content(prose.markdown(parcel.messages))
    parts.add_alternative(prose.page(parcel.messages), subtype="html")
    return parts
