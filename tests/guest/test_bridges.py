"""Open vSwitch on a real host, with the kernel's datapath: bridge and port, what is refused, what a kill leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from stackbook.engine import apply, plan, verify
from stackbook.errors import BadInput, Refused
from stackbook.hosts import Host
from stackbook.interfaces import Bridge
from stackbook.persistence import persistent
from stackbook.plans import Resource
from stackbook.resources import OvsBridge, OvsPort
from stackbook.site import Site
from tests.guest.conftest import NAME, undone
from tests.guest.dying import killed_at, reopened


def wanted(nic: str = "eno2") -> list[Resource]:
    """A bridge with one interface."""
    return [OvsBridge(host=NAME, name="br-ex"), OvsPort(host=NAME, name=nic, bridge="br-ex", up=True)]


def bridges(host: Host) -> dict[str, list[str]]:
    """The host's bridges and their ports."""
    names = host.run(["ovs-vsctl", "list-br"]).out.split()
    return {name: host.run(["ovs-vsctl", "list-ports", name]).out.split() for name in names}


def test_a_bridge_with_its_interface(lab: Callable[[], Site], guest_host: Host) -> None:
    """Planned, applied, verified, a second plan is empty; the kernel carries it; undone, the interface is free as before."""
    before = guest_host.run(["ip", "-br", "link"]).out
    site = lab()
    planned = plan(wanted(), site)
    apply(planned, site, approve=planned.digest)
    verify(planned, site)
    assert bridges(guest_host) == {"br-ex": ["eno2"]}
    assert "master ovs-system" in guest_host.run(["ip", "link", "show", "eno2"]).out
    assert not len(plan(wanted(), lab()))
    undone(site, lab())
    assert bridges(guest_host) == {}
    gone = [line for line in guest_host.run(["ip", "-br", "link"]).out.splitlines() if not line.startswith("ovs-system")]
    assert [line.split()[:2] for line in gone] == [line.split()[:2] for line in before.splitlines()]


def test_the_files_bring_it_up(lab: Callable[[], Site], guest_host: Host) -> None:
    """What is written for the next start makes the bridge with its port, once ifupdown reads it; undone to the byte."""
    before = guest_host.read("/etc/network/interfaces")
    site = lab()
    planned = plan(persistent(site, NAME, Bridge(name="br-ex", ports=("eno2",))), site)
    apply(planned, site, approve=planned.digest)
    guest_host.run(["ifup", "br-ex"], timeout=120)
    assert bridges(guest_host) == {"br-ex": ["eno2"]}
    guest_host.run(["ifdown", "br-ex"], timeout=120)
    assert bridges(guest_host) == {}
    undone(site, lab())
    assert guest_host.read("/etc/network/interfaces") == before
    assert guest_host.stat("/etc/network/interfaces.d/br-ex") is None


def test_the_interface_of_the_connection_is_never_taken(lab: Callable[[], Site], guest_host: Host) -> None:
    """eno1 carries the address, the default route and this very connection: refused, and the host still answers."""
    with pytest.raises(Refused, match="eno1"):
        plan(wanted("eno1"), lab())
    with pytest.raises(Refused, match="eno7"):
        plan(wanted("eno7"), lab())
    assert bridges(guest_host) == {}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["add-br", "add-port"])
def test_killed_in_the_middle(step: str, moment: str, lab: Callable[[], Site], guest_host: Host) -> None:
    """Kill -9 around each step, then the same again: nothing twice; undone from both runs, nothing is left."""
    site = lab()
    planned = plan(wanted(), site)
    assert killed_at(step, moment, lambda: apply(planned, reopened(site), approve=planned.digest))
    again = lab()
    rest = plan(wanted(), again)
    apply(rest, again, approve=rest.digest)
    verify(rest, again)
    assert bridges(guest_host) == {"br-ex": ["eno2"]}
    for run in (again, site):
        with contextlib.suppress(BadInput):  # that run changed nothing
            undone(run, lab())
    assert bridges(guest_host) == {}
