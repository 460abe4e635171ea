"""Servers on the sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import stackbook
from stackbook import Absent, apply, plan
from stackbook.errors import BadInput, CloudFailed, Refused
from stackbook.resources import Network, Port, Quota, Server, Subnet, Volume
from tests.resources.conftest import Cycle, NewSite

PACKAGES = str(Path(stackbook.__file__).parents[1])

if TYPE_CHECKING:
    from openstack.connection import Connection


@pytest.fixture
def place(cycle: Cycle, name: str, image: Any, flavor: Any) -> str:
    """Network, subnet, port and boot volume, all of one name; gone with the test."""
    cycle.apply(
        Network(name),
        Subnet(name, name, cidr="10.88.0.0/24"),
        Port(name, name, ip_address="10.88.0.5"),
        Volume(name, size=1, image=image.name),
    )
    return name


@pytest.fixture
def nowhere(cloud: Connection) -> Iterator[Any]:
    """A flavor that fits on no host."""
    made = cloud.compute.create_flavor(name="t-nowhere", ram=128, vcpus=1, disk=0)
    cloud.compute.create_flavor_extra_specs(made, {"trait:CUSTOM_NOWHERE": "required"})
    yield made
    cloud.compute.delete_flavor(made)


def server(name: str, **more: Any) -> Server:
    """The server that the tests make."""
    return Server(name, **{"flavor": "t-flavor", "volume": name, "ports": [name], **more})


def test_a_server_from_a_volume(cycle: Cycle, place: str, cloud: Connection) -> None:
    """ACTIVE on its port and volume, which outlive it; repeated, changed and taken back."""
    cycle.apply(server(place, metadata={"role": "web"}, availability_zone="nova"))
    cycle.apply(server(place, metadata={"role": "db", "tier": "2"}, description="x", delete_on_termination=True))
    cycle.apply(server(place))
    cycle.undo_last()
    cycle.undo_last()
    cycle.apply(Absent(server(place)))
    assert next(cloud.network.ports(name=place)).device_id == ""
    assert next(cloud.block_storage.volumes(name=place)).status == "available"
    cycle.undo_last()
    made = next(cloud.compute.servers(name=place))
    assert (made.status, made.metadata) == ("ACTIVE", {"role": "web"})
    cycle.remove(server(place), 1)


def test_a_server_on_a_network(cycle: Cycle, place: str, image: Any) -> None:
    """Booted from an image, with a port that nova makes."""
    cycle.apply(Server(f"{place}-i", flavor="t-flavor", image=image.name, networks=[place], config_drive=True))


def test_another_flavor(cycle: Cycle, place: str, cloud: Connection) -> None:
    """The server is resized, and back again by undo."""
    made = cloud.compute.create_flavor(name=f"{place}-f", ram=256, vcpus=2, disk=0)
    try:
        cycle.apply(server(place))
        cycle.apply(server(place, flavor=made.name))
        assert next(cloud.compute.servers(name=place)).flavor.vcpus == 2
        cycle.undo()
    finally:
        cloud.compute.delete_flavor(made)


def test_a_port_attached_to_a_server(cycle: Cycle, place: str, cloud: Connection) -> None:
    """Attached and detached; a server that exists without a port that it should have is refused with what to do."""
    cycle.apply(server(place))
    cycle.apply(Port(f"{place}-2", place, ip_address="10.88.0.6"))
    with pytest.raises(Refused, match="exists without port"):
        plan([server(place, ports=[place, f"{place}-2"])], cycle.new_site())
    changed = cycle.apply(Port(f"{place}-2", place, server=place))
    assert changed.changes[0].before == {"server": None}
    assert len(plan([server(place)], cycle.new_site())) == 0
    cycle.undo()


def test_what_others_hold(cycle: Cycle, place: str, cloud: Connection) -> None:
    """A port, an address and a volume in use are refused with the server that has them."""
    cycle.apply(server(place))
    held = next(cloud.compute.servers(name=place))
    cycle.apply(Port(f"{place}-2", place), Volume(f"{place}-2", size=1, bootable=True))
    for wanted in (
        Server("x", flavor="t-flavor", volume=f"{place}-2", ports=[place]),
        Server("x", flavor="t-flavor", volume=place, ports=[f"{place}-2"]),
        Port("x", place, ip_address="10.88.0.5"),
    ):
        with pytest.raises(Refused) as refused:
            plan([wanted], cycle.new_site())
        assert held.id in str(refused.value) and place in str(refused.value)


def test_a_server_in_error(cycle: Cycle, place: str, cloud: Connection, nowhere: Any) -> None:
    """Its fault is told; the next plan replaces it and says why; port and volume are the same as before."""
    site = cycle.new_site()
    with pytest.raises(CloudFailed, match="did not come to be ACTIVE") as failed:
        apply(plan([server(place, flavor=nowhere.name, delete_on_termination=True)], site), site, "yes")
    assert "No valid host" in str(failed.value)
    port, volume = next(cloud.network.ports(name=place)), next(cloud.block_storage.volumes(name=place))
    planned = cycle.apply(server(place))
    assert [(change.action, "No valid host" in change.reason) for change in planned] == [("replace", True)]
    assert next(cloud.network.ports(name=place)).id == port.id
    assert next(cloud.block_storage.volumes(name=place)).id == volume.id


def test_killed_while_a_server_is_made(cycle: Cycle, place: str, cloud: Connection, workspace: Path) -> None:
    """After kill -9 in the middle of BUILD, the next plan finds the server and makes no second one."""
    code = f"""
