"""Markdown as Slack's mrkdwn: what it looks like, and that nobody is called by a text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.mrkdwn import cut, escape, from_markdown, link

APART, TICK = "\u200b", "\u02cb"


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("", ""),
        ("plain ü ☃", "plain ü ☃"),
        ("**bold** __too__", "*bold* *too*"),
        ("*italic* _too_", "_italic_ _too_"),
        ("***both***", "_*both*_"),
        ("**a *b* c**", "*a _b_ c*"),
        ("**a **b** c**", "*a b c*"),
        ("`code *as is*`", "`code *as is*`"),
        ("`` a`b ``", f"`a{TICK}b`"),
        ("a**b**c", f"a{APART}*b*{APART}c"),
        ("a`b`c, (**d**).", f"a{APART}`b`{APART}c, (*d*)."),
        ("one\ntwo  \nthree", "one\ntwo\nthree"),
        ("**one\ntwo**", "*one two*"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("# One **two**\n\nthree", "*One two*\n\nthree"),
        ("One\n===\n---", "*One*\n\n---"),
        ("- a\n- b\n  - c\n\n    d", "• a\n• b\n    • c\n        d"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> a\n> b\n>\n> > c", "> a\n> b\n> > c"),
        ("```python\nif a < b:\n    *c*\n```", "```\nif a &lt; b:\n    *c*\n```"),
        ("    a\n    b", "```\na\nb\n```"),
        ("````\n```\n````", f"```\n``{APART}`\n```"),
        ("[a *b*](https://e.x/?c=1&d=2)", "<https://e.x/?c=1&amp;d=2|a b>"),
        ("<https://e.x>", "<https://e.x|https://e.x>"),
        ("[](https://e.x)", "<https://e.x>"),
        ("[a](mailto:a@e.x)", "<mailto:a@e.x|a>"),
        ("[a\nb](https://e.x 'title')", "<https://e.x|a b>"),
        ("[a|b>c](<https://e.x/|>)", "<https://e.x/%7C|a|b&gt;c>"),
        ("[a](/path) [b](ftp://e.x) [c](javascript:alert(1))", "a b [c](javascript:alert(1))"),
        ("![a *b*](https://e.x/i.png)", "<https://e.x/i.png|a b>"),
        ("![](https://e.x/i.png)", "<https://e.x/i.png>"),
        ("**[a](https://e.x)**", "*<https://e.x|a>*"),
        ("<b>a</b> & &lt;c&gt; &copy;", "&lt;b&gt;a&lt;/b&gt; &amp; &lt;c&gt; ©"),
        (r"\*a\* \_b\_ ~c~ \`d\`", f"*{APART}a* _{APART}b_ ~{APART}c~ {TICK}d{TICK}"),
        ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
        (r"\> a", f"{APART}&gt; a"),
        ("a &gt; b", "a &gt; b"),
    ],
)
def test_markdown(markdown: str, mrkdwn: str) -> None:
    """Each construct, as Slack writes it."""
    assert from_markdown(markdown) == mrkdwn


CALLS = [
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<@U012AB3CD>",
    "<#C012AB3CD>",
    "<!subteam^S012AB3CD>",
    "<!date^1392734382^{date}^https://e.x|x>",
]
WRAPPED = [
    "{}",
    "`{}`",
    "**{}**",
    "# {}",
    "> {}",
    "- {}",
    "[{}](https://e.x)",
    "![{}](https://e.x)",
    "```\n{}\n```",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("around", WRAPPED)
def test_no_sequence_of_slacks_own_works(call: str, around: str) -> None:
    """Wherever it stands: it is text."""
    made = from_markdown(around.format(call)).replace("<https://e.x|", "", around.count("https"))
    assert "<" not in made
    assert f"&lt;{call[1]}" in made


def test_nor_in_an_address() -> None:
    """An address that holds a sequence, or the end of a link, is not one that is linked to."""
    for url in (
        "https://e.x/|<!here>",
        "https://e.x/><!here>",
        "https://e.x/ <!here>",
        "!here",
        "@U1",
        "#C1",
        "",
    ):
        assert link(url, "a") == "a"
    assert from_markdown("[a](<https://e.x/><!here>)") == ("[a](<https://e.x/|https://e.x/>&lt;!here&gt;)")
    assert link("https://e.x/" + "&" * 400, "a") == "a"


ONLY_LINKS = re.compile(r"[^<]*(?:<(?:https?://|mailto:)[^\s<>|]+(?:\|[^<>\n]+)?>[^<]*)*", re.IGNORECASE)
PIECES = st.sampled_from(
    [*"<>!@#|&*_~`[]() \n\\a-", "https://e.x/", "<!here>", "&lt;", "```", "mailto:", "> ", "1. "]
)


@given(st.text() | st.lists(PIECES).map("".join), st.integers(10, 60))
def test_what_begins_with_a_bracket_is_a_link(markdown: str, most: int) -> None:
    """In any text whatever, whole or cut; and what is cut is no longer than was asked."""
    made = from_markdown(markdown)
    assert ONLY_LINKS.fullmatch(made)
    assert ONLY_LINKS.fullmatch(cut(made, most))
    assert len(cut(made, most)) <= most
    assert "<" not in escape(markdown)


@pytest.mark.parametrize(
    ("mrkdwn", "short"),
    [
        ("a" * 20, "a" * 20),
        ("a" * 21, "a" * 15 + "…"),
        ("one two three four five", "one two three…"),
        ("<https://e.x|a> bcdefghi", "<https://e.x|a>…"),
        ("a <https://e.x/abcdef|a>", "a…"),
        ("abcdefghijklm&amp;&amp;", "abcdefghijklm…"),
        ("```\nabc defghij klm\n```", "```\nabc…\n```"),
    ],
)
def test_cut(mrkdwn: str, short: str) -> None:
    """To 20 characters; links, entities and words stay whole, and code ends."""
    assert cut(mrkdwn, 20) == short


@pytest.mark.parametrize(
    "unit", ["<", "*", "_a", "`", "[", "![", "> ", "- ", "&", "[a](https://e.x) ", "**a** ", "```\n"]
)
def test_a_long_body_takes_no_time(unit: str) -> None:
    """64 KiB of one sign are converted and cut in less than two seconds of CPU."""
    start = time.process_time()
    assert len(cut(from_markdown(unit * (65_536 // len(unit))), 3_000)) <= 3_000
    assert time.process_time() - start < 2
