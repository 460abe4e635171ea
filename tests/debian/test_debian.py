"""Runbooks and traces on a real installation, as its operator uses them: `make test-debian`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stackbook.hosts import SshHost
from tests.debian.machine import ADDRESS, NAME, PASSWORD, Debian
from tests.notebooks.conftest import Command
from tests.notebooks.test_walk import undo, walk

if TYPE_CHECKING:
    from openstack.connection import Connection

SITE = """\
[sites.deb]
rc = "openrc"
layout = "debian"

[sites.deb.hosts.{host.name}]
address = "{host.address}"
roles = ["controller", "network", "compute", "storage"]
user = "root"
key = "{host.key}"
known_hosts = "{host.known_hosts}"
"""
SIGN_IN = {
    "auth_url": f"http://{ADDRESS}:5000/v3",
    "username": "admin",
    "password": PASSWORD,
    "project_name": "admin",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
PATIENCE = 300.0


@pytest.fixture(scope="module")
def debian(pytestconfig: pytest.Config) -> Iterator[Debian]:
    """The running container."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # building takes minutes, and says what it does
        made = Debian(tell=lambda text: print(f"\ndebian: {text}", flush=True))
    with made:
        yield made


@pytest.fixture(scope="module")
def cloud(debian: Debian) -> Connection:
    """An administrator's connection that sends no global request id, as the dashboard does; all services report."""
    import openstack

    connection = openstack.connect(load_yaml_config=False, load_envvars=False, auth=SIGN_IN, region_name="RegionOne")
    until(lambda: {one.state for one in connection.compute.services()} == {"up"})
    until(lambda: sum(agent.is_alive for agent in connection.network.agents()) >= 3)
    until(lambda: any(one.state == "down" for one in connection.block_storage.services()))
    return connection


