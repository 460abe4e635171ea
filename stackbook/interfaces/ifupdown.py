"""Stanzas for ifupdown (Debian) with Open vSwitch's ``ovs_*`` options; checked with ``ifquery``, which CI can't activate."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatch

from stackbook.interfaces.model import Bridge, Interface, Vlan
from stackbook.interfaces.written import Written

MAIN = "/etc/network/interfaces"
FOLDER = f"{MAIN}.d"


def files(wanted: Interface) -> list[Written]:
    """One file with a stanza for each interface. Names of files in that folder hold no dot: ifupdown reads no others."""
    if isinstance(wanted, Bridge):
        about = {"ovs_type": "OVSBridge", "ovs_ports": " ".join(wanted.ports) or None, "ovs_mtu": wanted.mtu}
        port = {"ovs_type": "OVSPort", "ovs_bridge": wanted.name, "ovs_mtu": wanted.port_mtu}
        stanzas = [_stanza("auto", wanted, about)]
        stanzas += [_stanza(f"allow-{wanted.name}", Interface(name=name), port) for name in wanted.ports]
    elif isinstance(wanted, Vlan):
        stanzas = [_stanza("auto", wanted, {"vlan-raw-device": wanted.upon, "mtu": wanted.mtu})]
    else:
        stanzas = [_stanza("auto", wanted, {"mtu": wanted.mtu})]
    return [Written(f"{FOLDER}/{wanted.name.replace('.', '-')}", "\n".join(stanzas))]


def reads(line: str, path: str) -> bool:
    """Whether a line of the main file makes ifupdown read the file at `path`; names are relative to the main file's folder."""
    how, *places = line.split() or [""]
    full = [posixpath.join(posixpath.dirname(MAIN), place) for place in places]
    if how == "source-directory":
        return any(fnmatch(posixpath.dirname(path), place.rstrip("/")) for place in full)
    return how == "source" and any(fnmatch(path, place) for place in full)


def _stanza(how: str, wanted: Interface, about: dict[str, str | int | None]) -> str:
    family = "inet6" if wanted.version == 6 else "inet"
    method = "static" if wanted.address else "manual"
    options = {"address": wanted.address, **about}
    lines = "".join(f"    {name} {value}\n" for name, value in options.items() if value is not None)
    return f"{how} {wanted.name}\niface {wanted.name} {family} {method}\n{lines}"
