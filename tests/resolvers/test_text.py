"""Titles and bodies: as written, as plain text, and as HTML that does nothing."""

import html
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from resolvers import text
from resolvers.text import TextFormat
from tests.support import Api

HTML, PLAIN, MARKDOWN = TextFormat.HTML, TextFormat.PLAINTEXT, TextFormat.MARKDOWN
DOCUMENT = """query($id: ID!) { notification(id: $id) {
  title body markdown: title(format: MARKDOWN) plain: title(format: PLAINTEXT) html: title(format: HTML)
  none: title(format: null) bodyMarkdown: body(format: MARKDOWN) bodyPlain: body(format: PLAINTEXT)
  bodyHtml: body(format: HTML) bodyNone: body(format: null)
} }"""


async def test_three_formats(ada: Api.User) -> None:
    """A title and a body come as Markdown unless asked, as plain text, or as HTML."""
    body = "# Build *42*\n\nIt **failed**:\n\n- [log](https://e.x/log)\n- `make test`\n"
    (id,) = await ada.receive("Build **42** `failed`", body=body)
    assert (await ada.data(DOCUMENT, id=id))["notification"] == {
        "title": "Build **42** `failed`",
        "body": body,
        "markdown": "Build **42** `failed`",
        "plain": "Build 42 failed",
        "html": "Build <strong>42</strong> <code>failed</code>",
        "none": "Build **42** `failed`",
        "bodyMarkdown": body,
        "bodyPlain": "Build 42\nIt failed:\nlog\n\nmake test",
        "bodyHtml": "<h1>Build <em>42</em></h1>\n<p>It <strong>failed</strong>:</p>\n<ul>\n<li>"
        '<a href="https://e.x/log" rel="noopener noreferrer">log</a></li>\n'
        "<li><code>make test</code></li>\n</ul>\n",
        "bodyNone": body,
    }


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a < b & c > d", "a < b & c > d"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("*a* _b_ **c** `d`", "a b c d"),
        ("[label](https://e.x)", "label"),
        ("![alt](https://e.x/i.png)", "alt"),
        ("&lt;b&gt; &amp; &copy;", "<b> & ©"),
        (r"\*not emphasis\*", "*not emphasis*"),
        ("<https://e.x>", "https://e.x"),
    ],
)
def test_plain_text(markdown: str, plain: str) -> None:
    """Plain text is what a reader would read, in a title as in a body."""
    assert text.title(markdown, PLAIN) == plain
    assert text.body(markdown, PLAIN) == plain


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("# One\n\ntwo\nthree", "One\ntwo\nthree"),
        ("a  \nb", "a\nb"),
        ("```\ncode *as is*\n```", "code *as is*"),
        ("> quoted", "quoted"),
        ("a\n\n---\n\nb", "a\nb"),
    ],
)
def test_plain_blocks(markdown: str, plain: str) -> None:
    """Blocks are lines."""
    assert text.body(markdown, PLAIN) == plain


def test_a_title_has_no_blocks() -> None:
    """What would begin a heading, a list or a rule in a body is plain text in a title."""
    for markdown in ("# 1 failed", "- 1 failed", "1. failed", "> failed", "---"):
        html = text.title(markdown, HTML)
        assert html == markdown.replace(">", "&gt;")
        assert text.title(markdown, PLAIN) == markdown


ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></ScRiPt>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    '<img src="x" onerror="alert(1)"',
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mi//xlink:href='javascript:alert(1)'>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src=//evil.example>",
    "<form action=javascript:alert(1)><input type=submit></form>",
    "<body onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<div style='background:url(javascript:alert(1))'>x</div>",
    "<style>@import 'javascript:alert(1)';</style>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href='javascript:alert(1)//'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x]( javascript:alert(1))",
    "[x](<\x01javascript:alert(1)>)",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://e.x/1)",
    '[x](https://e.x "title\\" onmouseover=\\"alert(1)")',
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    '![x" onerror="alert(1)](https://e.x/i.png)',
    '![x](https://e.x/i.png" onerror="alert(1))',
    "[![x](javascript:alert(1))](javascript:alert(2))",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "[x]\n\n[x]: javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "`<script>alert(1)</script>`",
    "```<script>\n<img src=x onerror=alert(1)>\n```",
    '```html" onload="alert(1)\nx\n```',
    "*<script>*alert(1)*</script>*",
    "\u003cscript\u003ealert(1)\u003c/script\u003e",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
]
TAGS = {"a", "blockquote", "br", "code", "em", "h1", "hr", "img", "li", "ol", "p", "pre", "strong", "ul"}
ATTRIBUTES = {"href", "src", "alt", "title", "rel", "start"}


