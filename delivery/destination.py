"""Where a POST goes: a URL, read more strictly than browsers do."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

_AUTHORITY = re.compile(r"(\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^@:\[\]]+))(:(?P<port>[0-9]{0,5}))?")
_LABEL = r"[a-z0-9_-]{1,63}"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_FIRST_FREE_PORT, _LAST_PORT = 1_024, 65_535
# RFC 3986: what a path or a query may hold as it is; % is there because it may be quoted already.
_AS_IS = "/?%:@!$&'()*+,;=~"


class Destination(NamedTuple):
    """A URL taken apart, in ASCII. host: a name or an IP address, without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What stands in the Host field (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def read(url: str, *, allow_http: bool) -> Destination:
    """Take a URL apart; ValueError if it is not wholly plain.

    Refused are schemes other than https: (and http:, where allowed), users, fragments, hosts that are not
    in their one normal spelling, and ports that other protocols have: a mail server would read a POST's lines.
    """
    if not url.isprintable() or " " in url:  # first, for urlsplit drops control characters
        raise ValueError("A URL has no spaces or control characters.")
    parts = urlsplit(url)
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if parts.scheme not in (("https", "http") if allow_http else ("https",)) or parts.fragment:
        raise ValueError("The scheme is not allowed, or there is a fragment.")
    if authority is None:
        raise ValueError("There is no host, or more than a host and a port.")
    host = str(IPv6Address(authority["v6"])) if authority["v6"] else _ascii(authority["name"])
    return Destination(parts.scheme, host, _port(parts.scheme, authority["port"]), _target(parts))


def _ascii(name: str) -> str:
    """Return a host name as the DNS has it (RFC 3490), or raise ValueError.

    What changes on the way there and back is refused: other digits and dots, full-width letters, and letters
    such as ß, for which IDNA 2003 and 2008 find different hosts.
    """
    wanted = ascii = name.lower()
    if not wanted.isascii():
        ascii = wanted.encode("idna").decode("ascii")
        if ascii.encode("ascii").decode("idna") != wanted:
            raise ValueError("The name has more than one spelling.")
    if not _NAME.fullmatch(ascii):
        raise ValueError("The name is not of letters, digits, hyphens and single dots.")
    return ascii


def _port(scheme: str, given: str | None) -> int:
    port = int(given) if given else _DEFAULT_PORTS[scheme]
    if port != _DEFAULT_PORTS[scheme] and not _FIRST_FREE_PORT <= port <= _LAST_PORT:
        raise ValueError("The port belongs to another protocol.")
    return port


def _target(parts: SplitResult) -> str:
    query = f"?{quote(parts.query, safe=_AS_IS)}" if parts.query else ""
    return quote(parts.path or "/", safe=_AS_IS) + query
