"""What hosts need for VLANs: with agents and with OVN, whatever the release; on hosts with a real Open vSwitch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook import apply, checks, plan, plan_undo, verify, vlans
from stackbook.config import HostSettings, SiteSettings
from stackbook.errors import BadInput, Refused
from stackbook.journal import RUN_VARIABLE, current_run
from stackbook.resources import Service
from stackbook.resources.ovs import external_ids
from stackbook.site import Site
from stackbook.units import State
from stackbook.vlans import mapped, nic_of, ovn, switches, vlan_on_hosts, with_item, with_range
from tests.rack import Rack

ML2 = "etc/neutron/plugins/ml2/ml2_conf.ini"
AGENT = "etc/neutron/plugins/ml2/openvswitch_agent.ini"
ROUTERS = "etc/neutron/l3_agent.ini"
ROLES = {"controller1": ("controller", "network"), "compute1": ("compute",), "compute2": ("compute",)}
KEYFILES = "etc/NetworkManager/system-connections/other.nmconnection"
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """Hosts with interfaces and Open vSwitch, and nothing else."""
    with Rack(tmp_path_factory.mktemp("rack") / "home") as made:
        yield made


@pytest.fixture
def site(hosts: Rack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Those hosts as a site without a cloud: a controller, and two compute hosts with neutron's agent."""
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    write(hosts, "controller1", "etc/neutron/neutron.conf", "[DEFAULT]\n")
    write(hosts, "controller1", ML2, "[ml2]\ntype_drivers = flat\nmechanism_drivers = openvswitch\n")
    for host in ROLES:
        write(hosts, host, AGENT, "[ovs]\nbridge_mappings = other:br-other\n")
    known = {name: HostSettings(name, roles=roles, root=str(hosts.root(name))) for name, roles in ROLES.items()}
    return Site(SiteSettings("rack", "sandbox", cloud="none", hosts=known), current_run("test", "rack", tmp_path / "runs"))


def write(hosts: Rack, host: str, path: str, text: str) -> None:
    """Give a host a file."""
    place = hosts.root(host) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def addresses(desired: list[Any]) -> list[str]:
    """What is desired, services apart, by address."""
    return [wanted.address for wanted in desired if not isinstance(wanted, Service)]


def services(desired: list[Any]) -> list[str]:
    """The services that are desired, in their order."""
    return [f"{wanted.host} {wanted.name}" for wanted in desired if isinstance(wanted, Service)]


def test_with_agents(site: Site) -> None:
    """The bridge and its port before the mapping that names them; the server's restart before the agents'."""
    desired = vlan_on_hosts(site, "default", "br-ex", "eno2")
    listed = addresses(desired)
    assert listed[:2] == ["ovs-bridge/controller1/br-ex", "ovs-port/controller1/eno2"]
    assert listed.index("ovs-port/compute2/eno2") < listed.index(f"controller1:/{ML2} [ml2] type_drivers")
    mapping: Any = next(wanted for wanted in desired if wanted.address == f"compute1:/{AGENT} [ovs] bridge_mappings")
    assert mapping.value == "other:br-other,default:br-ex"
    agent = "neutron-openvswitch-agent"
    assert services(desired) == ["controller1 neutron-server", *(f"{host} {agent}" for host in ROLES)]


def test_a_bridge_carries_one_network(hosts: Rack, site: Site) -> None:
    """A bridge that another physical network has is refused, with the mapping to use: an agent with both would end."""
    before = "external:br-ex,other:br-other"
    write(hosts, "compute2", AGENT, f"[ovs]\nbridge_mappings = {before}\n")
    with pytest.raises(Refused, match="compute2: bridge br-ex carries physical network external already") as caught:
        vlan_on_hosts(site, "default", "br-ex", "eno2")
    assert caught.value.found == before
    assert "mapping=external:br-ex" in str(caught.value.hint)
    desired = vlan_on_hosts(site, "external", "br-ex", "eno2")
    assert next(one.value for one in desired if one.address == f"compute2:/{AGENT} [ovs] bridge_mappings") == before  # type: ignore[attr-defined]