def scheme_of(address: str) -> str | None:
    """Return the scheme as a browser finds it: it drops tabs and newlines, and what comes before."""
    bare = re.sub(r"[\t\r\n]", "", address).lstrip("".join(map(chr, range(33))))
    found = re.match(r"([a-z][a-z0-9+.-]*):", bare, re.IGNORECASE)
    return found[1].lower() if found else None


class Seen(HTMLParser):
    """What a browser would find in a fragment."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses |= {value for name, value in attrs if name in {"href", "src"}}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_active_in_html(attack: str) -> None:
    """No markup of a producer's brings a script, a handler, a style, or an address that runs something."""
    for wrapped in (attack, f"*{attack}*", f"> {attack}", f"a\n\n- {attack}\n"):
        for show in (text.title, text.body):
            seen = Seen(show(wrapped, HTML))
            assert seen.tags <= TAGS
            assert seen.attributes <= ATTRIBUTES
            assert {scheme_of(it) for it in seen.addresses} <= {"https", "http", "mailto", None}


async def test_html_over_the_api_is_sanitised(ada: Api.User) -> None:
    """What clients get is sanitised: the whole corpus in one body shows only harmless tags."""
    (id,) = await ada.receive(ATTACKS[3], body="\n\n".join(ATTACKS))
    found = (await ada.data(DOCUMENT, id=id))["notification"]
    assert Seen(found["html"]).tags == set()
    seen = Seen(found["bodyHtml"])
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert found["bodyMarkdown"] == "\n\n".join(ATTACKS)


@pytest.mark.parametrize(
    "words", ["plain", "*a* _b_ `c` [d](https://e.f)", "# 1. <b>&amp;</b> \\", "~!|{}^'\"$%"]
)
def test_what_is_escaped_is_shown_as_it_is(words: str) -> None:
    """Markup, entities and lists included; only white space is one space."""
    assert text.body(text.escaped(words), TextFormat.PLAINTEXT) == words
    assert text.body(text.escaped(f" \n{words}\n\n- x"), TextFormat.PLAINTEXT) == f"{words} - x"


_SIGNS = ["[", "![", "*a ", "_a_ ", "# a\n", "a\n\n", "[a](", "`a", "> a\n", "- a\n", "&", "<", "*_"]


@pytest.mark.parametrize("sign", _SIGNS)
def test_markdown_that_takes_long_is_shown_as_it_is(sign: str) -> None:
    """64 KiB of any sign of markup, in each format, for less than 50 ms of CPU; and nothing of it is lost."""
    markdown = (sign * 65_536)[:65_536]
    assert _cost(lambda: (text.body(markdown, HTML), text.body(markdown, PLAIN))) < 0.05
    assert text.body(markdown, PLAIN) == markdown
    assert html.unescape(text.body(markdown, HTML)) == f"<pre>{markdown}</pre>\n"


@pytest.mark.parametrize("sign", _SIGNS)
def test_markdown_with_as_many_signs_as_may_be_is_rendered_soon(sign: str) -> None:
    """The last that is rendered takes less than 50 ms, too."""
    signs = sum(not it.isalnum() and it != " " for it in sign)
    markdown = sign * (text.MOST_SIGNS // signs)
    assert not text.body(markdown, HTML).startswith("<pre>")
    assert _cost(lambda: text.body(markdown, HTML)) < 0.05


def _cost(run: Callable[[], object]) -> float:
    """Return the seconds of CPU that it takes: the least of five, for others work here."""
    costs = []
    for _ in range(5):
        start = time.process_time()
        run()
        costs.append(time.process_time() - start)
    return min(costs)
