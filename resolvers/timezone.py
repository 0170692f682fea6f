"""Time zones, as the tzdata package has them: the same on every host, whatever its own database says."""

from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def names() -> frozenset[str]:
    """Return every IANA zone name; the standard library's own list reads hundreds of files at each call."""
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


@lru_cache(maxsize=1024)
def zone(name: str | None) -> ZoneInfo:
    """Return a zone; UTC for None, and for a stored name that this tzdata no longer has."""
    known = name if name in names() else "UTC"
    with files("tzdata").joinpath("zoneinfo", *str(known).split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=known)
