"""Filters as clients give them, made ready for the database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import db.notification_type
from db.session import Source
from db.types import EVERYTHING, Filter
from resolvers.inputs import checked_texts


class Checked(NamedTuple):
    """A filter whose types the tenant knows, at least some of them, and those that it does not."""

    filter: Filter
    ignored_types: Sequence[str]


_EVERYTHING = Checked(EVERYTHING, ())


def checked(filter: Filter) -> Filter:
    """Return the filter, or raise BAD_USER_INPUT that names each value that cannot be."""
    checked_texts(
        types=filter.types, categories=filter.categories, targets=filter.targets, teams=filter.teams
    )
    return filter


async def known_types_only(source: Source, filter: Filter | None) -> Checked:
    """Report the types that the tenant does not know; if it knows none, the filter does not look at types.

    Beside one that is known the others stay: no row has them, and a subscription must see the first one.
    """
    if filter is None:
        return _EVERYTHING
    asked = checked(filter).types
    if not asked:
        return Checked(replace(filter, types=None), ())
    known = await db.notification_type.known(source, asked)
    ignored = [name for name in dict.fromkeys(asked) if name not in known]
    return Checked(replace(filter, types=asked if known else None), ignored)
