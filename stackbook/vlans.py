"""What the hosts of a site need so that networks can have VLANs: bridges, their interfaces, neutron's configuration, restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackbook.errors import BadInput, Refused
from stackbook.ini import IniText
from stackbook.persistence import as_it_is, persistent
from stackbook.resources import IniOption, OvsBridge, OvsExternalIds, OvsPort, Service
from stackbook.resources.ovs import external_ids, nics_of
from stackbook.resources.ovsdb import answers
from stackbook.services import service
from stackbook.units import states

if TYPE_CHECKING:
    from stackbook.plans import Resource
    from stackbook.site import Site

SERVER, AGENT, ROUTERS = "neutron-server", "neutron-openvswitch-agent", "neutron-l3-agent"
RPC_SERVER = "neutron-rpc-server"
"""Where the API runs in a web server, the rest of neutron-server has a unit of its own: both read the same files."""
DRIVERS, PROJECT_TYPES = "type_drivers", ("tenant_network_types", "project_network_types")
"""Options of ``[ml2]``; the second has two names: all releases know the first."""
OVN_MAPPINGS = "ovn-bridge-mappings"
DEFAULT_MTU = 1500
OVN_CHASSIS = "ovn-encap-ip"
"""The entry that every host under OVN has."""


def vlan_on_hosts(site: Site, physical_network: str, bridge: str, nic: str = "", vlans: str = "1:1399") -> list[Resource]:
    """What the hosts of a site need so that `physical_network` carries VLANs over `bridge`.

    On every host that switches (one with an Open vSwitch agent's file, or an OVN chassis) the bridge, interface `nic` as
    its port (see `nic_of`), the files that bring both back at the host's next start, and the mapping, where that agent or
    OVN reads it; on controllers the ``vlan`` type driver, VLANs as the last type of network that projects get, and the
    range of VLAN ids (`vlans`, as ``first:last``) that they may be given; then the restarts, the server's first.
    Items that are there already stay. A site without hosts in its settings gets an empty list.
    """
    controllers = site.with_role("controller")
    mapping = f"{physical_network}:{bridge}"
    switching = switches(site)
    routers = [host for host in site.hosts if _values(site, host, _file(site, ROUTERS), "DEFAULT", "external_network_bridge")]
    agents = [] if ovn(site) else switching
    return [
        *(item for host in switching for item in _bridge(site, host, bridge, nic_of(nic, host))),
        *(option for host in controllers for option in _server_options(site, host, physical_network, vlans)),
        *(_mapping(site, host, mapping) for host in switching),
        *(_option(host, _file(site, ROUTERS), "DEFAULT", "external_network_bridge", "") for host in routers),
        *(Service(host=host, name=name, fresh=True) for host in controllers for name in _servers(site, host)),
        *(Service(host=host, name=AGENT, fresh=True) for host in agents),
        *(Service(host=host, name=ROUTERS, fresh=True) for host in routers),
    ]


def ovn(site: Site) -> bool:
    """Whether neutron switches through OVN: its mechanism driver is among those of the controllers' ml2_conf.ini."""
    listed = [_values(site, host, _file(site, SERVER), "ml2", "mechanism_drivers") for host in site.with_role("controller")]
    return any("ovn" in _entries(found[-1]) for found in listed if found)


def switches(site: Site) -> list[str]:
    """The hosts that can carry a physical network."""
    if ovn(site):
        return [name for name, host in site.hosts.items() if answers(host) and OVN_CHASSIS in external_ids(host)]
    return [name for name, host in site.hosts.items() if host.stat(_file(site, AGENT))]


def mapped(text: str) -> tuple[str, str, str]:
    """Physical network, bridge and interface (see `nic_of`) of ``default:br-ex:eno2``; the interface may be left out."""
    parts = text.split(":", 2)
    if len(parts) < 2 or not all(part.strip() for part in parts):
        raise BadInput(
            f"mapping {text!r} is not PHYSICAL_NETWORK:BRIDGE or PHYSICAL_NETWORK:BRIDGE:INTERFACE",
            hint="for example default:br-ex:eno2",
        )
    return parts[0].strip(), parts[1].strip(), ":".join(parts[2:]).strip()


def nic_of(nic: str, host: str) -> str:
    """The interface for `host`: of ``eno2`` that one on every host, of ``eno2,compute2:eno3`` ``eno3`` on compute2."""
    pairs = (entry.rpartition(":") for entry in _entries(nic))
    listed = {name: interface for name, _, interface in pairs}
    return listed.get(host, listed.get("", ""))


def vlan_range(text: str) -> str:
    """`text` itself when it is ``first:last`` within 1 to 4094; else BadInput."""
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 4094):
        raise BadInput(f"VLAN range {text!r} is not FIRST:LAST within 1 to 4094", hint="for example 1:1399")
    return text


