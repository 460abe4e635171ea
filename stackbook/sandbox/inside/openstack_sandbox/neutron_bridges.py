"""The Open vSwitch bridges that a sandbox host has: asked of its own Open vSwitch, where there is one.

Elsewhere the host does as if it had those in ``/var/lib/openvswitch/bridges``, a name per line; else those in FRESH.
"""

from __future__ import annotations

import subprocess

from openstack_sandbox import rack
from openstack_sandbox.home import Home

FRESH = ("br-int", "br-tun", "br-ex")
"""Integration, tunnels, and the bridge for the provider's interface."""


def exists(home: Home, host: str, bridge: str) -> bool:
    """Whether `host` has a bridge named `bridge`."""
    facts = rack.facts_soon(home.path)
    if facts and facts["openvswitch"]:
        vsctl = home.host(host) / "usr" / "bin" / "ovs-vsctl"
        return subprocess.run([vsctl, "--timeout=10", "br-exists", bridge]).returncode == 0
    listed = home.host(host) / "var" / "lib" / "openvswitch" / "bridges"
    return bridge in (listed.read_text().split() if listed.exists() else FRESH)
