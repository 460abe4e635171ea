"""Facts of hosts and what follows from them: tools' real forms of answer, missing tools, hosts that are gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from stackbook.config import HostSettings, SiteSettings
from stackbook.hostfacts import host_findings, host_survey
from stackbook.hostfacts.network import bridges, path_mtu
from stackbook.hostfacts.storage import instances
from stackbook.journal import new_run
from stackbook.site import Site
from stackbook.tables import Survey

CHRONY = "C0A80001,ntp.example.net,3,1795454176.123456789,-0.000012345,0.000001,0.00002,-5.1,0.0,0.03,0.001,0.0005,64.2,{state}\n"
"""As chrony 4 prints ``chronyc -c tracking``."""
LINK = {
    "ifindex": 2, "ifname": "eno1", "flags": ["BROADCAST", "UP"], "mtu": 9000, "operstate": "UP", "link_type": "ether",
    "address": "52:54:00:00:00:01", "addr_info": [{"family": "inet", "local": "10.0.0.11", "prefixlen": 24, "scope": "global"}],
}  # fmt: skip
"""As iproute2 6 prints a link of ``ip -json -details address show``."""
OVSDB = {
    "Bridge": {"headings": ["name", "ports"], "data": [["br-ex", ["set", [["uuid", "p1"], ["uuid", "p2"]]]]]},
    "Port": {"headings": ["_uuid", "name", "interfaces", "tag"], "data": [
        [["uuid", "p1"], "eno2", ["uuid", "i1"], ["set", []]], [["uuid", "p2"], "br-ex", ["uuid", "i2"], 7]]},
    "Interface": {"headings": ["_uuid", "name", "type", "mtu", "error"], "data": [
        [["uuid", "i1"], "eno2", "", ["set", []], "could not open network device eno2 (No such device)"],
        [["uuid", "i2"], "br-ex", "internal", 1500, ["set", []]]]},
}  # fmt: skip
"""As ovs-vsctl 3 prints ``--format=json list``, a column not set being an empty set."""


def tool(root: Path, name: str, answer: str, code: int = 0) -> None:
    """Put a command that prints `answer` into ``/usr/bin`` of the host at `root`; ``$*`` are its arguments."""
    place = root / "usr" / "bin" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{answer}\nexit {code}\n")
    place.chmod(0o755)


def printed(text: str) -> str:
    """A shell line that prints `text`."""
    return f"cat <<'END'\n{text}\nEND"


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Two hosts whose tools answer as real ones do, an hour apart, and a third that is gone; the cloud does not answer."""
    monkeypatch.chdir(tmp_path)
    auth = {"auth_url": "http://127.0.0.1:9/v3", "username": "admin", "password": "x", "project_name": "admin"}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"nowhere": {"auth": auth}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    for name, ahead, state in (("c1", 0, "Normal"), ("c2", 3600, "Not synchronised")):
        root = tmp_path / name
        tool(root, "date", f"exec /bin/date --date='{ahead} seconds' +%s.%N")
        tool(root, "chronyc", printed(CHRONY.format(state=state)))
        tool(root, "ip", printed(json.dumps([{**LINK, "mtu": 9000 if name == "c1" else 1500}])))
        tables = "".join(f"*{table}) {printed(json.dumps(told))};;\n" for table, told in OVSDB.items())
        tool(root, "ovs-vsctl", f'case "$*" in {tables.replace("END)", "END").replace("END;;", "END" + chr(10) + ";;")} esac')
        tool(
            root, "dpkg-query", printed(f"nova-compute 2:34.0.{ahead} installed\nneutron-common 1 config-files\nbash 5 installed")
        )
        tool(root, "rpm", "", 1)
        conf = root / "etc/nova/nova.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text("[DEFAULT]\ndebgu = true\nmy_ip = 10.0.0.1\n")
    tool(tmp_path / "c3", "true", "echo gone >&2", 255)
    settings = {name: HostSettings(name, roles=("compute",), root=str(tmp_path / name)) for name in ("c1", "c2", "c3")}
    return Site(SiteSettings("here", "debian", cloud="nowhere", hosts=settings), new_run("test", "here", tmp_path / "runs"))


@pytest.fixture
def found(hosts: Site) -> Survey:
    """Their facts."""
    return host_survey(hosts)


def of(found: Survey, kind: str, host: str) -> list[dict[str, Any]]:
    """The rows of one host."""
    return [row for row in found.rows[kind] if row["host"] == host]