def _bridge(site: Site, host: str, bridge: str, nic: str) -> list[Resource]:
    """The bridge, its port and the files for both; nothing on a host without Open vSwitch, unless a port is asked for."""
    if not answers(site.host(host)):
        if nic:
            raise Refused(
                f"{host}: there is no Open vSwitch to give {nic} to",
                hint="install it there; a sandbox tells what it needs: stackbook sandbox status",
            )
        return []
    if not nic:
        return [OvsBridge(host=host, name=bridge)]
    nics = dict.fromkeys([*nics_of(site.host(host), bridge), nic])
    files = persistent(site, host, as_it_is(site, host, bridge, *nics))
    return [OvsBridge(host=host, name=bridge), OvsPort(host=host, name=nic, bridge=bridge, up=True), *files]


def _server_options(site: Site, host: str, physical_network: str, vlans: str) -> list[IniOption]:
    span = f"{physical_network}:{vlan_range(vlans)}"
    path = _file(site, SERVER)
    ranges = _values(site, host, path, "ml2_type_vlan", "network_vlan_ranges")
    types = {**_types_of_networks(site, host, path), ("ml2_type_vlan", "network_vlan_ranges"): with_range(_last(ranges), span)}
    return [_option(host, path, section, option, value) for (section, option), value in types.items()]


def _types_of_networks(site: Site, host: str, path: str) -> dict[tuple[str, str], str]:
    """VLANs among the drivers, and last among the types that projects get.

    Drivers that are not set are left alone: neutron's own list holds all of them. An empty list of types is meant: projects
    get no networks of their own.
    """
    found = {option: _values(site, host, path, "ml2", option) for option in (DRIVERS, *PROJECT_TYPES)}
    types = next((option for option in PROJECT_TYPES if found[option]), PROJECT_TYPES[0])
    wanted = [DRIVERS] if found[DRIVERS] else []
    wanted += [types] if not found[types] or _last(found[types]).strip() else []
    return {("ml2", option): with_item(_last(found[option]), "vlan") for option in wanted}


def _servers(site: Site, host: str) -> list[str]:
    told = states(site.host(host), site.settings.layout, [RPC_SERVER])[RPC_SERVER]
    return [SERVER, RPC_SERVER] if told.running or told.enabled else [SERVER]


def _mapping(site: Site, host: str, mapping: str) -> IniOption | OvsExternalIds:
    if ovn(site):
        before = external_ids(site.host(host)).get(OVN_MAPPINGS, "")
        return OvsExternalIds(host=host, name=OVN_MAPPINGS, value=_with_mapping(host, before, mapping))
    path = _file(site, AGENT)
    before = _last(_values(site, host, path, "ovs", "bridge_mappings"))
    return _option(host, path, "ovs", "bridge_mappings", _with_mapping(host, before, mapping))


def _with_mapping(host: str, before: str, mapping: str) -> str:
    """The list with `mapping` in it; refused when its bridge carries another network: an agent with such a list ends."""
    network, _, bridge = mapping.partition(":")
    others = [name for name, _, carried in (entry.partition(":") for entry in _entries(before)) if carried == bridge]
    if other := next((name for name in others if name != network), ""):
        raise Refused(
            f"{host}: bridge {bridge} carries physical network {other} already, and can't carry {network} too",
            found=before,
            hint=f"use that one: mapping={other}:{bridge}, with the interface if there is one to add; or name another bridge",
        )
    return with_item(before, mapping)


def network_mtu(site: Site, physical_network: str) -> int:
    """The largest packet, in bytes, that neutron lets networks on `physical_network` have, as the controllers' files say."""
    found = [DEFAULT_MTU]
    for host in site.with_role("controller"):
        listed = _entries(_last(_values(site, host, _file(site, SERVER), "ml2", "physical_network_mtus")))
        own = [entry.rpartition(":")[2] for entry in listed if entry.rpartition(":")[0] == physical_network]
        general = _values(site, host, service(SERVER).config(site.settings.layout)[0], "DEFAULT", "global_physnet_mtu")
        found += [int(text) for text in (own or general[-1:]) if text.strip().isdecimal()]
    return max(found)


def _option(host: str, path: str, section: str, option: str, value: str) -> IniOption:
    return IniOption(host=host, path=path, section=section, option=option, value=value)


def _file(site: Site, name: str) -> str:
    """The service's own file, after the one that it shares with others."""
    return service(name).config(site.settings.layout)[-1]


def _values(site: Site, host: str, path: str, section: str, option: str) -> list[str]:
    content = site.host(host).read(path)
    return IniText(content, f"{host}:{path}").values(section, option) if content else []


def _last(values: list[str]) -> str:
    return values[-1] if values else ""


def with_item(listed: str, item: str) -> str:
    """A comma-separated list with `item` in it; an entry with the same key before the colon gives way."""
    entries = _entries(listed)
    if item in entries:
        return listed
    key = item.partition(":")[0]
    kept = entries if ":" not in item else [entry for entry in entries if entry.split(":")[0] != key]
    return ",".join([*kept, item])


def with_range(listed: str, item: str) -> str:
    """A list of VLAN ranges in which `item` (``network:first:last``) is covered, by an entry that was there if one covers it."""
    network, first, last = item.split(":")
    for entry in _entries(listed):
        name, *span = entry.split(":")
        if name == network and (not span or int(span[0]) <= int(first) <= int(last) <= int(span[-1])):
            return listed
    return ",".join([*_entries(listed), item])


def _entries(listed: str) -> list[str]:
    return [entry.strip() for entry in listed.split(",") if entry.strip()]
