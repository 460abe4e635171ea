"""Files of network-scripts (CentOS 7 and 8), with Open vSwitch's ``ifup-ovs``.

They are shell assignments; CI reads them with a shell, and has neither the scripts to check nor to activate them.
"""

from __future__ import annotations

import ipaddress
import re

from stackbook.interfaces.model import Bridge, Interface, Vlan
from stackbook.interfaces.written import Written

FOLDER = "/etc/sysconfig/network-scripts"
Values = dict[str, str | int | None]
KEPT = re.compile(r"^(?:HWADDR|UUID)=.*$", re.MULTILINE)
"""What belongs to the hardware, whatever the interface is used for."""


def files(wanted: Interface) -> list[Written]:
    """The files of one interface; of a bridge also those of its ports."""
    common: Values = {"DEVICE": wanted.name, "ONBOOT": "yes", "NM_CONTROLLED": "no", "BOOTPROTO": "none"}
    if isinstance(wanted, Bridge):
        bridge = _file({**common, "DEVICETYPE": "ovs", "TYPE": "OVSBridge", **_addresses(wanted), "MTU": wanted.mtu})
        return [bridge, *(_port(common, wanted, name) for name in wanted.ports)]
    more: Values = (
        {"VLAN": "yes", "PHYSDEV": wanted.upon, "VLAN_ID": wanted.vlan} if isinstance(wanted, Vlan) else {"TYPE": "Ethernet"}
    )
    return [_file({**common, **more, **_addresses(wanted), "MTU": wanted.mtu})]


def keeping(written: Written, found: str) -> Written:
    """The file with what the one that is there says of the hardware."""
    kept = "".join(f"{line}\n" for line in KEPT.findall(found))
    return Written(written.path, written.text + kept, written.mode)


def _port(common: Values, bridge: Bridge, name: str) -> Written:
    inside: Values = {"DEVICETYPE": "ovs", "TYPE": "OVSPort", "OVS_BRIDGE": bridge.name, "MTU": bridge.port_mtu}
    return _file({**common, "DEVICE": name, **inside})


def _file(values: Values) -> Written:
    text = "".join(f"{name}={value}\n" for name, value in values.items() if value is not None)
    return Written(f"{FOLDER}/ifcfg-{values['DEVICE']}", text)


def _addresses(wanted: Interface) -> Values:
    if wanted.address is None:
        return {}
    if wanted.version == 6:
        return {"IPV6INIT": "yes", "IPV6ADDR": wanted.address}
    found = ipaddress.ip_interface(wanted.address)
    return {"IPADDR": str(found.ip), "PREFIX": found.network.prefixlen}
