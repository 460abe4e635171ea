"""The sandbox hosts' own network: interfaces and Open vSwitch for an ordinary user, and VLANs that keep to themselves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackbook.sandbox import networks
from stackbook.sandbox.inside.openstack_sandbox import processes
from stackbook.sandbox.recipe import REAL
from tests.rack import Rack

COMPUTES = ("compute1", "compute2")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Rack]:
    """Hosts of this test's own."""
    with Rack(tmp_path / "home") as made:
        yield made


def add_bridge(hosts: Rack, host: str, *guests: int) -> None:
    """``br-ex`` with ``eno2`` on `host`, and an access port ``g<tag>`` for each of `guests`."""
    words = ["add-br", "br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev", "--", "add-port", "br-ex", "eno2"]
    for tag in guests:
        words += ["--", "add-port", "br-ex", f"g{tag}", f"tag={tag}", "--", "set", "Interface", f"g{tag}", "type=internal"]
    hosts.on(host, "ovs-vsctl", "--timeout=10", *words)
    for tag in guests:
        hosts.on(host, "ip", "link", "set", f"g{tag}", "up")


def test_as_packstack_leaves_them(hosts: Rack) -> None:
    """A management interface with address and default route, a bare one for VLANs, and the bridges of an installation."""
    assert "inet 10.0.0.31/24" in hosts.on("compute1", "ip", "-o", "address", "show", "eno1")
    assert hosts.on("compute1", "ip", "-o", "-4", "address", "show", "eno2") == ""
    assert "default via 10.0.0.1 dev eno1" in hosts.on("compute1", "ip", "route")
    assert hosts.on("compute1", "ovs-vsctl", "list-br").split() == ["br-int", "br-tun"]
    assert hosts.on("controller1", "ovs-vsctl", "list-br").split() == ["br-ex", "br-int", "br-tun"]
    assert "eno2" not in hosts.on("controller1", "ovs-vsctl", "list-ports", "br-ex")


def test_a_vlan_keeps_to_itself(hosts: Rack) -> None:
    """A frame into an access port of VLAN 204 is tagged 204 on the wire and comes out at that of another host, not at 205's."""
    for host in COMPUTES:
        add_bridge(hosts, host, 204, 205)
    heard = hosts.frames(("compute1", "g204"), "hello", "compute2", "eno2", "g204", "g205")
    assert sorted(heard) == ["eno2 204 hello", "g204 0 hello"]
    heard = hosts.frames(("compute2", "g205"), "other", "compute1", "eno2", "g204", "g205")
    assert sorted(heard) == ["eno2 205 other", "g205 0 other"]


def test_called_from_another_host(hosts: Rack) -> None:
    """A host's command that is called from another host's surroundings is this host's, and enters it once."""
    first = {**os.environ, "PATH": f"{hosts.root('controller1')}/usr/bin:{os.environ['PATH']}"}
    command = [str(hosts.root("compute1") / "usr/bin/ovs-vsctl"), "br-exists", "br-int"]
    subprocess.run(command, env=first, check=True, timeout=30)
    own = {**os.environ, "PATH": f"{hosts.root('compute1')}/usr/bin:{os.environ['PATH']}"}
    subprocess.run(["ovs-vsctl", "br-exists", "br-int"], env=own, check=True, timeout=30)


def test_bridges_outlive_a_kill(hosts: Rack) -> None:
    """After kill -9 of everything, and after an orderly stop, bridges and ports are there again; nothing ran meanwhile."""
    add_bridge(hosts, "compute1", 204)
    for number in (signal.SIGKILL, signal.SIGTERM):
        for one in processes.members(hosts.home):
            os.kill(one.pid, number)
        hosts.stop()
        assert processes.members(hosts.home) == []
        hosts.start()
        assert hosts.on("compute1", "ovs-vsctl", "list-ports", "br-ex").split() == ["eno2", "g204"]
        assert hosts.on("compute1", "ovs-vsctl", "get", "Interface", "eno2", "error") == "[]\n"