@pytest.mark.parametrize("used", [State("neutron-rpc-server", "failed", enabled=True), State("neutron-rpc-server", "active")])
def test_a_server_in_two_parts(site: Site, monkeypatch: pytest.MonkeyPatch, used: State) -> None:
    """Where neutron-rpc-server is in use beside the API, it is restarted, too; where it is only installed, it is left alone."""

    def fake_states(host: Any, layout: str, names: list[str]) -> dict[str, State]:
        return dict.fromkeys(names, found)

    monkeypatch.setattr(vlans, "states", fake_states)
    found = used
    assert services(vlan_on_hosts(site, "default", "br-ex"))[:2] == [
        "controller1 neutron-server",
        "controller1 neutron-rpc-server",
    ]
    found = State("neutron-rpc-server", "inactive")
    assert "controller1 neutron-rpc-server" not in services(vlan_on_hosts(site, "default", "br-ex"))


@pytest.mark.parametrize("mtu", ["1500", "9000"])
@pytest.mark.parametrize(("sign", "made"), [("etc/network/interfaces", "interfaces.d"), (KEYFILES, "br-ex")])
def test_outlives_a_restart_of_the_host(hosts: Rack, site: Site, sign: str, made: str, mtu: str) -> None:
    """Where the host reads files at its start, bridge and port are written there too; planned once, and taken back."""
    write(hosts, "compute1", sign, "source /etc/network/interfaces.d/*\n")
    hosts.on("compute1", "ip", "link", "set", "eno2", "mtu", mtu)
    before = {path: path.read_bytes() for path in hosts.root("compute1").glob("etc/**/*") if path.is_file()}

    def desired() -> list[Any]:
        return [
            one
            for one in vlan_on_hosts(site, "default", "br-ex", "compute1:eno2")
            if one.kind in ("ovs-bridge", "ovs-port", "file")
        ]

    planned = plan(desired(), site)
    assert any(made in change.address for change in planned.plan if change.resource["kind"] == "file")
    apply(planned, site, planned.digest)
    assert verify(planned, site) == []
    assert plan(desired(), site).plan.changes == ()
    apply(plan_undo(site.run, site), site, "yes")
    hosts.on("compute1", "ip", "link", "set", "eno2", "mtu", "1500")
    assert {path: path.read_bytes() for path in hosts.root("compute1").glob("etc/**/*") if path.is_file()} == before
    (hosts.root("compute1") / sign).unlink()
    shutil.rmtree((hosts.root("compute1") / sign).parent)


