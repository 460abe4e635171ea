"""The Open vSwitch bridges that a sandbox host has: a name per line in ``/var/lib/openvswitch/bridges``."""

from __future__ import annotations

from pathlib import Path

from openstack_sandbox import frame
from openstack_sandbox.home import Home

FRESH = ("br-int", "br-tun", "br-ex")
"""As after an installation: integration, tunnels, and the bridge with the provider's interface."""


def make(home: Home, host: str) -> None:
    """Give `host` the bridges of a fresh installation, unless it has a list already."""
    path = _path(home, host)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write(path, "\n".join(FRESH) + "\n")


def exists(home: Home, host: str, bridge: str) -> bool:
    """Whether `host` has a bridge named `bridge`."""
    return bridge in _path(home, host).read_text().split()


def _path(home: Home, host: str) -> Path:
    return home.host(host) / "var" / "lib" / "openvswitch" / "bridges"
