"""The runbooks of hosts on a real one, by the command: planned, refused, applied, proved, killed, resumed, undone.

Their cloud is the sandbox, whose services stand in for those that a guest without KVM has no room for.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackbook.config import HostSettings
from stackbook.hosts import Host, LocalHost
from stackbook.sandbox import access, restart
from stackbook.storage import DRIVER
from tests.guest.guest import Guest
from tests.notebooks.cases import NOW
from tests.notebooks.conftest import Command, stackbook
from tests.notebooks.test_walk import AWAITS_APPROVAL, DONE, undo, walk
from tests.packstack.files import written

__all__ = ["stackbook"]
SITE = """\
[sites.lab]
layout = "debian"
cloud = "{cloud}"

[sites.lab.hosts.{name}]
address = "{host.address}"
port = {host.port}
user = "{host.user}"
key = "{host.key}"
known_hosts = "{host.known_hosts}"
roles = [{roles}]
"""
VLAN = {"site": "lab", "mapping": "default:br-ex:eno2", "vlan": "207", "cidr": "203.0.113.0/26"}
BAD_INPUT = 3
ANSWERS = "/root/packstack-answers.txt"
DISK = {"site": "lab", "host": "controller1", "disks": "/dev/vdb"}
CLOUD = {"site": "sandbox", "vlan": "206", "cidr": "203.0.113.64/26"}
"""A VLAN on the sandbox itself: afterwards its neutron knows VLANs, as that of the guest's cloud has to."""
Joined = Callable[[str, str], None]


