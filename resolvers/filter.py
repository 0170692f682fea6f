"""Filters as clients give them, made ready for the database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import db.notification_type
from db.session import Source
from db.types import Filter
from resolvers.inputs import checked_texts


class Checked(NamedTuple):
    """A filter that names only types the tenant knows, and those it dropped."""

    filter: Filter
    ignored_types: Sequence[str]


def checked(filter: Filter) -> Filter:
    """Return the filter, or raise BAD_USER_INPUT that names each value that cannot be."""
    checked_texts(
        types=filter.types, categories=filter.categories, targets=filter.targets, teams=filter.teams
    )
    return filter


async def known_types_only(source: Source, filter: Filter | None) -> Checked:
    """Drop the types that the tenant does not know; if none is left, the filter does not look at types."""
    if filter is None:
        return Checked(Filter(), ())
    asked = checked(filter).types
    if not asked:
        return Checked(replace(filter, types=None), ())
    known = await db.notification_type.known(source, asked)
    kept = tuple(name for name in asked if name in known)
    ignored = [name for name in dict.fromkeys(asked) if name not in known]
    return Checked(replace(filter, types=kept or None), ignored)