def test_facts(found: Survey) -> None:
    """Clocks, links, bridges, packages and configuration are read from what the tools print."""
    (clock,) = of(found, "clocks", "c2")
    assert abs(clock["offset_s"] - 3600) < 2 + clock["within_s"]
    assert (clock["kept_by"], clock["synchronized"], clock["stratum"]) == ("chrony", False, 3)
    assert of(found, "interfaces", "c1")[0]["addresses"] == "10.0.0.11/24"
    assert [(row["interface"], row["tag"], row["mtu"], bool(row["error"])) for row in of(found, "bridges", "c1")] == [
        ("br-ex", 7, 1500, False),
        ("eno2", None, None, True),
    ]
    assert [row["package"] for row in of(found, "packages", "c1")] == ["nova-compute"]
    (row,) = of(found, "configuration", "c1")
    assert (row["file"], row["line"], row["option"]) == ("/etc/nova/nova.conf", 2, "[DEFAULT] debgu")
    assert of(found, "file_systems", "c1")[0]["total_gib"] > 0


def test_what_can_not_be_read_is_a_row(found: Survey) -> None:
    """A host that is gone, and a fact that the cloud does not tell, stand in the tables."""
    assert of(found, "systems", "c3") == [{"host": "c3", "unavailable": "c3: true failed with exit code 255"}]
    assert of(found, "disks", "c3") == []
    assert "can't be reached" in of(found, "instances", "c1")[0]["unavailable"]


def test_findings(found: Survey, hosts: Site) -> None:
    """Each finding has its subject, the worst come first, and equal ones of several hosts are one."""
    rows = host_findings(found, hosts)
    told = {row["subject"]: row for row in rows}
    assert [row["level"] for row in rows] == sorted((row["level"] for row in rows), key=("error", "warning", "info").index)
    assert told["c3 systems"]["level"] == told["c1 br-ex/eno2"]["level"] == "error"
    assert "s apart from c1's clock" in told["c2 clock"]["summary"] or "not synchronized" in told["c2 clock"]["summary"]
    assert "2:34.0.0 on c1; 2:34.0.3600 on c2" in told["nova-compute"]["summary"]
    assert told["/etc/nova/nova.conf [DEFAULT] debgu"]["summary"].endswith("(nearest known: debug) (c1:2, c2:2)")
    assert "MTU differs: 1500 on c2, 9000 on c1" in told["interface eno1"]["summary"]
    assert [event["subject"] for event in hosts.run.events() if event["event"] == "finding"] == [row["subject"] for row in rows]


def test_a_full_packet_to_the_next_host(hosts: Site, tmp_path: Path) -> None:
    """The packet has the MTU of the NIC that leads there; what ping says of a lost one is passed on."""
    far = HostSettings("far", address="192.0.2.9")
    here = Site(SiteSettings("here", "debian", hosts={"c1": hosts.settings.hosts["c1"], "far": far}), hosts.run)
    link = printed(json.dumps([LINK]))
    tool(
        tmp_path / "c1",
        "ip",
        f'case "$*" in *route*) {printed(json.dumps([{"dst": "192.0.2.9", "dev": "eno1"}]))}\n;; *) {link}\n;; esac',
    )
    tool(
        tmp_path / "c1",
        "ping",
        'case "$*" in *"-M do -s 8972 192.0.2.9") echo "ping: local error: message too long, mtu=1500" >&2;; esac',
        1,
    )
    (row,) = path_mtu(here, here.host("c1"))
    assert row == {
        "to": "far",
        "over": "eno1",
        "mtu": 9000,
        "passes": False,
        "said": "ping: local error: message too long, mtu=1500",
    }
    tool(tmp_path / "c1", "ping", "true")
    assert path_mtu(here, here.host("c1"))[0]["passes"]


def test_no_bridges(hosts: Site, tmp_path: Path) -> None:
    """A host whose Open vSwitch has no bridge has no rows."""
    tool(tmp_path / "c1", "ovs-vsctl", printed(json.dumps({"headings": ["name", "ports"], "data": []})))
    assert bridges(hosts, hosts.host("c1")) == []


def test_what_servers_may_grow_to(site: Site, cloud: Connection) -> None:
    """A server's flavor tells what its disks may hold on its host; more than the file system has is a finding."""
    image, network = cloud.image.find_image("sandbox-linux"), cloud.network.create_network(name="growing")
    cloud.network.create_subnet(network_id=network.id, cidr="198.51.100.0/28", ip_version=4)
    flavor = cloud.compute.create_flavor(name="growing", ram=64, vcpus=1, disk=3, ephemeral=2, swap=1024)
    about = {"image_id": image.id, "flavor_id": flavor.id, "networks": [{"uuid": network.id}]}
    server = cloud.compute.wait_for_server(cloud.compute.create_server(name="growing", **about))
    try:
        rows = [row for name in ("compute1", "compute2") for row in instances(site, site.host(name))]
        grown = [row for row in rows if row["largest_gib"] == 6]
        assert len(grown) == 1 and grown[0]["promised_gib"] >= 6
        small = {"host": "compute1", **grown[0], "total_gib": 5.0}
        assert "may grow to" in host_findings(Survey({"instances": [small]}), site)[0]["summary"]
        assert instances(site, site.host("controller1")) == []
    finally:
        cloud.compute.delete_server(server)
        cloud.compute.wait_for_delete(server)
        cloud.compute.delete_flavor(flavor)
        cloud.network.delete_network(network)
