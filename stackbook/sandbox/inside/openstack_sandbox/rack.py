"""The sandbox hosts' networks, seen from outside: how they are started, and whether this machine allows them.

Each host has a namespace with its own interfaces and Open vSwitch (`rack_host`); a switch joins them (`rack_switch`). All
of it runs as the user who starts it. Used from outside and inside, so it imports nothing but its neighbour.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TypedDict

from . import processes

PROJECT = "rack"
PATIENCE_S = 20.0
PROGRAMS = ("ip", "bridge", "ethtool", "tcpdump", "ovs-vsctl", "ovs-ofctl", "ovs-appctl", "ovs-dpctl", "ovsdb-client")
"""What is executed on a host's own network when it is called there."""
BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from openstack_sandbox import {module}; {module}.main(*sys.argv[2:])"
ALONE = ("unshare", "--user", "--map-root-user", "--net", "--mount")
SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
FORBIDDING = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "10000"),
)
"""What forbids users' namespaces: setting, value that forbids, value that allows."""


class Facts(TypedDict):
    """What the running rack tells about itself in ``run/rack.json``."""

    hosts: dict[str, int]
    """The process that holds each host's namespaces."""
    openvswitch: str
    """The version that the hosts run; empty when it is not installed."""


def start(home: Path, python: str, inside: str) -> None:
    """Start the rack of the sandbox at `home`, unless it runs."""
    if processes.running(home, PROJECT) is None:
        processes.stop(home, [PROJECT])  # what one that was killed left
        boot = [python, "-I", "-S", "-c", BOOT.format(module="rack_switch")]
        processes.launch(home, PROJECT, [*ALONE, *boot, inside, inside, str(home)], inside)


def facts(home: Path) -> Facts | None:
    """What the rack tells about itself; None unless it is ready."""
    if processes.state(home, PROJECT) != "ready":
        return None
    found: Facts = json.loads((home / "run" / "rack.json").read_text())
    return found


def facts_soon(home: Path) -> Facts | None:
    """The facts, waited for while the rack starts."""
    deadline = time.monotonic() + PATIENCE_S
    while processes.state(home, PROJECT) == "starting" and time.monotonic() < deadline:
        time.sleep(processes.POLL_S)
    return facts(home)


def missing() -> tuple[str, str] | None:
    """Why this machine can't give the hosts networks of their own, and the next step; None when it can."""
    absent = [name for name in ("ip", "unshare", "nsenter", "mount") if not shutil.which(name, path=SEARCHED)]
    if absent:
        return f"{absent[0]} is not installed", "apt-get install iproute2 util-linux mount"
    tried = subprocess.run(
        [*ALONE, "ip", "link", "add", "name", "trial", "type", "bridge"], capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return None
    return f"a user's own namespaces are not allowed: {tried.stderr.strip()}", _allow()


def _allow() -> str:
    for name, forbids, allows in FORBIDDING:
        path = Path("/proc/sys") / name.replace(".", "/")
        if path.exists() and path.read_text().strip() == forbids:
            return f"sysctl -w {name}={allows}, as root"
    return "in a container: allow it unshare and mount (its seccomp profile, or --privileged)"
