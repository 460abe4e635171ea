"""Subnets on the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stackbook import plan
from stackbook.errors import BadInput, Refused
from stackbook.resources import Network, Subnet
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection


def test_a_subnet(cycle: Cycle, name: str, unchanged: None) -> None:
    """Made with its network in one plan, from any way to write its addresses; changed and taken back."""
    cycle.apply(
        Network(name),
        Subnet(
            "s",
            name,
            cidr="10.20.4.7/24",
            gateway_ip="10.20.4.1",
            allocation_pools=["10.20.4.100-10.20.4.199", ("10.20.4.20", "10.20.4.29")],
            dns_nameservers=["9.9.9.9", "1.1.1.1"],
            host_routes=["10.1.2.3/16 via 10.20.4.2"],
        ),
        Subnet("six", name, cidr="FD00:0:0:4::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac"),
    )
    cycle.apply(
        Subnet(
            "s",
            name,
            gateway_ip="none",
            allocation_pools=[{"start": "10.20.4.50", "end": "10.20.4.60"}],
            dns_nameservers=[],
            enable_dhcp=False,
            host_routes=[],
            description="web",
        )
    )
    cycle.undo()


def test_what_stays_as_it_is(cycle: Cycle, name: str, cloud: Connection) -> None:
    """Fields that are not named are not changed by a change of another."""
    cycle.apply(Network(name), Subnet("s", name, cidr="10.20.4.0/24", dns_nameservers=["9.9.9.9"]))
    cycle.apply(Subnet("s", name, description="web"))
    found = next(cloud.network.subnets(name="s", network_id=next(cloud.network.networks(name=name)).id))
    assert (found.dns_nameservers, found.gateway_ip) == (["9.9.9.9"], "10.20.4.1")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cidr": "10.77.0.128/25"}, "overlaps a subnet"),
        ({"cidr": "10.78.0.0/24", "gateway_ip": "10.79.0.1"}, "gateway 10.79.0.1 is not in"),
        ({"cidr": "10.78.0.0/24", "gateway_ip": "10.78.0.255"}, "broadcast"),
        ({"cidr": "10.78.0.0/24", "allocation_pools": ["10.78.0.5-10.78.1.5"]}, "10.78.1.5 is not in"),
        (
            {"cidr": "10.78.0.0/24", "gateway_ip": "10.78.0.9", "allocation_pools": ["10.78.0.5-10.78.0.15"]},
            "lies in the allocation pool",
        ),
    ],
)
def test_addresses_that_do_not_fit(new_site: NewSite, network: Any, subnet: Any, fields: dict[str, Any], why: str) -> None:
    """Refused while planning; an overlap tells the subnet's name and id."""
    with pytest.raises(Refused, match=why) as refused:
        plan([Subnet("x", network.name, **fields)], new_site())
    if "overlaps" in why:
        assert subnet.name in str(refused.value) and subnet.id in str(refused.value)


def test_two_that_overlap_in_one_plan(new_site: NewSite, network: Any) -> None:
    """Refused before anything is made."""
    with pytest.raises(Refused, match="overlaps subnet/"):
        plan([Subnet("a", network.name, cidr="10.78.0.0/16"), Subnet("b", network.name, cidr="10.78.3.0/24")], new_site())


def test_an_unknown_network(new_site: NewSite, network: Any) -> None:
    """Refused with the nearest name."""
    with pytest.raises(Refused) as refused:
        plan([Subnet("x", network.name + "x", cidr="10.78.0.0/24")], new_site())
    assert network.name in str(refused.value)


def test_a_network_listed_after(new_site: NewSite, name: str) -> None:
    """List order is the order of making."""
    with pytest.raises(Refused, match="listed after"):
        plan([Subnet("x", name, cidr="10.78.0.0/24"), Network(name)], new_site())


def test_an_ambiguous_network(new_site: NewSite, cloud: Connection, name: str) -> None:
    """Refused with the ids of both."""
    made = [cloud.network.create_network(name=name) for _ in range(2)]
    try:
        with pytest.raises(Refused, match="ambiguous") as refused:
            plan([Subnet("x", name, cidr="10.78.0.0/24")], new_site())
        assert all(network.id in str(refused.value) for network in made)
        assert len(plan([Subnet("x", made[0].id, cidr="10.78.0.0/24")], new_site())) == 1
    finally:
        for network in made:
            cloud.network.delete_network(network)


def test_another_cidr(new_site: NewSite, network: Any, subnet: Any) -> None:
    """A subnet keeps its addresses."""
    with pytest.raises(Refused, match="cidr can't be changed"):
        plan([Subnet(subnet.name, network.name, cidr="10.78.0.0/24")], new_site())


def test_a_new_subnet_without_cidr(new_site: NewSite, network: Any) -> None:
    """Can't be made."""
    with pytest.raises(BadInput, match="needs a cidr"):
        plan([Subnet("x", network.name)], new_site())
