"""Ports on the sandbox: fixed addresses, and what is in the way of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stackbook import plan
from stackbook.errors import BadInput, Refused
from stackbook.resources import Network, Port, SecurityGroup, Subnet
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection

MAC = "fa:16:3e:77:00:01"


def test_a_port(cycle: Cycle, network: Any, subnet: Any, name: str, unchanged: None) -> None:
    """Made with address, MAC and security group, repeated, changed and taken back."""
    cycle.apply(
        SecurityGroup(name, rules=["ingress icmp"]),
        Port(name, network.name, ip_address="10.77.0.15", mac_address="FA-16-3E-77-00-01", security_groups=[name]),
    )
    cycle.apply(
        Port(name, network.name, ip_address="10.77.0.16", mac_address=MAC[:-1] + "2", security_groups=[], description="web")
    )
    cycle.apply(Port(name, network.name, port_security=False, admin_state_up=False))
    cycle.undo()


def test_the_site_chooses(cycle: Cycle, network: Any, subnet: Any, name: str, cloud: Connection) -> None:
    """A port without wishes gets an address, and a second plan is empty; one that only names a subnet, too."""
    cycle.apply(Port(name, network.name), Port(f"{name}-2", network.name, subnet=subnet.name))
    assert all(len(port.fixed_ips) == 1 for port in cloud.network.ports(network_id=network.id))


def test_several_addresses(cycle: Cycle, network: Any, subnet: Any, name: str, cloud: Connection) -> None:
    """IPv6 in any form; another IPv4 address leaves the IPv6 address alone; all, some or none by fixed_ips."""
    cloud.network.create_subnet(network_id=network.id, cidr="fd00:77::/64", ip_version=6)
    cycle.apply(Port(name, network.name, fixed_ips=["10.77.0.20", "FD00:0077:0:0::20"]))
    cycle.apply(Port(name, network.name, ip_address="10.77.0.21"))
    port = next(cloud.network.ports(name=name))
    assert {item["ip_address"] for item in port.fixed_ips} == {"10.77.0.21", "fd00:77::20"}
    cycle.apply(Port(name, network.name, fixed_ips=[]))
    cycle.undo()


def test_all_in_one_plan(cycle: Cycle, name: str, unchanged: None) -> None:
    """Network, subnet and port that do not exist yet refer to one another."""
    cycle.apply(Network(name), Subnet("s", name, cidr="10.20.4.0/24"), Port(name, name, subnet="s", ip_address="10.20.4.15"))
    cycle.undo()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.78.0.5", "is outside every subnet of network"),
        ("10.77.0.1", "is the gateway"),
        ("10.77.0.0", "network address"),
        ("10.77.0.255", "broadcast address"),
        ("fd00::1", "is outside"),
    ],
)
@pytest.mark.parametrize("planned", [False, True], ids=["existing subnet", "planned subnet"])
def test_addresses_that_can_not_be(new_site: NewSite, network: Any, subnet: Any, address: str, why: str, planned: bool) -> None:
    """Refused with the subnet's name, whether it exists or is planned."""
    place = [Network("planned"), Subnet("sub", "planned", cidr="10.77.0.0/24")] if planned else []
    with pytest.raises(Refused, match=why) as refused:
        plan([*place, Port("x", "planned" if planned else network.name, ip_address=address)], new_site())
    assert ("planned" if planned else subnet.id) in str(refused.value)


def test_an_address_outside_the_named_subnet(new_site: NewSite, network: Any, subnet: Any, cloud: Connection) -> None:
    """It is in the network's other subnet."""
    other = cloud.network.create_subnet(name="other", network_id=network.id, cidr="10.79.0.0/24", ip_version=4)
    with pytest.raises(Refused, match="outside subnet"):
        plan([Port("x", network.name, subnet=other.name, ip_address="10.77.0.9")], new_site())


def test_an_address_in_use(new_site: NewSite, network: Any, subnet: Any, cloud: Connection) -> None:
    """Refused with the id of the port that has it, and that nothing is attached to it."""
    taken = cloud.network.create_port(name="holder", network_id=network.id, fixed_ips=[{"ip_address": "10.77.0.30"}])
    with pytest.raises(Refused, match=r"IP 10\.77\.0\.30 is in use") as refused:
        plan([Port("x", network.name, ip_address="10.77.0.30")], new_site())
    assert all(part in str(refused.value) for part in ("holder", taken.id, "attached to nothing"))


def test_a_mac_in_use(new_site: NewSite, network: Any, subnet: Any, cloud: Connection) -> None:
    """Refused however it is written."""
    taken = cloud.network.create_port(name="holder", network_id=network.id, mac_address=MAC)
    with pytest.raises(Refused, match=r"MAC .* is in use") as refused:
        plan([Port("x", network.name, mac_address=MAC.upper().replace(":", "-"))], new_site())
    assert taken.id in str(refused.value)


@pytest.mark.parametrize("fields", [{"ip_address": "10.77.0.40"}, {"mac_address": MAC}], ids=["IP", "MAC"])
def test_twice_in_one_plan(new_site: NewSite, network: Any, subnet: Any, fields: dict[str, str]) -> None:
    """Refused with the other port's address in the plan."""
    with pytest.raises(Refused, match=r"asked for by port/.*/b too"):
        plan([Port("a", network.name, **fields), Port("b", network.name, **fields)], new_site())


@pytest.mark.parametrize(
    "fields",
    [
        {"network": "nothing-like-it"},
        {"subnet": "nothing"},
        {"security_groups": ["nothing"]},
        {"server": "nothing"},
        {"project": "nothing"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_unknown_references(new_site: NewSite, network: Any, subnet: Any, fields: dict[str, Any]) -> None:
    """Each refused by its kind and name."""
    with pytest.raises(Refused, match=r"nothing.*does not exist"):
        plan([Port("x", **{"network": network.name, **fields})], new_site())


def test_an_ambiguous_security_group(new_site: NewSite, network: Any, subnet: Any, cloud: Connection, name: str) -> None:
    """Refused with the ids of both."""
    groups = [cloud.network.create_security_group(name=name) for _ in range(2)]
    try:
        with pytest.raises(Refused, match="ambiguous") as refused:
            plan([Port("x", network.name, security_groups=[name])], new_site())
        assert all(group.id in str(refused.value) for group in groups)
    finally:
        for group in groups:
            cloud.network.delete_security_group(group)


def test_security_groups_without_port_security(new_site: NewSite, network: Any, subnet: Any) -> None:
    """They exclude each other."""
    with pytest.raises(BadInput, match="need port security"):
        plan([Port("x", network.name, port_security=False, security_groups=["default"])], new_site())


def test_the_default_security_group_of_each_project(cycle: Cycle, network: Any, subnet: Any, name: str) -> None:
    """Every project has a group of that name: the port's own project's is meant."""
    cycle.apply(Port(name, network.name, security_groups=["default"]))
