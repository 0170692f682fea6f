"""What arguments must be before they reach the database; wrong ones are named."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from resolvers.errors import ErrorCode, TocsinError, bad_input

MAX_LIST = 100
MAX_ID = 255
MAX_ID_BYTES = 510
"""Four ids, as in the key of a counter, fit an index row of Postgres (2,704 bytes)."""
_NO_SUCH_ID = UUID(int=0)

Problem = tuple[str, str]
"""A field's dotted path and what is wrong with it."""


def uuid_or_none(id: str) -> UUID | None:
    """Return the UUID that an id spells canonically; any other text is the id of nothing."""
    try:
        parsed = UUID(id)
    except ValueError:
        return None
    return parsed if str(parsed) == id.lower() else None


def uuids(ids: Iterable[str]) -> tuple[UUID, ...]:
    """Return the ids as UUIDs; one that cannot exist becomes one that does not."""
    return tuple(uuid_or_none(id) or _NO_SUCH_ID for id in ids)


def out_of_range(argument: str, low: int, high: int) -> TocsinError:
    """Return LIMIT_OUT_OF_RANGE for an argument."""
    return TocsinError(
        ErrorCode.LIMIT_OUT_OF_RANGE,
        f"{argument} must be from {low} to {high}.",
        argument=argument,
        min=low,
        max=high,
    )


def in_range(argument: str, value: int, low: int, high: int) -> int:
    """Return the value, or raise LIMIT_OUT_OF_RANGE."""
    if not low <= value <= high:
        raise out_of_range(argument, low, high)
    return value


def text_problem(value: str, least: int = 0, most: int = MAX_ID) -> str | None:
    """Return what is wrong with a text, if anything: Postgres holds neither NUL nor lone surrogates."""
    if len(value) < least:
        return "is empty."
    if len(value) > most:
        return f"is longer than {most:,} characters."
    if "\x00" in value or (not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value)):
        return "contains characters that cannot be stored."
    if most == MAX_ID and len(value.encode()) > MAX_ID_BYTES:
        return f"is longer than {MAX_ID_BYTES} bytes."
    return None


def refuse(checks: Iterable[tuple[str, str | None]]) -> None:
    """Raise BAD_USER_INPUT that names each field which has a problem; the others pass."""
    if problems := [(field, problem) for field, problem in checks if problem]:
        raise bad_input(*problems)


def checked_texts(**arguments: Sequence[str] | str | None) -> None:
    """Raise BAD_USER_INPUT that names each argument that is too long or cannot be stored."""
    refuse(
        (name, _list_problem([given] if isinstance(given, str) else given))
        for name, given in arguments.items()
        if given is not None
    )


def item_checks(field: str, values: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the checks of a list of names: at most 100, each of 1 to 255 characters."""
    if len(values) > MAX_LIST:
        return [(field, f"has more than {MAX_LIST} values.")]
    return [(f"{field}.{index}", text_problem(value, least=1)) for index, value in enumerate(values)]


def _list_problem(values: Sequence[str]) -> str | None:
    if len(values) > MAX_LIST:
        return f"has more than {MAX_LIST} values."
    return next((problem for value in values if (problem := text_problem(value))), None)


class Problems:
    """Collects what is wrong with an input, field by field, to report it all at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def unless(self, fine: bool, field: str, detail: str) -> None:
        """Note a problem unless the field is fine."""
        if not fine:
            self._found.append((field, detail))

    def name(self, field: str, value: str) -> None:
        """Want 1 to 255 characters that can be stored."""
        problem = text_problem(value) if value else "is empty."
        self.unless(not problem, field, problem or "")

    def distinct(self, list: str, key: str, values: Sequence[str]) -> None:
        """Want a list's items to have different keys."""
        seen: set[str] = set()
        for number, value in enumerate(values):
            self.unless(value not in seen, f"{list}.{number}.{key}", "is given twice.")
            seen.add(value)

    def report(self) -> None:
        """Raise BAD_USER_INPUT that lists what was found, if anything."""
        if self._found:
            raise bad_input(*self._found)
