"""NetworkManager's keyfiles (RHEL 9 and later). Each is checked with ``nmcli --offline``; none can be activated in CI.

An Open vSwitch bridge takes a profile for itself, one for each port, and one for the interface in each port. They refer
to each other by ids that are derived from their names, so that rendering twice gives the same files.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from stackbook.interfaces.model import Bridge, Interface, Vlan
from stackbook.interfaces.written import Written

FOLDER = "/etc/NetworkManager/system-connections"
_OURS = uuid.UUID("6d1f6a0e-6d0c-5f60-9b0b-4d8f2f2d9a11")
Sections = Mapping[str, Mapping[str, str | int | None]]


def files(wanted: Interface) -> list[Written]:
    """The profiles, readable by root only: NetworkManager ignores others."""
    if isinstance(wanted, Bridge):
        return _bridge(wanted)
    if isinstance(wanted, Vlan):
        about: dict[str, str | int | None] = {"id": wanted.vlan, "parent": wanted.upon}
        return [_profile(wanted.name, "vlan", wanted.name, {"ethernet": _mtu(wanted.mtu), "vlan": about, **_addresses(wanted)})]
    return [_profile(wanted.name, "ethernet", wanted.name, {"ethernet": _mtu(wanted.mtu), **_addresses(wanted)})]


def _bridge(bridge: Bridge) -> list[Written]:
    made = [_profile(bridge.name, "ovs-bridge", bridge.name, {"ovs-bridge": {}})]
    for name in (bridge.name, *bridge.ports):
        made.append(_port(bridge.name, name))
        inside = {"master": _id(f"{name}-port"), "slave-type": "ovs-port"}
        if name == bridge.name:
            about: Sections = {"ethernet": _mtu(bridge.mtu), "ovs-interface": {"type": "internal"}, **_addresses(bridge)}
            made.append(_profile(f"{name}-interface", "ovs-interface", name, about, inside))
        else:
            about = {"ethernet": _mtu(bridge.port_mtu), "ovs-interface": {"type": "system"}}
            made.append(_profile(name, "ethernet", name, about, inside))
    return made


def _port(bridge: str, name: str) -> Written:
    return _profile(f"{name}-port", "ovs-port", name, {"ovs-port": {}}, {"master": _id(bridge), "slave-type": "ovs-bridge"})


def _profile(id: str, type: str, interface: str, about: Sections, inside: Mapping[str, str] | None = None) -> Written:
    known = {"id": id, "uuid": _id(id), "type": type, "interface-name": interface, **(inside or {})}
    sections: Sections = {"connection": known, **about}
    text = "\n".join(f"[{name}]\n{_lines(values)}" for name, values in sections.items())
    return Written(f"{FOLDER}/{id}.nmconnection", text, "0600")


def _lines(values: Mapping[str, str | int | None]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items() if value is not None)


def _mtu(mtu: int | None) -> dict[str, int | None]:
    return {"mtu": mtu}


def _addresses(wanted: Interface) -> dict[str, dict[str, str]]:
    none = {"method": "disabled"}
    own = {"address1": str(wanted.address), "method": "manual"} if wanted.address else none
    return {"ipv4": own if wanted.version == 4 else none, "ipv6": own if wanted.version == 6 else none}


def _id(name: str) -> str:
    return str(uuid.uuid5(_OURS, name))
