"""Files for a host's next start: chosen by what the host reads, refused where they would cut it off."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackbook import apply, plan, verify
from stackbook.errors import Refused
from stackbook.installing import nic_taken
from stackbook.interfaces import Bridge, Interface
from stackbook.persistence import as_it_is, persistent, reader
from tests.resources.conftest import NewSite, hosts, undone

from .programs import call

__all__ = ["hosts"]
BRIDGE = Bridge(name="br-ex", ports=("eno2",), mtu=9000, port_mtu=9000)
LINKS = """\
link add eno1 type veth peer name far1
link add eno2 type veth peer name far2
link add eno3 type veth peer name far3
address add 10.0.0.31/24 dev eno1
link set eno1 up
route add default via 10.0.0.1
address add 192.0.2.7/24 dev eno3
link add br-old type veth peer name far4
address add 192.0.2.9/24 dev br-old
link set eno2 mtu 9000
"""
SIGNS = {
    "netplan": "etc/netplan/",
    "ifcfg": "etc/sysconfig/network-scripts/ifup",
    "ifupdown": "etc/network/interfaces",
    "NetworkManager": "etc/NetworkManager/system-connections/",
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A network of its own in which eno1 has the default route, eno2 nothing, and eno3 an address."""
    alone = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "ip -b - && echo ready && exec sleep 600"]
    with subprocess.Popen(alone, stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdin and holder.stdout
        holder.stdin.write(LINKS)
        holder.stdin.close()
        assert holder.stdout.readline() == "ready\n"
        yield f"nsenter --target {holder.pid} --user --net --preserve-credentials"
        holder.kill()


@pytest.fixture
def on(hosts: NewSite, tmp_path: Path, namespace: str) -> Path:
    """The host's root folder; its ``ip`` sees the namespace's interfaces."""
    path = tmp_path / "h/usr/bin/ip"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nPATH=${{PATH#*:*:}} exec {namespace} ip "$@"\n')
    path.chmod(0o755)
    return tmp_path / "h"


def reads(root: Path, form: str) -> None:
    """Make the host one that reads a form."""
    path = root / SIGNS[form]
    (path if SIGNS[form].endswith("/") else path.parent).mkdir(parents=True)
    if not path.exists():
        path.write_text("source /etc/network/interfaces.d/*\n")


@pytest.mark.parametrize("form", SIGNS)
def test_written_and_taken_back(hosts: NewSite, on: Path, form: str) -> None:
    """The files of that form are planned, written with their mode, stay on a second plan, and undo removes them."""
    reads(on, form)
    before = {path for path in (on / "etc").rglob("*") if path.is_file()}
    site = hosts()
    assert reader(site.host("h")) == form
    planned = plan(persistent(site, "h", BRIDGE), site)
    apply(planned, site, planned.digest)
    assert verify(planned, site) == []
    made = {path for path in (on / "etc").rglob("*") if path.is_file()} - before
    assert len(made) == {"netplan": 1, "ifcfg": 2, "ifupdown": 1, "NetworkManager": 5}[form]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600 if form in ("netplan", "NetworkManager") else 0o644}
    assert len(plan(persistent(site, "h", BRIDGE), hosts())) == 0
    undone(site, hosts)
    assert {path for path in (on / "etc").rglob("*") if path.is_file()} == before


def test_what_was_written_is_read(hosts: NewSite, on: Path) -> None:
    """Netplan takes the host's own folder with the new file in it."""
    reads(on, "netplan")
    site = hosts()
    planned = plan(persistent(site, "h", BRIDGE), site)
    apply(planned, site, planned.digest)
    assert call("netplan", "--root-dir", on).returncode == 0


@pytest.mark.parametrize(("nic", "told"), [("eno1", "default route"), ("eno3", "192.0.2.7"), ("eno9", "no interface")])
def test_the_management_interface_is_refused(hosts: NewSite, on: Path, nic: str, told: str) -> None:
    """A port that carries the default route or an address, and one that is not there."""
    reads(on, "netplan")
    with pytest.raises(Refused) as refused:
        persistent(hosts(), "h", Bridge(name="br-ex", ports=(nic,)))
    assert told in str(refused.value)


def test_the_host_keeps_its_addresses(hosts: NewSite, on: Path) -> None:
    """An interface is not configured without the address that it has, nor one with the default route at all."""
    reads(on, "netplan")
    for lost in (
        Interface(name="eno3"),
        Interface(name="eno3", address="192.0.2.8/24"),
        Interface(name="eno1", address="10.0.0.31/24"),
    ):
        with pytest.raises(Refused, match="cut off"):
            persistent(hosts(), "h", lost)
    assert persistent(hosts(), "h", Interface(name="eno3", address="192.0.2.7/24"))


@pytest.mark.parametrize(
    ("form", "path", "text"),
    [
        ("netplan", "etc/netplan/50-cloud-init.yaml", "network: {ethernets: {eno2: {dhcp4: true}}}\n"),
        ("netplan", "etc/netplan/60-x.yaml", "network: {bonds: {bond0: {interfaces: [eno2]}}}\n"),
        ("ifcfg", "etc/sysconfig/network-scripts/ifcfg-lan", "DEVICE=eno2\n"),
        ("ifupdown", "etc/network/interfaces", "auto eno2\niface eno2 inet dhcp\n"),
        ("NetworkManager", "etc/NetworkManager/system-connections/lan.nmconnection", "[connection]\ninterface-name=eno2\n"),
    ],
)
def test_an_interface_of_another_file(hosts: NewSite, on: Path, form: str, path: str, text: str) -> None:
    """What another file configures already is refused, with that file's name."""
    reads(on, form)
    (on / path).write_text(text)
    with pytest.raises(Refused, match="configures eno2 already") as refused:
        persistent(hosts(), "h", BRIDGE)
    assert path in str(refused.value)


def test_the_hardware_address_stays(hosts: NewSite, on: Path) -> None:
    """The ifcfg file that the interface has already is replaced, but for what names its hardware."""
    reads(on, "ifcfg")
    former = on / "etc/sysconfig/network-scripts/ifcfg-eno2"
    former.write_text("DEVICE=eno2\nBOOTPROTO=dhcp\nHWADDR=52:54:00:12:34:56\n")
    (port,) = [file for file in persistent(hosts(), "h", BRIDGE) if file.path.endswith("eno2")]
    assert port.content and "HWADDR=52:54:00:12:34:56\n" in port.content and "dhcp" not in port.content


def test_a_bridge_as_it_is(hosts: NewSite, on: Path) -> None:
    """A bridge that is there keeps its address, its ports their MTU; a new one has none."""
    reads(on, "ifupdown")
    site = hosts()
    there = as_it_is(site, "h", "br-old", "eno2")
    assert (there.address, there.mtu, there.port_mtu) == ("192.0.2.9/24", None, 9000)
    assert len(persistent(site, "h", there)) == 1
    assert as_it_is(site, "h", "br-new") == Bridge(name="br-new")


@pytest.mark.parametrize(
    ("main", "added"),
    [
        ("source /etc/network/interfaces.d/*\n", None),
        ("source interfaces.d/*\n", None),
        ("source-directory /etc/network/interfaces.d/\n", None),
        ("source /etc/network/interfaces.d/br-ex", None),
        ("auto lo\n#source /etc/network/interfaces.d/*\n", "source /etc/network/interfaces.d/br-ex\n"),
        ("source /etc/network/interfaces.d/*.cfg", "\nsource /etc/network/interfaces.d/br-ex\n"),
        ("", "source /etc/network/interfaces.d/br-ex\n"),
    ],
)
def test_a_main_file_that_reads_no_others(hosts: NewSite, on: Path, main: str, added: str | None) -> None:
    """It gets a line for the new file, and for no other there; ifquery then knows the bridge, and undo takes the line back."""
    reads(on, "ifupdown")
    file = on / "etc/network/interfaces"
    file.write_text(main)
    site = hosts()
    planned = plan(persistent(site, "h", BRIDGE), site)
    apply(planned, site, planned.digest)
    assert file.read_text() == main + (added or "")
    assert len(plan(persistent(site, "h", BRIDGE), hosts())) == 0
    if added:
        (on / "seen").write_text(file.read_text().replace("/etc/", f"{on}/etc/"))
        assert "br-ex" in call("ifquery", "-i", on / "seen", "--list").stdout.split()
    undone(site, hosts)
    assert file.read_text() == main


def test_a_host_that_reads_none(hosts: NewSite, on: Path) -> None:
    """A sandbox's host has no such files, so there is nothing to write."""
    assert persistent(hosts(), "h", BRIDGE, Interface(name="eno2")) == []


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("default:br-ex:eno2", ""),
        ("default:br-ex", ""),
        ("default:br-ex:eno1", "default route"),
        ("default:br-ex:eno3", "192.0.2.7"),
        ("default:br-ex:eno9", "missing; there are br-old, eno1, eno2, eno3"),
    ],
)
def test_the_interface_of_an_answer_file(hosts: NewSite, on: Path, mapping: str, told: str) -> None:
    """Packstack's preflight finds what the bridge would take away."""
    assert told in str([row["found"] for row in nic_taken(hosts(), "h", mapping)])
    assert bool(nic_taken(hosts(), "h", mapping)) is bool(told)
