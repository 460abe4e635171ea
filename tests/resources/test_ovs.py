"""Open vSwitch as resources, on hosts with a real one: planned, refused, applied, proved, taken back, cut off and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackbook import apply, plan, plan_undo, verify
from stackbook.config import HostSettings, SiteSettings
from stackbook.errors import BadInput, PlanNotApproved, StackbookError
from stackbook.journal import RUN_VARIABLE, Run, current_run
from stackbook.resources import OvsBridge, OvsExternalIds, OvsPort, ovs
from stackbook.resources.links import Link, links, refuse_taking, uses
from stackbook.resources.ovs import external_ids, interface_errors
from stackbook.resources.ovsdb import change, decode, optional, quoted, several
from stackbook.site import Site
from tests.rack import Rack

HOST = "compute1"
BRIDGE = OvsBridge(host=HOST, name="br-ex")
PORT = OvsPort(host=HOST, name="eno2", bridge="br-ex", up=True)
TABLE = ("Open_vSwitch", ".")
PRINTED = st.characters(exclude_categories=["Cs", "Cc"])
NewSite = Callable[[], Site]

# What the database says


ATOMS = st.one_of(st.text(), st.integers(-(2**53), 2**53), st.booleans())
VALUES = st.one_of(ATOMS, st.lists(ATOMS), st.dictionaries(st.text(), ATOMS))


def encoded(value: Any) -> Any:
    """A value as RFC 7047, section 5.1, writes it; a set of one as the bare value."""
    if isinstance(value, dict):
        return ["map", [[key, item] for key, item in value.items()]]
    if isinstance(value, list):
        return value[0] if len(value) == 1 else ["set", value]
    return value


@given(VALUES)
def test_values_are_read_as_they_were_meant(value: Any) -> None:
    """Through JSON and back; for a set of one, `several` and `optional` say the same as for others."""
    found = decode(json.loads(json.dumps(encoded(value))))
    if isinstance(value, list):
        assert several(found) == value
        assert optional(found) == (value[0] if value else None)
    else:
        assert found == value


def test_references() -> None:
    """A reference is its UUID; a set of them a list; what is no value is refused."""
    assert decode(["uuid", "41c2-a"]) == "41c2-a"
    assert decode(["set", [["uuid", "a"], ["uuid", "b"]]]) == ["a", "b"]
    with pytest.raises(StackbookError, match="RFC 7047"):
        decode(["bag", []])


# On hosts


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """Hosts with interfaces and Open vSwitch, and nothing else."""
    with Rack(tmp_path_factory.mktemp("rack") / "home") as made:
        yield made


@pytest.fixture
def new_site(hosts: Rack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewSite]:
    """Opens those hosts as a site without a cloud, under a new run each time; the bridges are as before afterwards."""
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    before = state(hosts)

    yield lambda: rack_site(hosts.home, current_run("test", "rack", tmp_path / "runs"))
    assert state(hosts) == before


def rack_site(home: Path, run: Run) -> Site:
    """Hosts without a cloud."""
    hosts = {path.name: HostSettings(path.name, root=str(path)) for path in sorted(home.glob("hosts/*"))}
    return Site(SiteSettings("rack", "sandbox", cloud="none", hosts=hosts), run)


@pytest.fixture
def site(new_site: NewSite) -> Site:
    """The hosts as a site, under a run of its own."""
    return new_site()


def state(hosts: Rack) -> list[str]:
    """What `ovs-vsctl show` says of each host, without ids."""
    return [hosts.on(host, "ovs-vsctl", "show").partition("\n")[2] for host in ("controller1", "compute1", "compute2")]


def undo(site: Site, new_site: NewSite) -> None:
    """Take the run of `site` back; then there is nothing left to take back."""
    other = new_site()
    apply(plan_undo(site.run, other), other, "yes")
    assert not plan_undo(site.run, new_site()).plan.changes


def test_bridge_and_port(hosts: Rack, new_site: NewSite) -> None:
    """Planned, refused without its digest, applied, proved; a frame in VLAN 204 reaches the other host; then undone."""
    site = new_site()
    desired = [resource for host in ("compute1", "compute2") for resource in on(host)]
    planned = plan(desired, site)
    assert [(change.action, change.address) for change in planned.plan] == [
        ("create", "ovs-bridge/compute1/br-ex"),
        ("create", "ovs-port/compute1/eno2"),
        ("create", "ovs-bridge/compute2/br-ex"),
        ("create", "ovs-port/compute2/eno2"),
    ]
    with pytest.raises(PlanNotApproved):
        apply(planned, site, "p-00000000")
    apply(planned, site, planned.digest)
    assert verify(planned, site) == []
    assert hosts.on("compute1", "ovs-vsctl", "get", "Bridge", "br-ex", "datapath_type") == "netdev\n"
    assert interface_errors(site.host("compute1")) == {}
    guests = ["add-port", "br-ex", "guest", "tag=204", "--", "set", "Interface", "guest", "type=internal"]
    for host in ("compute1", "compute2"):
        hosts.on(host, "ovs-vsctl", *guests)
        hosts.on(host, "ip", "link", "set", "guest", "up")
    heard = hosts.frames(("compute1", "guest"), "hello", "compute2", "eno2", "guest")
    assert sorted(heard) == ["eno2 204 hello", "guest 0 hello"]
    for host in ("compute1", "compute2"):
        hosts.on(host, "ovs-vsctl", "del-port", "guest")
    undo(site, new_site)


def on(host: str) -> list[OvsBridge | OvsPort]:
    """The bridge and its port on another host."""
    return [OvsBridge(host=host, name="br-ex"), OvsPort(host=host, name="eno2", bridge="br-ex", up=True)]


def test_vlans_of_a_port(hosts: Rack, new_site: NewSite) -> None:
    """An access port becomes a trunk for some VLANs, then for all; each step is taken back to what was before."""
    first, second, third = new_site(), new_site(), new_site()
    hosts.on(HOST, "ip", "link", "set", "eno2", "down")
    port = {"host": HOST, "name": "eno2", "bridge": "br-ex", "up": True}
    for site, resource in ((first, {"tag": 204}), (second, {"tag": 205}), (third, {"trunks": (100, 204)})):
        desired = [BRIDGE, OvsPort(**{**port, **resource})]
        planned = plan(desired, site)
        apply(planned, site, planned.digest)
        assert verify(planned, site) == []
    assert "tag: 205" in hosts.on(HOST, "ovs-vsctl", "show")
    assert "trunks: [100, 204]" in hosts.on(HOST, "ovs-vsctl", "show")
    undo(third, new_site)
    assert "trunks" not in hosts.on(HOST, "ovs-vsctl", "show")
    undo(second, new_site)
    assert "tag: 204" in hosts.on(HOST, "ovs-vsctl", "show")
    undo(first, new_site)
    assert not links(first.host(HOST))["eno2"].up
    hosts.on(HOST, "ip", "link", "set", "eno2", "up")


def test_external_ids(hosts: Rack, new_site: NewSite) -> None:
    """OVN's mappings are added, changed and taken back, the entries of others untouched."""
    first, second = new_site(), new_site()
    before = external_ids(first.host(HOST))
    for site, value in ((first, "default:br-ex"), (second, "default:br-ex,other:br-other")):
        planned = plan([OvsExternalIds(host=HOST, name="ovn-bridge-mappings", value=value)], site)
        apply(planned, site, planned.digest)
        assert verify(planned, site) == []
        assert external_ids(site.host(HOST)) == {**before, "ovn-bridge-mappings": value}
    undo(second, new_site)
    undo(first, new_site)
    assert external_ids(first.host(HOST)) == before


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(PRINTED, min_size=1, max_size=30), st.text(PRINTED, max_size=60), min_size=1, max_size=9))
def test_any_text_comes_back(site: Site, entries: dict[str, str]) -> None:
    """Whatever characters entries hold, they are read back as they were written, and their removal leaves the rest."""
    host = site.host(HOST)
    before = external_ids(host)
    entries = {f"test:{name}": value for name, value in entries.items()}
    change(host, *(["set", *TABLE, f"external_ids:{quoted(name)}={quoted(value)}"] for name, value in entries.items()))
    assert external_ids(host) == {**before, **entries}
    change(host, *(["remove", *TABLE, "external_ids", quoted(name)] for name in entries))
    assert external_ids(host) == before


