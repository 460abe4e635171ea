"""The failure that operators meet first, and its cure: a VLAN network whose mapping is missing on the hosts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openstack.connection import Connection

from stackbook.site import Site

from .conftest import Command
from .test_walk import AWAITS_APPROVAL, DONE, state, undo

AGENT = "neutron-openvswitch-agent"
INI = "etc/neutron/plugins/ml2/openvswitch_agent.ini"
FAILED = 1


def forget_mappings(home: Path) -> None:
    """What a half-finished installation looks like: no bridge mapping on any host, agents running without."""
    for root in sorted(home.glob("hosts/*")):
        lines = (root / INI).read_text().splitlines(keepends=True)
        (root / INI).write_text("".join(line for line in lines if not line.startswith("bridge_mappings")))
        subprocess.run([root / "usr/bin/systemctl", "restart", AGENT], check=True, timeout=60)


def applied(stackbook: Command, *words: str) -> dict[str, Any]:
    """The record of a run that was approved and went well."""
    code, planned = stackbook(*words)
    assert code == AWAITS_APPROVAL, planned["error"]
    code, record = stackbook(*words, "--approve", planned["digest"])
    assert (code, record["status"]) == (DONE, "applied"), record["error"]
    return record


def test_failure_and_cure(stackbook: Command, new_site: Callable[[], Site], sandbox: Path, cloud: Connection) -> None:
    """Without the mapping a server on VLAN 204 ends in ERROR; provider-vlan plans the lines and restarts, and it boots."""
    before = state(new_site(), sandbox)
    runs = [applied(stackbook, "run", "provider-vlan")]
    forget_mappings(sandbox)
    runs.append(applied(stackbook, "run", "fixed-ip"))

    code, failed = stackbook("run", "server-from-volume", "--yes")
    assert (code, failed["status"]) == (FAILED, "failed")
    assert cloud.compute.find_server("web", details=True).status == "ERROR"
    assert "web" in failed["error"]["what"]
    assert failed["error"]["hint"]

    code, planned = stackbook("run", "provider-vlan")
    addresses = [change["address"] for change in planned["changes"]]
    assert [address for address in addresses if address.endswith("bridge_mappings")] == [
        f"{host}:/{INI} [ovs] bridge_mappings" for host in ("controller1", "compute1", "compute2")
    ]
    assert [address for address in addresses if AGENT in address] == [
        f"service/{host}/{AGENT}" for host in ("controller1", "compute1", "compute2")
    ]
    runs.append(applied(stackbook, "run", "provider-vlan"))

    server = applied(stackbook, "run", "server-from-volume")
    assert [(change["action"], change["address"]) for change in server["changes"]] == [("replace", "server/web")]
    booted = cloud.compute.find_server("web", details=True)
    assert (booted.status, booted.addresses["vlan204"][0]["addr"]) == ("ACTIVE", "192.0.2.50")

    code, again = stackbook("run", "provider-vlan")
    assert (code, again["changes"]) == (DONE, [])

    cloud.compute.delete_server(booted)
    cloud.compute.wait_for_delete(booted)
    for run in [failed, runs[1]]:
        undo(stackbook, run["run"])
    undo(stackbook, runs[2]["run"])
    undo(stackbook, runs[0]["run"])
    assert state(new_site(), sandbox) == before


def restarted_for_good(root: Path, cloud: Connection) -> None:
    """Restart the agent of compute2, and wait until neutron takes it for dead."""
    subprocess.run([root / "usr/bin/systemctl", "restart", AGENT], check=False, timeout=60)
    until = time.monotonic() + 90
    while next(cloud.network.agents(host="compute2", binary=AGENT)).is_alive:
        assert time.monotonic() < until
        time.sleep(1)


def test_an_agent_that_hangs_stops_the_plan(stackbook: Command, sandbox: Path, cloud: Connection) -> None:
    """One that runs and does not report is nothing that the plan would mend: preflight stops, and nothing is changed."""
    root = sandbox / "hosts" / "compute2"
    content = (root / INI).read_text()
    (root / INI).write_text(content + "\n[agent]\nreport_interval = 3600\n")
    restarted_for_good(root, cloud)
    code, record = stackbook("run", "provider-vlan", "--yes")
    assert (code, record["done"], record["error"]["type"]) == (FAILED, 0, "PreflightFailed"), record["error"]
    assert "compute2" in str(record["error"]["found"])
    (root / INI).write_text(content)
    subprocess.run([root / "usr/bin/systemctl", "restart", AGENT], check=True, timeout=60)
    assert next(cloud.network.agents(host="compute2", binary=AGENT)).is_alive


def test_an_agent_that_ended_for_want_of_its_bridge(
    stackbook: Command, new_site: Callable[[], Site], sandbox: Path, cloud: Connection
) -> None:
    """A bridge that went takes the agent with it: it is dead, and that does not keep provider-vlan from mending both."""
    before = state(new_site(), sandbox)
    first = applied(stackbook, "run", "provider-vlan")
    new_site().host("compute2").run(["ovs-vsctl", "del-br", "br-ex"])
    restarted_for_good(sandbox / "hosts" / "compute2", cloud)
    mended = applied(stackbook, "run", "provider-vlan")
    assert [change["address"] for change in mended["changes"]] == ["ovs-bridge/compute2/br-ex", f"service/compute2/{AGENT}"]
    assert next(cloud.network.agents(host="compute2", binary=AGENT)).is_alive
    undo(stackbook, mended["run"])
    undo(stackbook, first["run"])
    assert state(new_site(), sandbox) == before
