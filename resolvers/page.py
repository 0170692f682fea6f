"""Pages of a list, as Relay's cursor connections give them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.listing import Listing
from db.session import Reader
from db.types import Position
from resolvers import cursor
from resolvers.errors import bad_input
from resolvers.inputs import in_range

DEFAULT_SIZE = 20
MAX_SIZE = 200
_MAX_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class PageArgs:
    """What a client asked for. `page` counts from 1 and is for clients that cannot use cursors."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The page to read: `size` rows from a position or an offset on, towards older or newer ones."""

    size: int
    backwards: bool = False
    position: Position | None = None
    offset: int = 0


def window(args: PageArgs) -> Window:
    """Check what a client asked for: BAD_USER_INPUT, LIMIT_OUT_OF_RANGE or INVALID_CURSOR."""
    _refuse_contradictions(args)
    if args.last is not None:
        size = in_range("last", args.last, 1, MAX_SIZE)
        return Window(size, True, cursor.position(args.before) if args.before is not None else None)
    size = in_range("first", DEFAULT_SIZE if args.first is None else args.first, 1, MAX_SIZE)
    if args.page is not None:
        return Window(size, offset=(in_range("page", args.page, 1, _MAX_PAGE) - 1) * size)
    return Window(size, position=cursor.position(args.after) if args.after is not None else None)


def _refuse_contradictions(args: PageArgs) -> None:
    if (args.last, args.before, args.page) == (None, None, None):
        return
    given = {name for name in ("first", "after", "last", "before", "page") if getattr(args, name) is not None}
    rules: Sequence[tuple[str, Collection[str], str]] = (
        ("last", {"first", "after", "page"}, "goes with neither first, after nor page."),
        ("before", {"first", "after", "page"}, "goes with last only."),
        ("page", {"after"}, "goes with first only."),
    )
    wrong = [(name, detail) for name, others, detail in rules if name in given and given & set(others)]
    if "before" in given and "last" not in given and not wrong:
        wrong = [("before", "goes with last only.")]
    if wrong:
        raise bad_input(*wrong)


@dataclass(frozen=True, slots=True)
class Edge:
    """A row and its cursor."""

    node: Any

    @property
    def cursor(self) -> str:
        """The cursor that continues after, or before, this row."""
        return cursor.of_row(self.node)


@dataclass(frozen=True, slots=True)
class Connection:
    """A page: the rows of a window that was read with one row more than its size."""

    nodes: Sequence[Any]
    window: Window
    has_more: bool

    @property
    def edges(self) -> list[Edge]:
        """The rows with their cursors."""
        return [Edge(node) for node in self.nodes]

    @property
    def page_info(self) -> "PageInfo":
        """Where the page lies."""
        return PageInfo(self)


class PageInfo:
    """Relay's page info: what there is more of is known ahead of us, and assumed behind where we came from."""

    def __init__(self, page: Connection) -> None:
        self._page = page

    @property
    def _is_behind(self) -> bool:
        window = self._page.window
        return window.position is not None or window.offset > 0

    @property
    def has_next_page(self) -> bool:
        """Whether there is more after the page."""
        return self._is_behind if self._page.window.backwards else self._page.has_more

    @property
    def has_previous_page(self) -> bool:
        """Whether there is more before the page."""
        return self._page.has_more if self._page.window.backwards else self._is_behind

    @property
    def start_cursor(self) -> str | None:
        """The first row's cursor."""
        return cursor.of_row(self._page.nodes[0]) if self._page.nodes else None

    @property
    def end_cursor(self) -> str | None:
        """The last row's cursor."""
        return cursor.of_row(self._page.nodes[-1]) if self._page.nodes else None


def cut(rows: Sequence[Any], window: Window) -> tuple[Sequence[Any], bool]:
    """Take the extra row off that only told whether there is more."""
    has_more = len(rows) > window.size
    if not has_more:
        return rows, False
    return (rows[1:] if window.backwards else rows[:-1]), True


@dataclass(frozen=True, slots=True)
class CountedPage(Connection):
    """A page of a listing, and how many rows match in all; 0 if that was not asked for."""

    total_count: int


async def counted_page(
    reader: Reader,
    listing: Listing,
    given: Mapping[str, Any],
    first: int | None,
    after: str | None,
    *,
    with_total: bool,
) -> CountedPage:
    """Read a page of a listing; given: what restricts it, None and an empty list meaning no restriction."""
    asked = window(PageArgs(first=first, after=after))
    wanted = {name: value for name, value in given.items() if value not in (None, [])}
    nodes, has_more = cut(await listing.page(reader, wanted, asked.position, asked.size + 1), asked)
    total = await listing.count(reader, wanted) if with_total else 0
    return CountedPage(nodes, asked, has_more, total)