def test_under_ovn(hosts: Rack, site: Site) -> None:
    """The mapping goes into the database of every chassis, beside what is there; no agent restarts; undo takes it back."""
    write(hosts, "controller1", ML2, "[ml2]\ntype_drivers = geneve\nmechanism_drivers = ovn,logger\n")
    for host in ("compute1", "compute2"):
        entries = ["external_ids:ovn-encap-ip=10.0.0.31", 'external_ids:ovn-bridge-mappings="other:br-other"']
        hosts.on(host, "ovs-vsctl", "set", "Open_vSwitch", ".", *entries)
    try:
        assert (ovn(site), switches(site)) == (True, ["compute1", "compute2"])
        desired = vlan_on_hosts(site, "default", "br-ex", "eno2")
        assert services(desired) == ["controller1 neutron-server"]
        on_hosts = [wanted for wanted in desired if not isinstance(wanted, Service)]
        planned = plan(on_hosts, site)
        apply(planned, site, planned.digest)
        assert verify(planned, site) == []
        assert external_ids(site.host("compute1"))["ovn-bridge-mappings"] == "other:br-other,default:br-ex"
        assert plan(vlan_on_hosts(site, "default", "br-ex", "eno2")[:-1], site).plan.changes == ()
        apply(plan_undo(site.run, site), site, "yes")
        assert external_ids(site.host("compute1"))["ovn-bridge-mappings"] == "other:br-other"
    finally:
        for host in ("compute1", "compute2"):
            words = [word for key in ("ovn-encap-ip", "ovn-bridge-mappings") for word in ("external_ids", key)]
            hosts.on(
                host, "ovs-vsctl", "remove", "Open_vSwitch", ".", *words[:2], "--", "remove", "Open_vSwitch", ".", *words[2:]
            )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "type_drivers = flat\ntenant_network_types = vxlan\n",
            {"type_drivers": "flat,vlan", "tenant_network_types": "vxlan,vlan"},
        ),
        ("project_network_types = geneve\n", {"project_network_types": "geneve,vlan"}),
        ("", {"tenant_network_types": "vlan"}),
        ("tenant_network_types =\n", {}),
        (
            "type_drivers = vlan\ntenant_network_types = vlan, vxlan\n",
            {"type_drivers": "vlan", "tenant_network_types": "vlan, vxlan"},
        ),
    ],
)
def test_types_of_networks(hosts: Rack, site: Site, text: str, wanted: dict[str, str]) -> None:
    """VLANs come last among the types that projects get, by whichever name the file has.

    What is not set is not narrowed: neutron's own list of drivers holds all of them. An empty list of project's types is meant.
    """
    write(hosts, "controller1", ML2, f"[ml2]\nmechanism_drivers = openvswitch\n{text}")
    options: list[Any] = [
        one for one in vlan_on_hosts(site, "default", "br-ex") if one.address.startswith(f"controller1:/{ML2} [ml2]")
    ]
    assert {one.option: one.value for one in options} == wanted


def test_old_releases_with_a_bridge_of_their_own(hosts: Rack, site: Site) -> None:
    """Where l3_agent.ini sets external_network_bridge, it is emptied and the l3 agent restarts; elsewhere it is left out."""
    assert not any(
        "l3" in text
        for text in [*addresses(vlan_on_hosts(site, "default", "br-ex")), *services(vlan_on_hosts(site, "default", "br-ex"))]
    )
    write(hosts, "controller1", ROUTERS, "[DEFAULT]\nexternal_network_bridge = br-ex\n")
    desired = vlan_on_hosts(site, "default", "br-ex")
    option = next(wanted for wanted in desired if wanted.address == f"controller1:/{ROUTERS} [DEFAULT] external_network_bridge")
    apply(plan([option], site), site, "yes")
    assert (hosts.root("controller1") / ROUTERS).read_text() in (
        "[DEFAULT]\nexternal_network_bridge =\n",
        "[DEFAULT]\nexternal_network_bridge = \n",
    )
    assert services(vlan_on_hosts(site, "default", "br-ex"))[-1] == "controller1 neutron-l3-agent"
    (hosts.root("controller1") / ROUTERS).unlink()


def test_interfaces_are_looked_at_before_anything_is_planned(hosts: Rack, site: Site) -> None:
    """No row for one that is free; for others each reason, on each host."""
    assert checks.nics_fit(site, "", "br-ex", "default") == []
    assert checks.nics_fit(site, "eno2", "br-ex", "default") == []
    used = checks.nics_fit(site, "eno2,compute1:eno1", "br-ex", "default")
    assert {row["check"] for row in used} == {"eno1 on compute1"}
    assert any("default route" in row["found"] for row in used)
    missing = checks.nics_fit(site, "eno9", "br-ex", "default")
    assert [row["check"] for row in missing] == [f"eno9 on {host}" for host in ROLES]


