"""Which IP addresses the worker may speak to, and the one look-up of a name that finds them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Finds the IP addresses of a host; an OSError if there are none."""

# IANA registers these for special purposes, and yet ipaddress calls them global, or did in some version.
_SPECIAL_V4 = tuple(
    IPv4Network(block)
    for block in (
        "168.63.129.16/32",  # not of IANA's: Azure's host, as its virtual machines see it
        "192.0.0.0/24",  # protocol assignments
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address within
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# RFC 5214: the last 32 bits are an IPv4 address behind these.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


class AddressNotAllowedError(Exception):
    """A host of which an address is not public."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is of a public host: what is not known to be one is not.

    Refused is all that https://www.iana.org/assignments/iana-ipv4-special-registry (and -ipv6-) lists, and
    every IPv6 form that carries an IPv4 address, but for a NAT64 prefix of a network's own: nobody can tell
    one from other addresses.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_v4(parsed) if isinstance(parsed, IPv4Address) else _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _SPECIAL_V4)
    )


def _is_public_v6(address: IPv6Address) -> bool:
    return (
        address.scope_id is None
        and address in _UNICAST_V6
        and not any(address in network for network in _SPECIAL_V6)
        and int(address) >> 32 & 0xFFFF_FFFF not in _ISATAP
    )


async def look_up(host: str) -> list[str]:
    """Return the addresses of a host by the system's resolver, the best first; socket.gaierror if none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _family, _type, _protocol, _name, address in found]


async def public_addresses(host: str, resolve: Resolve) -> Sequence[str]:
    """Resolve a host once; AddressNotAllowedError if any of its addresses is not public.

    One bad address condemns the others: no honest name mixes them. Connect to what this returns and never
    to the host, for a second look-up may find something else.
    """
    found = await resolve(host)
    if not all(is_public(address) for address in found):
        raise AddressNotAllowedError
    return found
