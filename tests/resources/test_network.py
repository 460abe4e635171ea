"""Networks on the sandbox; VLANs, which it offers only once its configuration names them, among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stackbook import Absent, plan
from stackbook.errors import BadInput, Refused
from stackbook.resources import Network, Project
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection

ML2 = "hosts/controller1/etc/neutron/plugins/ml2/ml2_conf.ini"


@pytest.fixture(scope="module")
def vlans(sandbox: Path) -> Iterator[None]:
    """The sandbox with VLANs on the physical network `default`, until these tests are over."""
    from stackbook.sandbox import control

    path = sandbox / ML2
    before = path.read_bytes()
    text = re.sub(r"(?m)^type_drivers *=.*", "type_drivers = vxlan,flat,vlan", before.decode())
    path.write_text(text.replace("[ml2_type_vlan]", "[ml2_type_vlan]\nnetwork_vlan_ranges = default:1:4094"))
    control.restart(sandbox.name, "neutron", print)
    yield
    path.write_bytes(before)
    control.restart(sandbox.name, "neutron", print)


def test_a_network_of_the_project(cycle: Cycle, name: str, unchanged: None) -> None:
    """Made, repeated, changed and taken back."""
    cycle.apply(Network(name))
    changed = cycle.apply(Network(name, description="web", mtu=1400, shared=True, admin_state_up=False, port_security=False))
    assert changed.changes[0].before == {
        "description": "",
        "mtu": 1450,
        "shared": False,
        "admin_state_up": True,
        "port_security": True,
    }
    cycle.undo()


def test_removing_and_bringing_back(cycle: Cycle, name: str, cloud: Connection, unchanged: None) -> None:
    """A network that should be gone is removed; undo makes it again with the same description."""
    cycle.apply(Network(name, description="web"))
    cycle.apply(Absent(Network(name)))
    assert not list(cloud.network.networks(name=name))
    cycle.undo_last()
    assert [found.description for found in cloud.network.networks(name=name)] == ["web"]
    cycle.remove(Network(name), 1)


def test_a_vlan(cycle: Cycle, name: str, vlans: None, cloud: Connection, unchanged: None) -> None:
    """Physical network and VLAN id are enough; the same again is nothing to do; another VLAN id can't be given to it."""
    cycle.apply(Network(name, physical_network="default", segmentation_id=3204))
    found = next(cloud.network.networks(name=name))
    assert (found.provider_network_type, found.provider_segmentation_id) == ("vlan", 3204)
    with pytest.raises(Refused, match="can't be changed"):
        plan([Network(name, physical_network="default", segmentation_id=3205)], cycle.new_site())
    cycle.undo()


def test_a_vlan_that_is_taken(cycle: Cycle, name: str, vlans: None, cloud: Connection) -> None:
    """Refused with the name and id of the network that has it."""
    cycle.apply(Network(name, physical_network="default", segmentation_id=3206))
    found = next(cloud.network.networks(name=name))
    with pytest.raises(Refused, match="VLAN 3206 on physical network 'default' is taken") as refused:
        plan([Network(f"{name}-2", physical_network="default", segmentation_id=3206)], cycle.new_site())
    assert name in str(refused.value) and found.id in str(refused.value)


@pytest.mark.parametrize("number", [0, 4095, 70000])
def test_a_vlan_that_can_not_be(new_site: NewSite, number: int) -> None:
    """Outside 1-4094."""
    with pytest.raises(Refused, match="outside 1-4094"):
        plan([Network("x", physical_network="default", segmentation_id=number)], new_site())


def test_a_vlan_twice_in_one_plan(new_site: NewSite) -> None:
    """Refused before anything is made."""
    wanted = [Network(f"x{number}", physical_network="default", segmentation_id=3207) for number in range(2)]
    with pytest.raises(Refused, match="asked for by network/x1 too"):
        plan(wanted, new_site())


@pytest.mark.parametrize(
    "fields", [{"segmentation_id": 5}, {"network_type": "vlan", "segmentation_id": 5}, {"network_type": "flat"}]
)
def test_half_a_provider_network(new_site: NewSite, fields: dict[str, Any]) -> None:
    """A segment needs its type and physical network."""
    with pytest.raises(BadInput, match="needs"):
        plan([Network("x", **fields)], new_site())


def test_an_ambiguous_name(new_site: NewSite, cloud: Connection, name: str) -> None:
    """Two networks of one name: refused with both ids, for changing and for removing."""
    made = [cloud.network.create_network(name=name) for _ in range(2)]
    try:
        for wanted in (Network(name, description="x"), Absent(Network(name))):
            with pytest.raises(Refused, match="ambiguous") as refused:
                plan([wanted], new_site())
            assert all(network.id in str(refused.value) for network in made)
    finally:
        for network in made:
            cloud.network.delete_network(network)


def test_a_name_of_another_project(cycle: Cycle, cloud: Connection, name: str, unchanged: None) -> None:
    """Not taken for one's own: refused until the project is named; then each project has its network."""
    cycle.apply(Project(name), Network(name, project=name))
    theirs = next(cloud.network.networks(name=name))
    with pytest.raises(Refused, match="another project") as refused:
        plan([Network(name)], cycle.new_site())
    assert theirs.id in str(refused.value)
    cycle.apply(Network(name, project="admin"))
    assert len(list(cloud.network.networks(name=name))) == 2
    cycle.undo()


def test_an_unknown_project(new_site: NewSite) -> None:
    """Refused with the nearest name."""
    with pytest.raises(Refused, match="admin"):
        plan([Network("x", project="admim")], new_site())


def test_the_clouds_refusal(new_site: NewSite, cloud: Connection, name: str) -> None:
    """What only the cloud can know reaches the reader with its own words and the request's id."""
    from stackbook import apply
    from stackbook.errors import CloudFailed

    site = new_site()
    planned = plan([Network(name, physical_network="nowhere", network_type="flat", mtu=90000)], site)
    with pytest.raises(CloudFailed) as failed:
        apply(planned, site, "yes")
    assert f"network/{name}" in str(failed.value) and "req-" in str(failed.value)
    assert not list(cloud.network.networks(name=name))
