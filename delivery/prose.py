"""What a parcel says, for channels that carry text: a subject, and its messages as Markdown or as HTML."""

import html
import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

import nh3

from delivery.parcel import Message
from resolvers import text
from resolvers.text import TextFormat

_LINKED = {"https", "http", "mailto"}
# What shows an image fetches it, and tells its host who reads the mail, and when.
_TAGS = nh3.ALLOWED_TAGS - {"img"}


def subject(messages: Sequence[Message]) -> str:
    """Return one line of plain text without control characters; of several messages, how many more follow."""
    first = _line(text.title(messages[0].title, TextFormat.PLAINTEXT))
    return f"{first} (+{len(messages) - 1})" if len(messages) > 1 else first


def markdown(messages: Sequence[Message]) -> str:
    """Return the bodies and links; those of several messages under their titles."""
    if len(messages) == 1:
        return _joined(_body(messages[0]))
    return _joined([part for it in messages for part in (f"# {_line(it.title)}", *_body(it))])


def page(messages: Sequence[Message]) -> str:
    """Return an HTML page, a section a message; nothing in it is fetched from anywhere."""
    sections = "<hr>\n".join(_section(it) for it in messages)
    return f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head>\n<body>\n{sections}</body></html>\n'


def _body(message: Message) -> list[str]:
    links = [f"- {label}: <{url}>" if label else f"- <{url}>" for label, url in _links(message)]
    return [message.body.strip(), "\n".join(links)]


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(message: Message) -> str:
    links = "".join(
        f'<li><a href="{html.escape(url)}">{html.escape(label or url)}</a></li>\n'
        for label, url in _links(message)
    )
    title = _at_rest(text.title(message.title, TextFormat.HTML))
    body = _at_rest(text.body(message.body, TextFormat.HTML))
    return f"<h2>{title}</h2>\n{body}" + (f"<ul>\n{links}</ul>\n" if links else "")


def _links(message: Message) -> list[tuple[str, str]]:
    """Return (label, url) of what can be followed from outside the application: no relative addresses."""
    links = [("", message.url or ""), *((_line(it["label"]), it["url"]) for it in message.actions)]
    return [(label, url) for label, url in links if urlsplit(url).scheme in _LINKED]


def _at_rest(markup: str) -> str:
    return nh3.clean(markup, tags=_TAGS, url_schemes=_LINKED, url_relative="deny")


def _line(words: str) -> str:
    return " ".join("".join(" " if unicodedata.category(it) == "Cc" else it for it in words).split())