def test_jumbo_frames_must_fit(hosts: Rack, site: Site) -> None:
    """What neutron's files promise networks is compared with each interface, for all or for this physical network."""
    write(hosts, "controller1", "etc/neutron/neutron.conf", "[DEFAULT]\nglobal_physnet_mtu = 9000\n")
    assert [row["found"] for row in checks.nics_fit(site, "eno2", "br-ex", "default")] == ["MTU 1500"] * 3
    write(hosts, "controller1", ML2, "[ml2]\nmechanism_drivers = openvswitch\nphysical_network_mtus = default:1500\n")
    assert checks.nics_fit(site, "eno2", "br-ex", "default") == []
    assert len(checks.nics_fit(site, "eno2", "br-ex", "other")) == 3


def test_what_open_vswitch_could_not_make_work_is_a_row(hosts: Rack, site: Site) -> None:
    """With the host and the reason."""
    assert checks.interfaces_work(site) == []
    hosts.on("compute2", "ovs-vsctl", "add-port", "br-int", "nowhere")
    try:
        (row,) = checks.interfaces_work(site)
        assert (row["check"], "No such device" in row["found"]) == ("nowhere on compute2", True)
    finally:
        hosts.on("compute2", "ovs-vsctl", "del-port", "nowhere")


def test_without_open_vswitch(hosts: Rack, site: Site) -> None:
    """A host without it keeps its files' part; an interface for it is refused, with where to look."""
    hosts.stop()
    try:
        assert not any(
            "ovs" in address for address in addresses(vlan_on_hosts(site, "default", "br-int")) if "/etc/" not in address
        )
        with pytest.raises(Refused, match="no Open vSwitch to give eno2 to"):
            vlan_on_hosts(site, "default", "br-int", "eno2")
    finally:
        hosts.start()


@pytest.mark.parametrize("text", ["default", ":br-ex", "default:", "default:br-ex:", ""])
def test_a_mapping_that_is_none(text: str) -> None:
    """Refused with an example."""
    with pytest.raises(BadInput, match="is not PHYSICAL_NETWORK:BRIDGE"):
        mapped(text)


def test_interfaces_by_host() -> None:
    """One for all, others for hosts that differ."""
    assert mapped("default:br-ex") == ("default", "br-ex", "")
    assert mapped("default:br-ex:eno2,compute2:eno3") == ("default", "br-ex", "eno2,compute2:eno3")
    assert [nic_of("eno2,compute2:eno3", host) for host in ("compute1", "compute2")] == ["eno2", "eno3"]
    assert [nic_of("compute2:eno3", host) for host in ("compute1", "compute2")] == ["", "eno3"]


@given(st.lists(st.tuples(NAMES, NAMES), unique_by=lambda pair: pair[0]), NAMES, NAMES)
def test_an_item_is_added_once(pairs: list[tuple[str, str]], name: str, bridge: str) -> None:
    """The others stay, in their order; an entry of the same name gives way; adding it again changes nothing."""
    listed = ",".join(f"{physical}:{other}" for physical, other in pairs)
    made = with_item(listed, f"{name}:{bridge}")
    assert dict(entry.split(":") for entry in made.split(",")) == {**dict(pairs), name: bridge}
    assert with_item(made, f"{name}:{bridge}") == made


@given(st.lists(st.tuples(NAMES, st.integers(1, 4094), st.integers(0, 50))), NAMES, st.integers(1, 2000), st.integers(0, 2000))
def test_a_range_is_covered(spans: list[tuple[str, int, int]], name: str, first: int, more: int) -> None:
    """Afterwards some entry of the network covers the range; adding it again changes nothing; no entry is lost."""
    listed = ",".join(f"{network}:{start}:{start + length}" for network, start, length in spans)
    item = f"{name}:{first}:{first + more}"
    made = with_range(listed, item)
    entries = [entry.split(":") for entry in made.split(",")]
    assert any(network == name and int(start) <= first and int(end) >= first + more for network, start, end in entries)
    assert with_range(made, item) == made
    assert set(listed.split(",")) - {""} <= set(made.split(","))
