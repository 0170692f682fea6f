"""Markdown as Slack's mrkdwn: https://docs.slack.dev/messaging/formatting-message-text.

Slack has no way to escape a sign of formatting. In plain text a zero width space keeps `*`, `_` and `~` from
taking effect, where they would, and a backtick becomes a letter that looks like it. Slack's own sequences, such as
`<!channel>`, begin with `<`, and the only `<` that is ever written here begins a link.
"""

import re
from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from resolvers.text import is_costly

_MAX_URL = 2_000
_LONG_WORD = 50
_APART = "\u200b"  # a zero width space
_BACKTICK = "\u02cb"
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_OPENS = re.compile(r"(?<!\w)([*_~])(?=\S)")
_QUOTE = re.compile(r"^(\s*)&gt;", re.MULTILINE)
_LINKED = re.compile(r"(?:https?://|mailto:)[^\s<>|]+", re.IGNORECASE)
_UNFINISHED = re.compile(r"(?:<[^>]*|&[a-z]{0,3})$")
_STYLES: Mapping[str, str] = {"strong": "*", "em": "_"}
_FENCE = "```"

_markdown = MarkdownIt("commonmark", {"html": False})


def from_markdown(markdown: str) -> str:
    """Return CommonMark as mrkdwn: a heading is bold, an image a link; HTML is text."""
    if is_costly(markdown):
        return escape(markdown)
    return _blocks(SyntaxTreeNode(_markdown.parse(markdown)).children)


def escape(text: str) -> str:
    """Return a text so that Slack shows it as it is, as far as that can be had."""
    quiet = _OPENS.sub(rf"\1{_APART}", text.replace("`", _BACKTICK).translate(_ENTITIES))
    return _QUOTE.sub(rf"\1{_APART}&gt;", quiet)


def link(url: str, label: str) -> str:
    """Return a link, or only its label if the address is not of http:, https: or mailto:, or is too long."""
    shown = escape(" ".join(label.split()))
    target = url.translate(_ENTITIES)
    if len(target) > _MAX_URL or not _LINKED.fullmatch(url):
        return shown
    return f"<{target}|{shown}>" if shown else f"<{target}>"


def cut(mrkdwn: str, most: int) -> str:
    """Return mrkdwn of at most so many characters, which ends with an ellipsis if it was longer.

    Links and entities stay whole, and code ends; a word stays whole if it is short.
    """
    if len(mrkdwn) <= most:
        return mrkdwn
    kept = mrkdwn[: most - len(_FENCE) - 2]
    head, space, tail = kept.rpartition(" ")
    kept = _UNFINISHED.sub(
        "", head if space and len(tail) < _LONG_WORD and "<" not in tail else kept
    ).rstrip()
    return f"{kept}…\n{_FENCE}" if kept.count(_FENCE) % 2 else f"{kept}…"


def _blocks(blocks: Sequence[SyntaxTreeNode], between: str = "\n\n") -> str:
    return between.join(filter(None, map(_block, blocks)))


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph":
            return _inline(node.children[0])
        case "heading":
            return _styled(node.children[0], frozenset(), "strong")
        case "blockquote":
            return _prefixed(_blocks(node.children, "\n"), "> ", "> ")
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "fence" | "code_block":
            return _code(node.content)
        case _:
            return "---"


def _list(node: SyntaxTreeNode) -> str:
    first = int(node.attrs.get("start", 1))
    is_ordered = node.type == "ordered_list"
    return "\n".join(
        _prefixed(_blocks(item.children, "\n"), f"{number}. " if is_ordered else "• ", "    ")
        for number, item in enumerate(node.children, first)
    )


def _prefixed(text: str, first: str, rest: str) -> str:
    return first + text.replace("\n", f"\n{rest}")


def _code(content: str) -> str:
    quiet = content.translate(_ENTITIES).replace(_FENCE, f"``{_APART}`")
    return f"{_FENCE}\n{quiet.rstrip(chr(10))}\n{_FENCE}"


def _inline(node: SyntaxTreeNode, active: frozenset[str] = frozenset()) -> str:
    """Return a line's parts. active: the styles around it, in which Slack allows no line breaks."""
    line = ""
    for part in filter(None, (_part(child, active) for child in node.children)):
        line += _parted(line, part)
    return line


def _parted(before: str, part: str) -> str:
    """Return a part; a zero width space keeps a sign of formatting off the letters beside it."""
    signs = (*_STYLES.values(), "`")
    begins = part.startswith(signs) and before[-1:].isalnum()
    ends = before.endswith(signs) and part[0].isalnum()
    return f"{_APART}{part}" if begins or ends else part


def _part(node: SyntaxTreeNode, active: frozenset[str]) -> str:
    match node.type:
        case "softbreak" | "hardbreak":
            return " " if active else "\n"
        case "code_inline":
            return f"`{node.content.replace('`', _BACKTICK).translate(_ENTITIES)}`"
        case "strong" | "em":
            return _styled(node, active, node.type)
        case "link" | "image":
            return link(str(node.attrs["href" if node.type == "link" else "src"]), _plain(node))
        case _:
            return escape(node.content)


def _styled(node: SyntaxTreeNode, active: frozenset[str], style: str) -> str:
    inside = _inline(node, active | {style})
    sign = "" if style in active or not inside.strip() else _STYLES[style]
    return f"{sign}{inside}{sign}"


def _plain(node: SyntaxTreeNode) -> str:
    if node.type in {"softbreak", "hardbreak"}:
        return " "
    if node.children or node.type == "image":  # an image's content repeats its children
        return "".join(map(_plain, node.children))
    return node.content