@pytest.fixture
def stackbook(debian: Debian, cloud: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs ``stackbook WORDS --json`` in a workspace whose site ``deb`` is the container."""
    variables = {f"OS_{name.upper()}": value for name, value in SIGN_IN.items()}
    (tmp_path / "openrc").write_text("".join(f"export {name}={value}\n" for name, value in variables.items()))
    (tmp_path / "stackbook.toml").write_text(SITE.format(host=debian.settings()))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "stackbook", *words, "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def until(true: Any) -> None:
    """Return when it is so; what the services refuse meanwhile counts as not yet."""
    end, why = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end:
        try:
            if true():
                return
        except Exception as error:
            why = str(error)
        time.sleep(2)
    raise AssertionError(f"waited in vain: {why}")


def state(host: SshHost) -> str:
    """Every byte of what runbooks may write, and the bridges but the agent's own."""
    files = "find /etc/neutron /etc/network /etc/nova /etc/cinder -type f -print0 | sort -z | xargs -0 sha256sum"
    return host.run(["sh", "-c", f"{files}; ovs-vsctl list-br | grep -v -e br-int -e br-tun; true"]).out


def causes(told: dict[str, Any]) -> list[str]:
    """The signatures that a trace names."""
    return [cause["signature"] for cause in told["causes"]]


def findings(record: dict[str, Any], folder: Path) -> list[tuple[str, str, str]]:
    """Level, subject and summary of what a run found."""
    journal = (folder / "runs" / record["run"] / "journal.jsonl").read_text().splitlines()
    found = [event for event in map(json.loads, journal) if event["event"] == "finding"]
    return [(event["level"], event["subject"], event["summary"]) for event in found]


def test_health(stackbook: Command, tmp_path: Path) -> None:
    """What ends again and again, what does not report, and what their errors mean; nothing of what is well."""
    code, record = stackbook("run", "health", "--site", "deb")
    found = findings(record, tmp_path)
    told = {(level, subject): summary for level, subject, summary in found}
    assert code == 0
    assert "down, no report" in told["error", f"cinder-volume on {NAME}@lvm"]
    assert "names a bridge absent on the host" in told["warning", f"neutron-openvswitch-agent on {NAME}"]
    assert not [subject for _, subject, _ in found if subject.startswith("API")]
    assert len(found) == len(set(found))


def test_services_have_units_of_their_own(stackbook: Command, debian: Debian, tmp_path: Path) -> None:
    """Apache runs, for nothing of OpenStack; a restart of keystone is one of keystone."""
    assert debian.host().run(["systemctl", "is-active", "apache2", "keystone"]).out.split() == ["active", "active"]
    now = debian.host().run(["date", "-u", "+%Y-%m-%dT%H:%M:%S"]).out.strip()
    words = ["run", "service-restart", "--site", "deb", "-p", "service=keystone", "-p", f"before={now}"]
    code, planned = stackbook(*words)
    assert (code, [change["address"] for change in planned["changes"]]) == (2, [f"service/{NAME}/keystone"])
    code, applied = stackbook(*words, "--approve", planned["digest"])
    assert (code, applied["status"]) == (0, "applied"), applied["error"]
    since = "systemctl show -p ActiveEnterTimestamp --value --timestamp=unix"
    apache, keystone = (debian.host().run(["sh", "-c", f"{since} {unit}"]).out.strip("@\n") for unit in ("apache2", "keystone"))
    assert int(apache) < int(keystone)


def test_a_volume_that_no_backend_takes(stackbook: Command, cloud: Connection) -> None:
    """From the volume, whose request has no global id, over the scheduler to what cinder-volume said at its start."""
    volume = cloud.block_storage.create_volume(size=1, name="lost-volume")
    until(lambda: cloud.block_storage.get_volume(volume.id).status == "error")
    code, told = stackbook("trace", volume.id, "--site", "deb")
    assert (code, causes(told)) == (0, ["cinder-group-missing"])
    assert "pkgosvg0" in json.dumps(told["causes"])
    assert told["causes"][0]["runbook"] == {"name": "cinder-lvm", "parameters": {"group": "pkgosvg0"}}
    code, refused = stackbook("run", "server-from-volume", "--site", "deb", "-p", "name=db", "-p", "size=1")
    assert (code, refused["status"]) == (3, "failed")


def test_a_bridge_that_is_taken(stackbook: Command) -> None:
    """Debian's own mapping is external:br-ex; another network on that bridge would end the agent, and is refused."""
    code, refused = stackbook("run", "provider-vlan", "--site", "deb", "-p", "vlan=204", "-p", "mapping=default:br-ex:eno2")
    assert (code, refused["status"]) == (3, "failed")
    assert "br-ex carries physical network external already" in refused["error"]["what"]


def test_a_vlan(stackbook: Command, debian: Debian, cloud: Connection) -> None:
    """The bridge is made, so the agent comes up and reports; both parts of neutron's server restart; all is taken back."""
    debian.host().run(["systemctl", "stop", "neutron-openvswitch-agent"])  # else it ends and starts again between two plans
    before = state(debian.host())
    run = walk(stackbook, "provider-vlan", {"site": "deb", "vlan": "204", "mapping": "external:br-ex:eno2"})
    alive = [agent.binary for agent in cloud.network.agents() if agent.is_alive]
    assert "neutron-openvswitch-agent" in alive
    _, applied = stackbook("runs", run)
    restarted = [change["address"] for change in applied["changes"] if change["address"].startswith("service/")]
    assert [f"service/{NAME}/{name}" for name in ("neutron-server", "neutron-rpc-server")] == restarted[:2]
    undo(stackbook, run)
    assert state(debian.host()) == before


def test_what_can_be_looked_at(stackbook: Command) -> None:
    """Inventory and host-survey end well; of Debian's files nothing but what is deprecated or of another release."""
    for name in ("inventory", "host-survey"):
        code, record = stackbook("run", name, "--site", "deb")
        assert (code, record["status"]) == (0, "unchanged"), record["error"]