@pytest.fixture
def joined(guest: Guest, sandbox: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Joined:
    """Makes the guest the only host of site ``lab``, under a name and with a role; the site's cloud is the sandbox."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(access.write(sandbox)))

    ready = (workspace / "stackbook.toml").read_text()

    def join(name: str, role: str) -> None:
        about = {"cloud": access.cloud(sandbox.name), "name": name, "host": guest.settings(name), "roles": json.dumps(role)}
        (workspace / "stackbook.toml").write_text(ready + SITE.format(**about))

    return join


@pytest.fixture
def fake_volume_service(guest: Guest, sandbox: Path) -> Iterator[None]:
    """The sandbox's cinder-volume in the place of one in the guest: the room that it reports is that of the guest's group."""
    host, name = LocalHost(HostSettings("controller1", root=str(sandbox / "hosts" / "controller1"))), sandbox.name
    settings, own = guest.settings(), sandbox / "hosts/controller1/usr/bin/vgs"
    ssh = f"ssh -i {settings.key} -p {settings.port} -o UserKnownHostsFile={settings.known_hosts} root@127.0.0.1"
    backup, kept = sandbox / "hosts/controller1/var/lib/lvm/backup", own.with_name("vgs.kept")
    before = host.read("/etc/cinder/cinder.conf") or b""
    own_driver = next(line for line in before.splitlines() if line.startswith(b"volume_driver = "))
    own.rename(kept)
    own.write_text(f'#!/bin/sh\n{ssh} vgs "$@" 2>/dev/null || echo 0\n')
    own.chmod(0o755)
    backup.rename(backup.with_name("backup.kept"))
    host.write("/etc/cinder/cinder.conf", before.replace(own_driver, f"volume_driver = {DRIVER}".encode(), 1))
    restart(name, "cinder")
    try:
        yield
    finally:
        kept.replace(own)
        backup.with_name("backup.kept").rename(backup)
        host.write("/etc/cinder/cinder.conf", before)
        restart(name, "cinder")


def state(host: Host) -> dict[str, str]:
    """What a person would compare: every byte of /etc but LVM's own records, the bridges, the disks."""
    files = "find /etc -path /etc/lvm -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
    shown = {"etc": ["sh", "-c", files], "bridges": ["ovs-vsctl", "show"], "disks": ["lsblk", "-fno", "NAME,FSTYPE,MOUNTPOINTS"]}
    return {what: host.run(command).out for what, command in shown.items()}


def options(values: dict[str, str]) -> list[str]:
    """Parameters as the command takes them."""
    return [word for name, value in values.items() for word in ("-p", f"{name}={value}")]


@pytest.fixture
def vlans(stackbook: Command, joined: Joined) -> None:
    """The guest as a compute host of a cloud that has VLANs."""
    joined("compute1", "compute")
    code, record = stackbook("run", "provider-vlan", *options(CLOUD), "--yes")
    assert code == DONE, record["error"]


def killed_often(words: list[str], workspace: Path) -> str:
    """Run the command and kill it (-9) as its second change begins; resume and kill that likewise, until it is done; the run."""
    known = set(workspace.glob("runs/*"))
    times = 0
    while not _ended(words, workspace, known):
        times += 1
        (run,) = set(workspace.glob("runs/*")) - known
        words = ["resume", run.name]
    assert times > 1, "nothing was cut off"
    return run.name


def _ended(words: list[str], workspace: Path, known: set[Path]) -> bool:
    """Whether the command came to its end; it is killed when two more changes have begun."""
    allowed = _begun(workspace, known) + 1
    process = subprocess.Popen([sys.executable, "-m", "stackbook", *words], cwd=workspace, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if _begun(workspace, known) > allowed:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    assert process.returncode in (DONE, -signal.SIGKILL)
    return process.returncode == DONE


def _begun(workspace: Path, known: set[Path]) -> int:
    """How many changes the new run has begun, as its journal tells."""
    journals = [run / "journal.jsonl" for run in set(workspace.glob("runs/*")) - known]
    return sum(journal.read_text().count('"event": "started"') for journal in journals if journal.exists())


def killed_everywhere(stackbook: Command, host: Host, workspace: Path, name: str, values: dict[str, str]) -> None:
    """Killed at its changes and resumed, repeated with nothing to do, undone: what it made is there once, then gone."""
    before = state(host)
    words = ["run", name, *options(values)]
    code, planned = stackbook(*words)
    assert code == AWAITS_APPROVAL
    run = killed_often([*words, "--approve", planned["digest"]], workspace)
    code, record = stackbook("runs", run)
    assert (record["status"], record["done"]) == ("applied", len(planned["changes"])), record["error"]
    code, again = stackbook(*words)
    assert (code, again["changes"]) == (DONE, [])
    undo(stackbook, run)
    assert state(host) == before


@pytest.mark.usefixtures("vlans")
def test_a_vlan(stackbook: Command, guest_host: Host) -> None:
    """provider-vlan gives the guest its bridge, NIC, files for its next start, mapping and restart; all is taken back."""
    before = state(guest_host)
    run = walk(stackbook, "provider-vlan", VLAN)
    assert guest_host.run(["ovs-vsctl", "list-ports", "br-ex"]).out == "eno2\n"
    assert "master ovs-system" in guest_host.run(["ip", "link", "show", "eno2"]).out
    undo(stackbook, run)
    assert state(guest_host) == before


def test_the_interface_of_the_connection_is_refused(stackbook: Command, joined: Joined, guest_host: Host) -> None:
    """The runbook stops before its plan, and says why; nothing is changed."""
    joined("compute1", "compute")
    before = state(guest_host)
    code, record = stackbook("run", "provider-vlan", *options({**VLAN, "mapping": "default:br-ex:eno1"}))
    assert (code, record["status"]) == (BAD_INPUT, "failed")
    assert "you are connected through it: eno1 carries 10.0.2.15" in str(record["error"])
    assert state(guest_host) == before


@pytest.mark.usefixtures("vlans")
def test_a_vlan_killed_at_its_changes(stackbook: Command, guest_host: Host, workspace: Path) -> None:
    """Kill -9 at the changes of provider-vlan."""
    killed_everywhere(stackbook, guest_host, workspace, "provider-vlan", VLAN)


@pytest.mark.usefixtures("fake_volume_service")
def test_cinders_volumes(stackbook: Command, joined: Joined, guest_host: Host) -> None:
    """cinder-lvm makes the group of a real disk, and the scheduler is told of its size; all is taken back."""
    joined("controller1", "controller")
    before = state(guest_host)
    run = walk(stackbook, "cinder-lvm", DISK)
    assert guest_host.run(["vgs", "--noheadings", "-o", "vg_name"]).out.strip() == "cinder-volumes"
    undo(stackbook, run)
    assert state(guest_host) == before


@pytest.mark.usefixtures("fake_volume_service")
def test_cinders_volumes_killed_at_its_changes(stackbook: Command, joined: Joined, guest_host: Host, workspace: Path) -> None:
    """Kill -9 at the changes of cinder-lvm."""
    joined("controller1", "controller")
    killed_everywhere(stackbook, guest_host, workspace, "cinder-lvm", DISK)


def test_a_disk_with_data_is_refused(stackbook: Command, joined: Joined, guest_host: Host) -> None:
    """The runbook stops before its plan, and names what lives there and the serial to consent with."""
    joined("controller1", "controller")
    before = state(guest_host)
    code, record = stackbook("run", "cinder-lvm", *options({**DISK, "disks": "/dev/vdc"}))
    assert (code, record["status"]) == (BAD_INPUT, "failed")
    assert "something lives on the disk" in record["error"]["what"]
    assert "USED01" in record["error"]["hint"]
    assert state(guest_host) == before


def test_a_restart(stackbook: Command, joined: Joined, guest_host: Host) -> None:
    """service-restart restarts a unit of systemd's, once."""
    joined("compute1", "compute")
    first = started(guest_host)
    walk(stackbook, "service-restart", {"site": "lab", "service": "neutron-openvswitch-agent", "before": NOW})
    assert started(guest_host) > first


def test_an_answer_file(stackbook: Command, joined: Joined, guest_host: Host) -> None:
    """packstack-answers edits the file over SSH, and gives it back to the byte, as private as it was."""
    joined("controller1", "controller")
    content = written().encode()
    guest_host.write(ANSWERS, content, 0o600)
    try:
        run = walk(stackbook, "packstack-answers", {"site": "lab"})
        edited = guest_host.read(ANSWERS) or b""
        assert b"\nCONFIG_PROVISION_DEMO=n\n" in edited and edited != content
        undo(stackbook, run)
        assert guest_host.read(ANSWERS) == content
        assert guest_host.run(["stat", "-c", "%a %U", ANSWERS]).out == "600 root\n"
    finally:
        guest_host.run(["rm", "-f", ANSWERS])


def test_a_survey(stackbook: Command, joined: Joined, workspace: Path) -> None:
    """host-survey over SSH: the guest's disks, interfaces and clock are on its page, and what is wrong with it."""
    joined("compute1", "compute")
    code, record = stackbook("run", "host-survey", "-p", "site=lab")
    assert (code, record["changes"]) == (DONE, []), record["error"]
    page = Path(record["report"]).read_text()
    for told in ("EMPTY01", "eno2", "compute1"):
        assert told in page, told


def started(host: Host) -> int:
    """When the agent was started, in microseconds since the guest's start."""
    show = ["systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "--value", "neutron-openvswitch-agent"]
    return int(host.run(show).out)
