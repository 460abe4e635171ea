"""Routers and floating IPs on the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from stackbook import plan
from stackbook.errors import BadInput, Refused
from stackbook.resources import FloatingIP, Network, Port, Router, Subnet
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection


@pytest.fixture
def outside(cloud: Connection, name: str) -> Iterator[Any]:
    """An external network with 172.24.9.0/24."""
    made = cloud.network.create_network(name=f"{name}-ext", is_router_external=True)
    cloud.network.create_subnet(network_id=made.id, cidr="172.24.9.0/24", ip_version=4)
    yield made
    cloud.network.delete_network(made)


def test_a_router_and_a_floating_ip(cycle: Cycle, name: str, outside: Any, cloud: Connection) -> None:
    """Made, repeated, changed and taken back; a change of one thing leaves the gateway alone."""
    cycle.apply(
        Network(name),
        Subnet("one", name, cidr="10.91.0.0/24"),
        Subnet("two", name, cidr="10.92.0.0/24"),
        Router(name, subnets=["one", f"{name}/two"], external_network=outside.name, routes=["10.9.0.0/16 via 10.91.0.9"]),
        Port(name, name, ip_address="10.91.0.5"),
        FloatingIP(name, external_network=outside.name, ip_address="172.24.9.77"),
    )
    gateway = next(cloud.network.routers(name=name)).external_gateway_info["external_fixed_ips"]
    cycle.apply(Router(name, snat=False, routes=[], description="x"), FloatingIP(name, description="web"))
    assert next(cloud.network.routers(name=name)).external_gateway_info["external_fixed_ips"] == gateway
    cycle.apply(Router(name, subnets=["one"]))
    cycle.undo()


def test_a_reserved_floating_ip(cycle: Cycle, network: Any, subnet: Any, outside: Any, name: str, cloud: Connection) -> None:
    """A free address of the project is taken, and by undo only led away again."""
    joined = cloud.network.create_router(name=name, external_gateway_info={"network_id": outside.id})
    cloud.network.add_interface_to_router(joined, subnet_id=subnet.id)
    reserved = cloud.network.create_ip(floating_network_id=outside.id, floating_ip_address="172.24.9.88")
    try:
        cycle.apply(Port(name, network.name), FloatingIP(name, external_network=outside.name, ip_address="172.24.9.88"))
        cycle.undo()
        assert cloud.network.get_ip(reserved).port_id is None
    finally:
        cloud.network.delete_ip(reserved)
        cloud.network.remove_interface_from_router(joined, subnet_id=subnet.id)
        cloud.network.delete_router(joined)


def test_what_is_not_there(new_site: NewSite, network: Any, subnet: Any, outside: Any) -> None:
    """Unknown references and a network that is not external are refused."""
    for wanted in (
        Router("x", external_network="nothing"),
        Router("x", subnets=["nothing"]),
        FloatingIP("nothing", external_network=outside.name),
    ):
        with pytest.raises(Refused, match="'nothing' does not exist"):
            plan([wanted], new_site())
    with pytest.raises(Refused, match="is not external"):
        plan([Router("x", external_network=network.name)], new_site())


def test_snat_without_a_way_out(cycle: Cycle, name: str) -> None:
    """Means nothing."""
    from stackbook import apply

    site = cycle.new_site()
    cycle.apply(Router(name))
    with pytest.raises(BadInput, match="snat needs"):
        apply(plan([Router(name, snat=True)], site), site, "yes")