def test_a_daemon_that_ends_is_noticed(hosts: Rack) -> None:
    """Without ovs-vswitchd on one host, the network has failed, says whose, and leaves nothing behind; it starts again."""
    pid = hosts.on("compute2", "cat", "/run/openvswitch/ovs-vswitchd.pid")
    os.kill(int(pid), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (found := networks.network(hosts.home)).state != "failed" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (found.state, found.hint) == ("failed", "stackbook sandbox up")
    assert "compute2: its network ended" in found.summary
    refused = subprocess.run(hosts.command("compute1", "ovs-vsctl", "show"), capture_output=True, text=True, check=False)
    assert (refused.returncode, "stackbook sandbox up" in refused.stderr) == (69, True)
    hosts.start()
    assert hosts.on("compute2", "ovs-vsctl", "list-br").split() == ["br-int", "br-tun"]


def test_where_namespaces_are_forbidden() -> None:
    """Where a user may make no namespaces, the reason and the next step are told."""
    told = python("echo 0 >/proc/sys/user/max_user_namespaces", ["unshare", "-Ur"], "print(rack.missing())")
    assert "namespaces are not allowed" in told
    assert "sysctl -w user.max_user_namespaces=10000" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a program from others")
def test_without_open_vswitch(tmp_path: Path) -> None:
    """Hosts have their interfaces; what asks for Open vSwitch is told that it is not installed, and how to get it."""
    home = tmp_path / "home"
    hidden = 'mount --bind /dev/null "$(command -v ovs-vswitchd)"'
    told = python(hidden, ["unshare", "--mount"], START.format(home=str(home)))
    try:
        assert "Open vSwitch is not installed', hint='apt-get install openvswitch-switch" in told
        hosts = Rack(home)
        assert "eno2" in hosts.on("compute1", "ip", "-o", "link", "show", "eno2")
        refused = subprocess.run(hosts.command("compute1", "ovs-vsctl", "show"), capture_output=True, text=True, check=False)
        assert (refused.returncode, "apt-get install openvswitch-switch" in refused.stderr) == (69, True)
    finally:
        processes.stop(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above were an ordinary user's already")
def test_an_ordinary_user(tmp_path: Path) -> None:
    """User nobody, with a Python of the machine, has the same; only its own processes are stopped."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        shutil.copytree(REAL.inside, place / "inside", ignore=shutil.ignore_patterns("__pycache__"))
        (place / "home").mkdir()
        for path in (place, *place.rglob("*")):
            os.chown(path, 65534, 65534)
        script = ORDINARY.format(inside=str(place / "inside"), home=str(place / "home"))
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        anyones = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
        done = subprocess.run([*nobody, anyones, "-c", script], cwd="/", capture_output=True, text=True, check=False, timeout=60)
        assert done.stdout.splitlines() == ["br-int", "br-tun", "[]"], done.stderr
    finally:
        shutil.rmtree(place)


START = """
home = Path({home!r})
shims.write(home, "compute1", Path(sys.executable), REAL.inside)
rack.start(home, sys.executable, str(REAL.inside))
rack.facts_soon(home)
print(networks.network(home))
"""
ORDINARY = """
import subprocess, sys
sys.path[:0] = [{inside!r}]
from pathlib import Path
from openstack_sandbox import processes, rack
home = Path({home!r})
rack.start(home, sys.executable, {inside!r})
assert rack.facts_soon(home), (home / "run/rack.out").read_text()
enter = [sys.executable, "-I", "-S", "-c", rack.BOOT.format(module="rack_entry"), {inside!r}, str(home), "compute1"]
subprocess.run([*enter, "ovs-vsctl", "list-br"], check=True)
processes.stop(home)
print(processes.members(home))
"""


def python(first: str, alone: list[str], code: str) -> str:
    """What `code` prints in namespaces that `alone` makes, where the shell line `first` was executed before."""
    imports = f"""import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from stackbook.sandbox import networks, shims
from stackbook.sandbox.inside.openstack_sandbox import rack
from stackbook.sandbox.recipe import REAL
"""
    words = [*alone, "sh", "-c", f'{first}; exec "$@"', "sh", sys.executable, "-c", imports + code]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
