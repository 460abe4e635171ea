"""One sandbox host's network: ``eno1`` with its address and the default route, ``eno2`` bare, and its own Open vSwitch.

Runs in a network and mount namespace of its own, where ``/run`` is private, so that the daemons' sockets have their usual,
short names. The database lies in the host's ``/var/lib/openvswitch`` and outlives the processes. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ADDRESSES = {"controller1": "10.0.0.11", "compute1": "10.0.0.31", "compute2": "10.0.0.32"}
"""Each host's ``local_ip``, with the numbers of the official installation guide."""
BRIDGES = {"controller1": ("br-int", "br-tun", "br-ex")}
"""As Packstack leaves them: the provider's bridge on the network node only, and without an interface."""
OTHERS = ("br-int", "br-tun")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
RUN = "/run/openvswitch"
PATIENCE = "--timeout=20"


def main(path: str, host: str, switch: str) -> None:
    """Give `host` its network, say so on standard output, and hold it until told to stop or until a daemon ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    _show_own_interfaces()
    _plug(host, switch)
    version = start_openvswitch(Path(path) / "hosts" / host, host) if openvswitch() else ""
    print(version, flush=True)
    os.wait() if version else signal.pause()


def openvswitch() -> bool:
    """Whether Open vSwitch is installed on this machine."""
    return all(map(shutil.which, ("ovsdb-server", "ovs-vswitchd", "ovs-vsctl"))) and os.path.exists(SCHEMA)


def _show_own_interfaces() -> None:
    """Mount ``/sys`` anew, so that it shows this namespace; containers that hide parts of it don't allow that."""
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], stderr=subprocess.DEVNULL, check=False)


def _plug(host: str, switch: str) -> None:
    own, number = ADDRESSES[host], ADDRESSES[host].rpartition(".")[2]
    here = f"""\
link set lo up
link add name eno1 address 52:54:00:0a:01:{number} type veth peer name {host}-1 netns {switch}
link add name eno2 address 52:54:00:0a:02:{number} type veth peer name {host}-2 netns {switch}
address add {own}/24 dev eno1
link set eno1 up
link set eno2 up
route add default via {own.rpartition(".")[0]}.1
"""
    there = f"link set {host}-1 master management up\nlink set {host}-2 master vlans up\n"
    subprocess.run(["ip", "-batch", "-"], input=here, text=True, check=True)
    subprocess.run(["nsenter", "-t", switch, "-n", "ip", "-batch", "-"], input=there, text=True, check=True)


def start_openvswitch(root: Path, host: str) -> str:
    """Start both daemons with the database in `root`, made on first use; returns their version."""
    database, logs = root / "var/lib/openvswitch/conf.db", root / "var/log/openvswitch"
    for folder in (Path(RUN), database.parent, logs):
        folder.mkdir(parents=True, exist_ok=True)
    _settle(database)
    _daemon(logs, "ovsdb-server", str(database), f"--remote=punix:{RUN}/db.sock")
    _vsctl("--retry", "--no-wait", "init")
    version = _told("ovs-vswitchd", "--version").split()[3]
    _daemon(logs, "ovs-vswitchd", f"unix:{RUN}/db.sock")
    first = "system-id" not in _told("ovs-vsctl", f"--db=unix:{RUN}/db.sock", "get", "Open_vSwitch", ".", "external_ids")
    bridges = _first_bridges(database.with_name("bridges"), host) if first else []
    about = ("set", "Open_vSwitch", ".", f"ovs-version={version}", f"external_ids:system-id={host}")
    _vsctl(*about, *(word for bridge in bridges for word in _bridge(bridge)))
    return version


def _first_bridges(listed: Path, host: str) -> list[str]:
    """The bridges of a host that had no Open vSwitch so far: those it did as if it had, else a fresh installation's."""
    return listed.read_text().split() if listed.exists() else list(BRIDGES.get(host, OTHERS))


def _bridge(name: str) -> tuple[str, ...]:
    return "--", "add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev"


def _settle(database: Path) -> None:
    """Make the database, or bring one of an older Open vSwitch up to date."""
    if not database.exists():
        subprocess.run(["ovsdb-tool", "create", database, SCHEMA], check=True)
    elif _told("ovsdb-tool", "needs-conversion", str(database), SCHEMA) == "yes\n":
        subprocess.run(["ovsdb-tool", "convert", database, SCHEMA], check=True)


def _daemon(logs: Path, name: str, *arguments: str) -> None:
    quiet = ["-vconsole:off", "-vsyslog:off", "-vfile:info", f"--log-file={logs / name}.log", "--pidfile"]
    subprocess.Popen([name, *arguments, *quiet], env=os.environ | {"OVS_RUNDIR": RUN})


def _vsctl(*arguments: str) -> None:
    subprocess.run(["ovs-vsctl", f"--db=unix:{RUN}/db.sock", PATIENCE, *arguments], check=True)


def _told(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
