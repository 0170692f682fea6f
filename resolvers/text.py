"""Markdown as people wrote it, as plain text, or as HTML that is safe to show."""

import html
import re
from enum import StrEnum

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_markdown = MarkdownIt("commonmark", {"html": False})
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_BLOCKS = {"paragraph_close", "heading_close", "blockquote_close", "list_item_close"}


MOST_SIGNS = 1_000
"""What markdown-it takes 10 to 35 µs for, each: a text with more of it is shown as it is, not as Markdown."""
_SIGNS = re.compile(r"[!#&*<>\[\]\\_`(\n~+-]")


class TextFormat(StrEnum):
    """How a text is wanted."""

    MARKDOWN = "MARKDOWN"
    PLAINTEXT = "PLAINTEXT"
    HTML = "HTML"


def title(markdown: str, format: TextFormat) -> str:
    """Return a title: one line, so inline markup only."""
    if format is TextFormat.HTML:
        return _safe(_markdown.renderInline(markdown))
    return _plain(_markdown.parseInline(markdown)) if format is TextFormat.PLAINTEXT else markdown


def body(markdown: str, format: TextFormat) -> str:
    """Return a body."""
    if format is TextFormat.MARKDOWN:
        return markdown
    if format is TextFormat.HTML:
        return as_it_is(markdown) if is_costly(markdown) else _safe(_markdown.render(markdown))
    return markdown if is_costly(markdown) else _plain(_markdown.parse(markdown))


def is_costly(markdown: str) -> bool:
    """Tell Markdown that would take long to render."""
    return len(markdown) > MOST_SIGNS and len(_SIGNS.findall(markdown)) > MOST_SIGNS


def as_it_is(text: str) -> str:
    """Return HTML that shows a text as it was written."""
    return f"<pre>{html.escape(text)}</pre>\n"


def escaped(text: str) -> str:
    """Return Markdown that shows a text as it is, in one line (CommonMark 0.31, section 2.4)."""
    return _PUNCTUATION.sub(r"\\\g<0>", " ".join(text.split()))


def _safe(html: str) -> str:
    return nh3.clean(html, url_schemes={"https", "http", "mailto"})


def _plain(tokens: list[Token]) -> str:
    return "".join(_text_of(token) for token in tokens).strip()


def _text_of(token: Token) -> str:
    if token.children:
        return "".join(_text_of(child) for child in token.children)
    if token.type in {"softbreak", "hardbreak"} or token.type in _BLOCKS:
        return "\n"
    return token.content
