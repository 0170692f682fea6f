"""Which addresses are public."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.addresses import AddressNotAllowedError, is_public, look_up, public_addresses

# All that https://www.iana.org/assignments/iana-ipv4-special-registry lists, multicast, and Azure's host.
NOT_PUBLIC = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
]
networks = st.sampled_from([IPv4Network(block) for block in NOT_PUBLIC])


@st.composite
def _bad_ipv4(draw: st.DrawFn) -> int:
    network = draw(networks)
    return draw(st.integers(int(network[0]), int(network[-1])))


# The prefix, how far to the left of the end the IPv4 address stands, and whether its bits are turned over.
FORMS = {
    "mapped": ("::ffff:0:0", 0, False),
    "compatible": ("::", 0, False),
    "translated": ("::ffff:0:0:0", 0, False),
    "NAT64": ("64:ff9b::", 0, False),
    "NAT64 of a network's own": ("64:ff9b:1::", 0, False),
    "6to4": ("2002::", 80, False),
    "Teredo, server": ("2001::", 64, False),
    "Teredo, client": ("2001::", 0, True),
    "ISATAP": ("2a00:1450:4001::5efe:0:0", 0, False),
    "ISATAP, universal": ("2a00:1450:4001:0:200:5efe:0:0", 0, False),
    "link-local": ("fe80::", 0, False),
    "ISATAP, link-local": ("fe80::5efe:0:0", 0, False),
}


@pytest.mark.parametrize("form", FORMS)
@given(ipv4=_bad_ipv4())
def test_no_ipv6_form_lets_an_ipv4_address_through(form: str, ipv4: int) -> None:
    """An address of any block that is not public, in any form that carries one."""
    prefix, shift, inverted = FORMS[form]
    embedded = (ipv4 ^ 0xFFFF_FFFF if inverted else ipv4) << shift
    assert not is_public(str(IPv4Address(ipv4)))
    assert not is_public(str(IPv6Address(int(IPv6Address(prefix)) | embedded)))


@given(ipv4=st.integers(0, 2**32 - 1))
def test_the_other_ipv4_addresses_are_public(ipv4: int) -> None:
    """The list is exact: what is in none of its blocks is public."""
    address = IPv4Address(ipv4)
    assert is_public(str(address)) is not any(address in IPv4Network(block) for block in NOT_PUBLIC)


@given(ipv6=st.integers(0, 2**128 - 1).filter(lambda it: it >> 125 != 1))
def test_ipv6_is_public_in_one_eighth_only(ipv6: int) -> None:
    """Outside 2000::/3 nothing is."""
    assert not is_public(str(IPv6Address(ipv6)))


@pytest.mark.parametrize(
    "edge",
    [
        *("9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
        *("168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
        *("172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.167.255.255"),
        *("192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "223.255.255.255", "1.0.0.0"),
        *("2001:200::", "2001:db7:ffff::", "2001:db9::", "2001:ffff::1", "2003::", "2606:4700::1111"),
        *("2620:4f:7fff::", "2620:4f:8001::", "2a00:1450::1", "3ffe:ffff::", "3fff:1000::"),
        *("2a00:1450::5efd:7f00:1", "2a00:1450::5eff:7f00:1", "2a00:1450::100:5efe:7f00:1"),
    ],
)
def test_what_lies_beside_a_block_is_public(edge: str) -> None:
    """The first and the last address outside."""
    assert is_public(edge)


@pytest.mark.parametrize(
    "edge",
    [
        *("1fff:ffff::", "4000::", "2001::", "2001:1ff:ffff::", "2001:db8::", "2001:db8:ffff::", "2002::"),
        *("2002:ffff:ffff::", "2620:4f:8000::", "3fff::", "3fff:fff:ffff::", "::", "::1", "fec0::1"),
        *("5f00::1", "100::1", "ff0e::1", "fc00::", "fdff::"),
    ],
)
def test_what_lies_at_the_edge_of_a_block_is_not(edge: str) -> None:
    """The first and the last address inside."""
    assert not is_public(edge)


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost", "127.1", "2130706433", "01.2.3.4", "1.2.3", " 1.2.3.4", "[2a00:1450::1]"),
        *("2a00:1450::1%eth0", "2a00:1450::1%", "1.2.3.4%eth0", "1.2.3.4/32"),
    ],
)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    """Names, odd spellings and zones."""
    assert not is_public(text)


async def test_look_up() -> None:
    """The system's resolver, each address once; a name that cannot be is an error."""
    assert await look_up("127.0.0.1") == ["127.0.0.1"]
    assert await look_up("0x7f.1") == ["127.0.0.1"]
    assert await look_up("::1") == ["::1"]
    assert "127.0.0.1" in await look_up("localhost")
    with pytest.raises(socket.gaierror):
        await look_up("256.256.256.256")


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        (["1.1.1.1"], True),
        (["2a00:1450::1", "1.1.1.1"], True),
        ([], True),
        (["10.0.0.1"], False),
        (["1.1.1.1", "10.0.0.1"], False),
        (["10.0.0.1", "1.1.1.1"], False),
        (["1.1.1.1", "::1", "1.0.0.1"], False),
    ],
)
async def test_one_bad_address_condemns_the_name(found: list[str], allowed: bool) -> None:
    """All of a name's addresses come back in their order, or none."""

    async def resolve(_host: str) -> list[str]:
        return found

    if allowed:
        assert await public_addresses("a.example", resolve) == found
        return
    with pytest.raises(AddressNotAllowedError):
        await public_addresses("a.example", resolve)