from stackbook import apply, connect, plan
from stackbook.resources import Server
site = connect("sandbox", runbook="killed")
apply(plan([Server({place!r}, flavor="t-flavor", volume={place!r}, ports=[{place!r}])], site), site, "yes")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=workspace, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": PACKAGES}
    )
    until = time.monotonic() + 60
    while not list(cloud.compute.servers(name=place)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    try:
        assert len(plan([server(place)], cycle.new_site())) == 0
        assert [found.status for found in cloud.compute.servers(name=place)] == ["ACTIVE"]
    finally:
        site = cycle.new_site()
        apply(plan([Absent(server(place))], site), site, "yes")


def test_user_data_is_told_nowhere(cycle: Cycle, place: str, tmp_path: Path, cloud: Connection) -> None:
    """It reaches the server from its file, and no file of the run."""
    secret = tmp_path.parent / f"{place}-user-data"
    secret.write_text("#cloud-config\npassword: correct-horse-battery\n")
    cycle.apply(server(place, user_data_from=f"file:{secret}"))
    assert next(cloud.compute.servers(name=place)).user_data
    told = [path for path in tmp_path.rglob("*") if path.is_file() and (b"correct-horse" in path.read_bytes())]
    assert not told


def test_metadata_that_someone_typed_a_password_into(cycle: Cycle, place: str, cloud: Connection, tmp_path: Path) -> None:
    """It is in no plan and no journal, even when the server is removed and made again; one's own is refused."""
    cycle.apply(server(place))
    cloud.compute.set_server_metadata(next(cloud.compute.servers(name=place)), db_password="correct-horse-battery")
    cycle.apply(Absent(server(place)))
    cycle.undo_last()
    assert "db_password" not in next(cloud.compute.servers(name=place)).metadata
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"correct-horse" in path.read_bytes()]
    with pytest.raises(BadInput, match="looks like a secret"):
        plan([server(place, metadata={"db_password": "x"})], cycle.new_site())
    cycle.remove(server(place), 1)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"flavor": "t-flavro"}, "t-flavor"),
        ({"volume": "nothing"}, "volume 'nothing' does not exist"),
        ({"volume": None, "image": "t-imaeg"}, "t-image"),
        ({"ports": ["nothing"]}, "port 'nothing' does not exist"),
        ({"networks": ["nothing"]}, "network 'nothing' does not exist"),
        ({"key_name": "nothing"}, "keypair 'nothing' does not exist"),
        ({"availability_zone": "nvoa"}, "nova"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_unknown_references(cycle: Cycle, place: str, fields: dict[str, Any], why: str) -> None:
    """Refused while planning, with the nearest name."""
    with pytest.raises(Refused) as refused:
        plan([server(place, **fields)], cycle.new_site())
    assert why in str(refused.value)


def test_a_volume_that_does_not_boot(cycle: Cycle, place: str) -> None:
    """An empty volume is refused, unless it is said to be bootable."""
    cycle.apply(Volume(f"{place}-e", size=1))
    with pytest.raises(Refused, match="not bootable"):
        plan([server(place, volume=f"{place}-e")], cycle.new_site())


def test_more_than_the_quota(cycle: Cycle, place: str, image: Any) -> None:
    """Servers that do not fit together are refused; not when the plan raises the quota first."""
    many = [Server(f"{place}-{number}", flavor="t-flavor", image=image.name, networks=[place]) for number in range(12)]
    with pytest.raises(Refused, match="quota of instances is too small") as refused:
        plan(many, cycle.new_site())
    assert "needs 12 more" in str(refused.value)
    assert len(plan([Quota("admin", instances=30), *many], cycle.new_site())) == 13


def test_a_new_server_without_what_it_needs(new_site: NewSite, flavor: Any) -> None:
    """A flavor, and something to boot from."""
    with pytest.raises(BadInput, match="needs a flavor"):
        plan([Server("x", flavor=flavor.name)], new_site())