# Refused


def refused(site: Site, *desired: Any) -> str:
    """Why planning refuses."""
    with pytest.raises(BadInput) as error:
        plan(desired, site)
    return str(error.value)


def test_the_management_interface_is_never_taken(hosts: Rack, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address, the default route and the operator's own connection are each named as the reason."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.99 51234 10.0.0.31 22")
    told = refused(site, BRIDGE, OvsPort(host=HOST, name="eno1", bridge="br-ex"))
    assert "you are connected through it: eno1 carries 10.0.0.31" in told
    assert "eno1 carries the default route: default via 10.0.0.1" in told
    assert "eno1 carries the address 10.0.0.31/24" in told


def test_an_interface_with_only_a_route_or_an_ipv6_address(hosts: Rack, site: Site) -> None:
    """A default route without an address, and an address of IPv6, are reasons too."""
    hosts.on(HOST, "ip", "route", "add", "default", "dev", "eno2", "metric", "500")
    assert "eno2 carries the default route" in refused(site, BRIDGE, PORT)
    hosts.on(HOST, "ip", "route", "del", "default", "dev", "eno2")
    hosts.on(HOST, "ip", "address", "add", "2001:db8::1/64", "dev", "eno2")
    assert "eno2 carries the address 2001:db8::1/64" in refused(site, BRIDGE, PORT)
    hosts.on(HOST, "ip", "address", "del", "2001:db8::1/64", "dev", "eno2")


def test_what_is_stacked_upon_it_counts(hosts: Rack, site: Site) -> None:
    """An interface upon it that carries an address is a reason, through any number of levels."""
    hosts.on(HOST, "ip", "link", "add", "link", "eno2", "name", "upper", "type", "macvlan", "mode", "bridge")
    hosts.on(HOST, "ip", "address", "add", "198.51.100.7/24", "dev", "upper")
    told = refused(site, BRIDGE, PORT)
    hosts.on(HOST, "ip", "link", "del", "upper")
    assert "upper, which is stacked upon eno2, carries the address 198.51.100.7/24" in told
    known = {
        "eno2": Link("eno2", 1500, up=True),
        "eno2.100": Link("eno2.100", 1500, up=True, lower="eno2", vlan=100),
        "outer": Link("outer", 1500, up=True, lower="eno2.100", addresses=("198.51.100.7/24",)),
    }
    assert any("you are connected through it" in reason for reason in uses(known, "eno2", "198.51.100.7"))


def test_a_missing_interface(site: Site) -> None:
    """Refused with those that there are."""
    told = refused(site, BRIDGE, OvsPort(host=HOST, name="eno9", bridge="br-ex"))
    assert "compute1 has no interface eno9" in told
    assert "eno1; eno2" in told


def test_an_interface_of_another_bridge(hosts: Rack, site: Site) -> None:
    """One in another bridge of Open vSwitch, and one in a bridge or bond of the kernel, are left where they are."""
    hosts.on(HOST, "ovs-vsctl", "add-port", "br-int", "eno2")
    assert "it is a port of br-int, not of br-ex" in refused(site, BRIDGE, PORT)
    hosts.on(HOST, "ovs-vsctl", "del-port", "eno2")
    hosts.on(HOST, "ip", "link", "add", "name", "virbr0", "type", "bridge")
    hosts.on(HOST, "ip", "link", "set", "eno2", "master", "virbr0")
    assert "eno2 belongs to virbr0" in refused(site, BRIDGE, PORT)
    assert "which is no bridge of Open vSwitch" in refused(site, OvsBridge(host=HOST, name="virbr0"))
    hosts.on(HOST, "ip", "link", "del", "virbr0")


def test_a_missing_bridge_and_bad_values(site: Site) -> None:
    """Each is refused before anything is changed."""
    assert "compute1 has no bridge br-ex" in refused(site, PORT)
    assert "1 to 15 characters" in refused(site, OvsBridge(host=HOST, name="a-bridge-with-a-name"))
    with pytest.raises(BadInput, match="VLAN 4095"):
        OvsPort(host=HOST, name="eno2", bridge="br-ex", tag=4095)


def test_a_port_that_does_not_work_is_taken_back(hosts: Rack, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interface that vanishes at the last moment leaves no row behind: Open vSwitch's own words, nothing changed."""
    hosts.on(HOST, "ip", "link", "add", "name", "passing", "type", "bridge")
    planned = plan([OvsPort(host=HOST, name="passing", bridge="br-int")], site)

    def vanishing(*words: Any) -> None:
        refuse_taking(*words)
        if site.run.events()[-1]["event"] == "started":
            hosts.on(HOST, "ip", "link", "del", "passing")

    monkeypatch.setattr(ovs, "refuse_taking", vanishing)
    with pytest.raises(StackbookError, match="it was taken back") as error:
        apply(planned, site, planned.digest)
    assert "could not open network device passing (No such device)" in str(error.value)
    assert "passing" not in hosts.on(HOST, "ovs-vsctl", "show")


def test_a_row_that_others_left_is_replaced(hosts: Rack, new_site: NewSite) -> None:
    """A port whose interface was missing when it was added works after the plan; undo takes it out."""
    site = new_site()
    apply(plan([BRIDGE], site), site, "yes")
    hosts.on(HOST, "ip", "link", "set", "eno2", "name", "later")
    hosts.on(HOST, "ovs-vsctl", "add-port", "br-ex", "eno2")
    assert "No such device" in interface_errors(site.host(HOST))["eno2"]
    assert "compute1 has no interface eno2" in refused(new_site(), BRIDGE, PORT)
    hosts.on(HOST, "ip", "link", "set", "later", "name", "eno2")
    hosts.on(HOST, "ovs-vsctl", "--timeout=10", "del-port", "eno2")
    undo(site, new_site)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("cut", ["ovs-bridge", "ovs-port"])
def test_killed(hosts: Rack, new_site: NewSite, tmp_path: Path, cut: str, after: bool) -> None:
    """Killed right before or after a change is made: planning again finds what is left, and both runs are taken back."""
    site = new_site()
    plan([BRIDGE, PORT], site)
    script = KILLED.format(path=sys.path, root=str(hosts.home), folder=str(site.run.folder), cut=cut, after=after)
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    resumed = new_site()
    planned = plan([BRIDGE, PORT], resumed)
    done = {"ovs-bridge": 0, "ovs-port": 1}[cut] + after
    assert [change.address.partition("/")[0] for change in planned.plan] == ["ovs-bridge", "ovs-port"][done:]
    apply(planned, resumed, planned.digest)
    assert verify(planned, resumed) == []
    if done < 2:
        undo(resumed, new_site)
    undo(site, new_site)


KILLED = """
import os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from stackbook import apply, plan
from stackbook.journal import open_run
from stackbook.resources import ovs
from tests.resources.test_ovs import BRIDGE, PORT, rack_site

def killing(host, resource, *words, _made=ovs._made_to_work, **more):
    if resource.kind == {cut!r} and not {after}:
        os.kill(os.getpid(), 9)
    _made(host, resource, *words, **more)
    if resource.kind == {cut!r}:
        os.kill(os.getpid(), 9)

ovs._made_to_work = killing
site = rack_site(Path({root!r}), open_run(Path({folder!r})))
planned = plan([BRIDGE, PORT], site)
apply(planned, site, planned.digest)
"""


def test_a_bridge_in_use_stays(hosts: Rack, new_site: NewSite) -> None:
    """Undo does not remove a bridge to which someone gave a port meanwhile; patch ports go with it, at both ends."""
    site = new_site()
    apply(plan([BRIDGE], site), site, "yes")
    hosts.on(HOST, "ovs-vsctl", "add-port", "br-ex", "eno2")
    with pytest.raises(StackbookError, match="it has ports"):
        undo(site, new_site)
    hosts.on(HOST, "ovs-vsctl", "del-port", "eno2")
    for bridge, name, peer in (("br-int", "int-br-ex", "phy-br-ex"), ("br-ex", "phy-br-ex", "int-br-ex")):
        patch = ["set", "Interface", name, "type=patch", f"options:peer={peer}"]
        hosts.on(HOST, "ovs-vsctl", "add-port", bridge, name, "--", *patch)
    undo(site, new_site)
