"""What a parcel says in text."""

from hypothesis import given
from hypothesis import strategies as st

from delivery import prose
from tests.delivery.parcels import message

ACTIONS = [
    {"label": "Log & more", "url": "https://ci.example/42?a=1&b=2"},
    {"label": "Write", "url": "mailto:ops@example.org"},
    {"label": "Inside", "url": "/builds/42"},
]


def test_the_subject_is_the_title_in_one_plain_line() -> None:
    """Markdown, line breaks and control characters go; letters of all scripts stay."""
    assert prose.subject([message()]) == "Build 42 failed"
    assert prose.subject([message(title="Ärger\r\nBcc: all\x00@example.org\u2028 日本 👩‍👩‍👧")]) == (
        "Ärger Bcc: all\ufffd@example.org 日本 👩‍👩‍👧"
    )


def test_the_subject_of_several_counts_the_rest() -> None:
    """A digest of three is named after the first, in no language."""
    assert prose.subject([message(), message(title="b"), message(title="c")]) == "Build 42 failed (+2)"


@given(st.text())
def test_no_title_has_a_control_character_in_the_subject(title: str) -> None:
    """Whatever the title, its subject is one line."""
    subject = prose.subject([message(title=title)])
    assert len(subject.splitlines()) <= 1
    assert [it for it in subject if ord(it) < 32 or 127 <= ord(it) < 160] == []


def test_markdown_of_one_is_its_body_and_links() -> None:
    """The title is the subject already; what leads nowhere from a mail is left out."""
    said = prose.markdown([message(url="https://ci.example/42", actions=ACTIONS)])
    assert said == (
        "See the [log](https://ci.example/42).\n\n"
        "- <https://ci.example/42>\n"
        "- Log & more: <https://ci.example/42?a=1&b=2>\n"
        "- Write: <mailto:ops@example.org>\n"
    )


def test_markdown_of_several_has_their_titles_in_order() -> None:
    """Each is a section."""
    said = prose.markdown([message(title="One\ntoo", body="1\n"), message(title="Two", body="")])
    assert said == "# One too\n\n1\n\n# Two\n"


def test_the_page() -> None:
    """A heading, the body and a list of links, with everything escaped."""
    said = prose.page([message(body="a < b", url="/inside", actions=ACTIONS)])
    assert said == (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head>\n<body>\n'
        "<h2>Build <strong>42</strong> failed</h2>\n<p>a &lt; b</p>\n"
        '<ul>\n<li><a href="https://ci.example/42?a=1&amp;b=2">Log &amp; more</a></li>\n'
        '<li><a href="mailto:ops@example.org">Write</a></li>\n</ul>\n</body></html>\n'
    )


def test_the_page_of_several() -> None:
    """Sections in order, with a rule between."""
    said = prose.page([message(title="One", body=""), message(title="Two", body="")])
    assert "<h2>One</h2>\n<hr>\n<h2>Two</h2>\n" in said


def test_the_page_fetches_and_runs_nothing() -> None:
    """Images go, from titles too; scripts are text; a link that a mail cannot follow is none."""
    hostile = "![pixel](https://spy.example/1.gif) <script>x()</script> [a](javascript:x()) [b](/inside)"
    said = prose.page([message(title=hostile, body=hostile)])
    assert (said.count("<img"), said.count("spy.example"), said.count("<script"), said.count("href")) == (
        (0, 0, 0, 0)
    )
    assert said.count("&lt;script&gt;") == 2
