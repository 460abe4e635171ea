"""Commands on a sandbox host's network: its ``ip``, its ``ovs-vsctl``. Standard library only.

The hosts' ``/usr/bin`` holds a line for each that comes here, to be executed inside the host's namespaces.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from openstack_sandbox import processes, rack

UNAVAILABLE = 69
"""``EX_UNAVAILABLE`` of sysexits.h; 127 would say that the program is not installed."""


def main(path: str, host: str, program: str, *arguments: str) -> NoReturn:
    """Become `program` on `host` of the sandbox at `path`; exit code 69, with the reason, where that is not to be had."""
    facts = rack.facts_soon(Path(path))
    if facts is None:
        _refuse(host, program, *(rack.missing() or ("it is not up", "stackbook sandbox up")))
    if program.startswith("ovs") and not facts["openvswitch"]:
        _refuse(host, program, "Open vSwitch is not installed on this machine", "apt-get install openvswitch-switch")
    enter = ["nsenter", "--preserve-credentials", "--user", "--mount", "--net", f"--target={facts['hosts'][host]}", "--"]
    os.environ["PATH"] = processes.path(Path(path))
    os.environ["OVS_RUNDIR"] = "/run/openvswitch"
    try:
        os.execvp(enter[0], [*enter, "env", program, *arguments])  # env knows the exit code of what is not installed
    except OSError as error:
        _refuse(host, program, f"{enter[0]}: {error.strerror}", "apt-get install util-linux")


def _refuse(host: str, program: str, why: str, hint: str) -> NoReturn:
    print(f"{program}: not on {host}: {why}\n  Try: {hint}", file=sys.stderr)
    sys.exit(UNAVAILABLE)
