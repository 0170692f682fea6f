"""The filters and tests that templates may use: Jinja's, as far as what they are given bounds their work."""

import html
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import filters as jinja

MAX_TEXT = 65_536
_MAX_PRECISION = 15
_MAX_INTEGER = 2**63


class Absent(NamedTuple):
    """The value of a variable, or of a part of one, that was not given.

    path: as a template writes it, such as `user.name`; None where it has no name.
    """

    path: str | None
    line: int
    is_variable: bool


class TooMuchError(Exception):
    """A template would do more, or make more, than any template needs; the message says which."""


class Filter(NamedTuple):
    """A filter or a test, of JSON values.

    weight: how long it takes for each piece of what it is given, next to other filters; 0 if that plays no part.
    takes_absent: it may be asked of what was not given.
    """

    call: Callable[..., Any]
    weight: int = 1
    takes_absent: bool = False


def text(value: Any) -> str:
    """Return what a value is printed as: None as nothing, all else as Python writes it."""
    return "" if value is None else str(value)


def items(value: Any) -> Sequence[Any]:
    """Return what a loop over a value gives: the keys of an object. A text is no list here."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return list(value)
    raise TypeError


def number(value: Any) -> int | float:
    """Return a number as it is; what is none, or too large to reckon with, is a TypeError."""
    if not isinstance(value, int | float) or (isinstance(value, int) and abs(value) > _MAX_INTEGER):
        raise TypeError
    return value


def bounded(length: int) -> None:
    """Refuse to make a text of more than MAX_TEXT characters."""
    if length > MAX_TEXT:
        raise TooMuchError(f"it makes more than {MAX_TEXT:,} characters.")


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    return default_value if isinstance(value, Absent) or (boolean and not value) else value


def _join(value: Any, d: Any = "", attribute: str | None = None) -> str:
    parts = [text(it) for it in (items(value) if attribute is None else _map(value, attribute))]
    separator = text(d)
    bounded(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def _map(value: Any, attribute: str) -> list[Any]:
    return [it[attribute] for it in items(value)]


def _pairs(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        raise TypeError
    return list(value.items())


def _replace(value: Any, old: Any, new: Any, count: int = -1) -> str:
    whole, before, after = text(value), text(old), text(new)
    bounded(len(whole) + whole.count(before) * max(0, len(after) - len(before)))
    return whole.replace(before, after, count)


def _truncate(
    value: Any, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5
) -> str:
    whole = text(value)
    if not 0 <= len(end) <= length or leeway < 0:
        raise ValueError
    if len(whole) <= length + leeway:
        return whole
    cut = whole[: length - len(end)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def _round(value: Any, precision: int = 0) -> float:
    if not -_MAX_PRECISION <= precision <= _MAX_PRECISION:
        raise ValueError
    return round(number(value), precision)


def _reverse(value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else items(value)[::-1]


def _first(value: Any) -> Any:
    return next(iter(value), None)


def _last(value: Any) -> Any:
    return next(reversed(value), None)


def _caseless(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _sort(value: Any, reverse: bool = False) -> list[Any]:
    return sorted(items(value), key=_caseless, reverse=reverse)


def _unique(value: Any) -> list[Any]:
    found: dict[Any, Any] = {}
    for it in items(value):
        found.setdefault(_caseless(it), it)
    return list(found.values())


def _number(value: Any, kind: type[int | float], default: Any) -> Any:
    """Return a number, as Jinja does: also of a text such as "1.5", and a default for what is none."""
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return kind(float(value))
    except (TypeError, ValueError, OverflowError):
        return default


FILTERS: Mapping[str, Filter] = {
    "abs": Filter(lambda value: abs(number(value))),
    "capitalize": Filter(lambda value: text(value).capitalize()),
    "count": Filter(len, weight=0),
    "d": Filter(_default, weight=0, takes_absent=True),
    "default": Filter(_default, weight=0, takes_absent=True),
    "e": Filter(lambda value: html.escape(text(value))),
    "escape": Filter(lambda value: html.escape(text(value))),
    "first": Filter(_first, weight=0),
    "float": Filter(lambda value, default=0.0: _number(value, float, default)),
    "int": Filter(lambda value, default=0: _number(value, int, default)),
    "items": Filter(_pairs),
    "join": Filter(_join, weight=4),
    "last": Filter(_last, weight=0),
    "length": Filter(len, weight=0),
    "list": Filter(lambda value: list(items(value))),
    "lower": Filter(lambda value: text(value).lower()),
    "map": Filter(_map),
    "max": Filter(lambda value: max(items(value), key=_caseless, default=None)),
    "min": Filter(lambda value: min(items(value), key=_caseless, default=None)),
    "replace": Filter(_replace, weight=4),
    "reverse": Filter(_reverse),
    "round": Filter(_round),
    "sort": Filter(_sort, weight=4),
    "string": Filter(text, weight=4),
    "sum": Filter(lambda value: sum(map(number, items(value))), weight=2),
    "title": Filter(lambda value: jinja.do_title(text(value)), weight=32),
    "trim": Filter(lambda value: text(value).strip()),
    "truncate": Filter(_truncate),
    "unique": Filter(_unique, weight=4),
    "upper": Filter(lambda value: text(value).upper()),
    "urlencode": Filter(lambda value: quote(text(value), safe="/"), weight=8),
}


TESTS: Mapping[str, Filter] = {
    "boolean": Filter(lambda value: isinstance(value, bool), weight=0),
    "defined": Filter(lambda value: not isinstance(value, Absent), weight=0, takes_absent=True),
    "divisibleby": Filter(lambda value, num: number(value) % number(num) == 0),
    "eq": Filter(operator.eq),
    "equalto": Filter(operator.eq),
    "even": Filter(lambda value: number(value) % 2 == 0),
    "false": Filter(lambda value: value is False, weight=0),
    "ge": Filter(operator.ge),
    "greaterthan": Filter(operator.gt),
    "gt": Filter(operator.gt),
    "in": Filter(lambda value, seq: value in seq),
    "le": Filter(operator.le),
    "lessthan": Filter(operator.lt),
    "lt": Filter(operator.lt),
    "mapping": Filter(lambda value: isinstance(value, dict), weight=0),
    "ne": Filter(operator.ne),
    "none": Filter(lambda value: value is None, weight=0),
    "number": Filter(lambda value: isinstance(value, int | float), weight=0),
    "odd": Filter(lambda value: number(value) % 2 == 1),
    "sequence": Filter(lambda value: isinstance(value, list | tuple | str | dict), weight=0),
    "string": Filter(lambda value: isinstance(value, str), weight=0),
    "true": Filter(lambda value: value is True, weight=0),
    "undefined": Filter(lambda value: isinstance(value, Absent), weight=0, takes_absent=True),
}
