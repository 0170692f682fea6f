"""URLs that are safe to show as links."""

from urllib.parse import urlsplit

from resolvers.errors import ErrorCode, TocsinError

_MAX_URL = 2_048


def safe_url(value: object) -> str:
    """Return a URL that is safe to show as a link, or raise INVALID_URL.

    Safe: https:, mailto:, or an app-relative /path (not //host), without control characters, spaces or
    backslashes, which browsers read as slashes.
    """
    if isinstance(value, str) and len(value) <= _MAX_URL and value.isprintable() and _is_safe(value):
        return value
    raise TocsinError(ErrorCode.INVALID_URL, "SafeUrl must be https:, mailto: or an app-relative /path.")


def _is_safe(url: str) -> bool:
    if " " in url or "\\" in url:
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0  # a port that is none raises
    except ValueError:
        return False
    return has_host if parts.scheme == "https" else parts.scheme == "mailto" and "@" in parts.path
