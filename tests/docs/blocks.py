"""The code blocks of the README and of docs/, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?P<notes>(?:^ *<!-- [^\n]* -->\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"\n]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_NOTE = re.compile(r"<!-- (.*?) -->")


@dataclass(frozen=True)
class Block:
    """A code block. page: its path in the repository. notes: the comments right above it, which nobody sees."""

    page: str
    line: int
    language: str
    title: str | None
    notes: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        """Say where it is."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return the paths of the README and of all pages of docs/."""
    return ["README.md", *sorted(it.relative_to(ROOT).as_posix() for it in (ROOT / "docs").rglob("*.md"))]


def blocks_of(page: str) -> Iterator[Block]:
    """Yield a page's blocks."""
    source = (ROOT / page).read_text()
    for found in _BLOCK.finditer(source):
        yield Block(
            page,
            source.count("\n", 0, found.start("indent")) + 1,
            found["language"],
            found["title"],
            tuple(_NOTE.findall(found["notes"])),
            dedent(found["text"]),
        )


def titled(page: str, title: str) -> dict[str, str]:
    """Return the texts of a page's blocks with a title, by language."""
    return {it.language: it.text for it in blocks_of(page) if it.title == title}
