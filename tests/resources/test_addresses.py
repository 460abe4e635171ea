"""MAC and IP addresses in the form in which neutron stores them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.errors import BadInput
from stackbook.resources import addresses

macs = st.integers(1, 2**48 - 1).map(lambda number: f"{number & ~(1 << 40):012x}").filter(lambda text: int(text, 16) > 0)
networks = st.one_of(st.ip_addresses(v=4).map(lambda ip: f"{ip}/24"), st.ip_addresses(v=6).map(lambda ip: f"{ip}/64"))


def _grouped(digits: str, size: int, between: str) -> str:
    return between.join(digits[place : place + size] for place in range(0, 12, size))


@given(macs, st.booleans())
def test_every_way_to_write_a_mac_means_the_same(digits: str, upper: bool) -> None:
    """Colons, hyphens, dots of Cisco, none at all, upper or lower case: one address."""
    ways = [_grouped(digits, 2, ":"), _grouped(digits, 2, "-"), _grouped(digits, 4, "."), digits]
    found = {addresses.mac(way.upper() if upper else way) for way in ways}
    assert found == {_grouped(digits, 2, ":")}


@pytest.mark.parametrize(
    "text", ["", "fa:16:3e:00:00", "fa:16:3e:00:00:0g", "41135085296", "01:00:5e:00:00:01", "00:00:00:00:00:00", "5:4:3:2:1:0"]
)
def test_what_is_no_mac_of_a_port(text: str) -> None:
    """Too short, not hexadecimal, a number that YAML made of one, a group address, zero."""
    with pytest.raises(BadInput):
        addresses.mac(text)


@given(st.ip_addresses())
def test_an_address_has_one_form(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """The long and the upper-case form of an IPv6 address are the short one."""
    assert addresses.ip(address.exploded.upper()) == str(address)


@given(networks)
def test_a_network_forgets_its_host_bits(text: str) -> None:
    """What is written with host bits is the network around it, and stays so."""
    found = addresses.cidr(text)
    assert found == addresses.cidr(found)
    assert ipaddress.ip_address(text.split("/", 1)[0]) in ipaddress.ip_network(found)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/33", "10.0.0/24", "x/24", ""])
def test_what_is_no_network(text: str) -> None:
    """A network needs its prefix length."""
    with pytest.raises(BadInput):
        addresses.cidr(text)


@pytest.mark.parametrize("value", ["10.0.0.10-10.0.0.20", ("10.0.0.10", "10.0.0.20"), {"start": "10.0.0.10", "end": "10.0.0.20"}])
def test_an_allocation_pool(value: object) -> None:
    """Text, pair and mapping are one pool."""
    assert addresses.pool(value) == {"start": "10.0.0.10", "end": "10.0.0.20"}


@pytest.mark.parametrize("value", ["10.0.0.20-10.0.0.10", "10.0.0.1-fd00::1", "10.0.0.1", ["10.0.0.1"], {"start": "10.0.0.1"}])
def test_what_is_no_pool(value: object) -> None:
    """Downwards, of two families, or one address alone."""
    with pytest.raises(BadInput):
        addresses.pool(value)


def test_a_route() -> None:
    """A destination's host bits are cleared."""
    assert addresses.route("10.1.2.3/16 via 10.0.0.1") == {"destination": "10.1.0.0/16", "nexthop": "10.0.0.1"}


@pytest.mark.parametrize(
    ("address", "network", "why"),
    [
        ("10.0.0.0", "10.0.0.0/24", "network address"),
        ("10.0.0.255", "10.0.0.0/24", "broadcast"),
        ("10.0.1.1", "10.0.0.0/24", "not in"),
        ("10.0.0.0", "10.0.0.0/31", ""),
        ("10.0.0.7", "10.0.0.0/24", ""),
        ("fd00::", "fd00::/64", ""),
    ],
)
def test_addresses_that_no_host_may_have(address: str, network: str, why: str) -> None:
    """Network and broadcast address, but not in a network of two, nor in IPv6."""
    found = addresses.forbidden(addresses.parsed_ip(address), addresses.parsed_cidr(network))
    assert why in found and bool(found) == bool(why)
