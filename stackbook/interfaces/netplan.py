"""A file for netplan (Ubuntu); checked with ``netplan generate``, which CI can't activate.

Netplan merges all files of its folder: this one says only what is asked for.
"""

from __future__ import annotations

from typing import Any

from stackbook.interfaces.model import Bridge, Interface, Vlan
from stackbook.interfaces.written import Written

FOLDER = "/etc/netplan"


def files(wanted: Interface) -> list[Written]:
    """One file, readable by root only, as netplan wants it."""
    import yaml

    text = yaml.safe_dump({"network": {"version": 2, **_devices(wanted)}}, sort_keys=False)
    return [Written(f"{FOLDER}/90-{wanted.name}.yaml", text, "0600")]


def _devices(wanted: Interface) -> dict[str, Any]:
    own = _given(addresses=[wanted.address] if wanted.address else None, mtu=wanted.mtu)
    if isinstance(wanted, Bridge):
        ports = {name: _given(mtu=wanted.port_mtu) for name in wanted.ports}
        bridge = {**_given(interfaces=list(wanted.ports) or None), **own, "openvswitch": {}}
        return {**_given(ethernets=ports or None), "bridges": {wanted.name: bridge}}
    if isinstance(wanted, Vlan):
        return {"ethernets": {wanted.upon: {}}, "vlans": {wanted.name: {"id": wanted.vlan, "link": wanted.upon, **own}}}
    return {"ethernets": {wanted.name: own}}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
