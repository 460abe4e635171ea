"""Faults of hosts: a clock that is wrong, a disk that is full."""

from __future__ import annotations

import json
import math
import time

from stackbook.sandbox.faults import Fault
from stackbook.sandbox.faults_bench import Bench
from stackbook.sandbox.inside.openstack_sandbox import clock

AGENT = "neutron-openvswitch-agent"
FULL = "/dev/full"
"""What writes to it gets: the error of a full disk."""


def _clock_skew(bench: Bench) -> None:
    """Neutron takes no report that looks older than neutron-server is."""
    started = json.loads((bench.home / "run" / "neutron.ready").read_text())["ready"]
    behind = math.ceil((time.time() - started) / 3600) + 1
    bench.create(bench.home / "hosts" / "compute2" / clock.FILE, f"-{behind * 3600}\n".encode())
    bench.restart("compute2", AGENT)
    bench.silence("neutron", "agents", {"binary": AGENT, "host": "compute2"}, "heartbeat_timestamp")


def _log_disk_full(bench: Bench) -> None:
    for path in sorted((bench.home / "hosts" / "compute2" / "var" / "log").glob("*/*.log")):
        bench.replace_by(path, FULL)


SERVER = "openstack server create --image sandbox-linux --flavor m1.tiny --availability-zone nova:compute2"
FAULTS = (
    Fault("clock-skew", "the clock of compute2 is some hours behind", f"{SERVER} --network NET web", "clock-skew", _clock_skew),
    Fault("log-disk-full", "compute2 has no room for logs", f"{SERVER} --network NET web", "no-space-left", _log_disk_full),
)
