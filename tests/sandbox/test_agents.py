"""The stand-in agents keep to what they read when they were started, as agents with a process of their own do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

Cloud = Any

AGENT = "neutron-openvswitch-agent"
PHYSICAL = "agentsnet"


class Host:
    """A sandbox host's systemctl."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def systemctl(self, *words: str) -> str:
        """What the command printed; it has to succeed, unless it is a question."""
        done = subprocess.run([self.root / "usr/bin/systemctl", *words], check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 or words[0] == "is-active", done.stderr
        return done.stdout.strip()

    def started(self, unit: str) -> str:
        """When `unit` became active."""
        return self.systemctl("show", unit, "-p", "ActiveEnterTimestamp", "--value", "--timestamp=us+utc")


@pytest.fixture
def controller(sandbox: Path) -> Host:
    """The host of neutron-server."""
    return Host(sandbox / "hosts" / "controller1")


@pytest.fixture
def compute(sandbox: Path) -> Iterator[Host]:
    """A compute host, whose agent's file and state are as before afterwards."""
    host = Host(sandbox / "hosts" / "compute1")
    path = host.root / "etc/neutron/plugins/ml2/openvswitch_agent.ini"
    before = path.read_bytes()
    bridge = ["br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev"]
    subprocess.run([host.root / "usr/bin/ovs-vsctl", "--may-exist", "add-br", *bridge], check=True, timeout=20)
    yield host
    path.write_bytes(before)
    subprocess.run([host.root / "usr/bin/ovs-vsctl", "del-br", "br-ex"], check=True, timeout=20)
    host.systemctl("restart", AGENT)


@pytest.fixture
def port(cloud: Cloud) -> Iterator[Any]:
    """A port on a network whose physical network no host maps."""
    about = {"provider_network_type": "flat", "provider_physical_network": PHYSICAL}
    network = cloud.network.create_network(name="agents-net", **about)
    made = cloud.network.create_port(name="agents-port", network_id=network.id, device_owner="compute:nova")
    yield made
    cloud.network.delete_port(made)
    cloud.network.delete_network(network)


def _bound(cloud: Cloud, port: Any) -> str:
    """Bind `port` to compute1 anew; the VIF type that comes of it."""
    cloud.network.update_port(port, binding_host_id="")
    return str(cloud.network.update_port(port, binding_host_id="compute1").binding_vif_type)


def _map(host: Host) -> None:
    path = host.root / "etc/neutron/plugins/ml2/openvswitch_agent.ini"
    text = path.read_text()
    assert "[ovs]\n" in text
    path.write_text(text.replace("[ovs]\n", f"[ovs]\nbridge_mappings = {PHYSICAL}:br-ex\n", 1))


def test_only_an_agents_own_restart_reads_its_file(cloud: Cloud, port: Any, controller: Host, compute: Host) -> None:
    """With the mapping written and only neutron-server restarted, a port still fails to bind; then the agent's turn."""
    assert _bound(cloud, port) == "binding_failed"
    _map(compute)
    agent, server = compute.started(AGENT), controller.started("neutron-server")
    controller.systemctl("restart", "neutron-server")
    assert controller.started("neutron-server") > server
    assert compute.started(AGENT) == agent
    assert _bound(cloud, port) == "binding_failed"
    compute.systemctl("restart", AGENT)
    assert compute.started(AGENT) > agent
    assert _bound(cloud, port) == "ovs"


def test_a_stopped_agent_stays_stopped(controller: Host, compute: Host) -> None:
    """An agent that was stopped is not brought back by the server's restart, and says so."""
    compute.systemctl("stop", AGENT)
    controller.systemctl("restart", "neutron-server")
    assert compute.systemctl("is-active", AGENT) == "inactive"
    compute.systemctl("start", AGENT)
    assert compute.systemctl("is-active", AGENT) == "active"


def test_agents_do_not_stop_with_the_server(controller: Host, compute: Host) -> None:
    """While neutron-server is stopped, the agents are still active, since when they were."""
    agent = compute.started(AGENT)
    controller.systemctl("stop", "neutron-server")
    try:
        assert controller.systemctl("is-active", "neutron-server") == "inactive"
        assert (compute.systemctl("is-active", AGENT), compute.started(AGENT)) == ("active", agent)
    finally:
        controller.systemctl("start", "neutron-server")
    assert (compute.systemctl("is-active", AGENT), compute.started(AGENT)) == ("active", agent)
