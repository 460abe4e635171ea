"""The switch between the sandbox's hosts, and the parent of their networks. Standard library only.

Runs alone in a user, network and mount namespace: the bridge ``management`` joins the hosts' ``eno1``, the bridge ``vlans``
their ``eno2``, whose frames it passes whatever their VLAN. When one host's network ends, all do, and the next
``stackbook sandbox up`` starts them again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from openstack_sandbox import lifecycle, processes, rack
from openstack_sandbox.home import HOSTS

SWITCH = """\
link set lo up
link add name management type bridge
link add name vlans type bridge
address add 10.0.0.1/24 dev management
link set management up
link set vlans up
"""


def main(inside: str, path: str) -> None:
    """Be the switch until told to stop, or until a host ends."""
    home = Path(path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    subprocess.run(["ip", "-batch", "-"], input=SWITCH, text=True, check=True)
    hosts = {host: _start(inside, home, host) for host in HOSTS}
    versions = {host: _answer(host, process) for host, process in hosts.items()}
    facts = rack.Facts(hosts={host: process.pid for host, process in hosts.items()}, openvswitch=versions[HOSTS[0]])
    lifecycle.replace(home / "run" / "rack.json", json.dumps(facts) + "\n")
    lifecycle.replace(home / "run" / f"{rack.PROJECT}.ready", json.dumps({"pid": os.getpid()}) + "\n")
    ended, _ = os.wait()
    for one in processes.members(home, [rack.PROJECT]):  # this process is spared, so that its end is seen
        os.kill(one.pid, signal.SIGTERM)
    sys.exit(f"{next(host for host, process in hosts.items() if process.pid == ended)}: its network ended")


def _start(inside: str, home: Path, host: str) -> subprocess.Popen[str]:
    boot = [sys.executable, "-I", "-S", "-c", rack.BOOT.format(module="rack_host"), inside, str(home), host, str(os.getpid())]
    return subprocess.Popen(["unshare", "--net", "--mount", *boot], stdout=subprocess.PIPE, text=True)


def _answer(host: str, process: subprocess.Popen[str]) -> str:
    """The host's version of Open vSwitch, empty when it has none; ends the rack when the host does not come up."""
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{host}: its network did not start")
    return line.strip()
