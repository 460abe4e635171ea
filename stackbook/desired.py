"""Lists of desired resources that runbooks share: what an operator would otherwise type out host by host."""

from __future__ import annotations

from csv import DictReader
from pathlib import Path
from typing import TYPE_CHECKING

from stackbook.errors import BadInput
from stackbook.ini import IniText
from stackbook.resources import IniOption, Port, RoleAssignment, Service, User

if TYPE_CHECKING:
    from stackbook.plans import Resource
    from stackbook.site import Site

ML2 = "/etc/neutron/plugins/ml2/ml2_conf.ini"
OVS_AGENT = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"
SERVER, AGENT = "neutron-server", "neutron-openvswitch-agent"


def vlan_on_hosts(site: Site, physical_network: str, bridge: str, vlans: str = "1:1399") -> list[Resource]:
    """What the hosts of a site need so that `physical_network` carries VLANs over `bridge`.

    On controllers the ``vlan`` type driver and the range of VLAN ids (`vlans`, as ``first:last``) that projects may be
    given; on every host with an Open vSwitch agent the bridge mapping; then the restarts, the server's first. Items
    that are there already stay. A site without hosts in its settings gets an empty list.
    """
    controllers = site.with_role("controller")
    agents = [name for name in site.hosts if site.host(name).stat(OVS_AGENT)]
    return [
        *(option for host in controllers for option in _server_options(site, host, physical_network, vlans)),
        *(_with_item(site, host, OVS_AGENT, "ovs", "bridge_mappings", f"{physical_network}:{bridge}") for host in agents),
        *(Service(host=host, name=SERVER, fresh=True) for host in controllers),
        *(Service(host=host, name=AGENT, fresh=True) for host in agents),
    ]


def _server_options(site: Site, host: str, physical_network: str, vlans: str) -> list[IniOption]:
    return [
        _with_item(site, host, ML2, "ml2", "type_drivers", "vlan"),
        _with_item(site, host, ML2, "ml2_type_vlan", "network_vlan_ranges", f"{physical_network}:{vlan_range(vlans)}"),
    ]


def vlan_range(text: str) -> str:
    """`text` itself when it is ``first:last`` within 1 to 4094; else BadInput."""
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 4094):
        raise BadInput(f"VLAN range {text!r} is not FIRST:LAST within 1 to 4094", hint="for example 1:1399")
    return text


def fixed_ports(network: str, *, ip: str = "", mac: str = "", name: str = "", server: str = "", csv: str = "") -> list[Port]:
    """The ports of a CSV file with the columns name, network, ip, mac, server; without one, the single port described.

    Empty columns take the argument of that name. Raises BadInput, with the line's number, for what is not understood.
    """
    given = {"network": network, "ip": ip, "mac": mac, "name": name, "server": server}
    if not csv:
        return [_port(given)]
    return [
        _port({**given, **{column: text for column, text in row.items() if text}}) for row in _csv_rows(Path(csv), set(given))
    ]


def _port(row: dict[str, str]) -> Port:
    name = row["name"] or "-".join(part for part in (row["network"], row["ip"] or row["server"]) if part)
    return Port(
        name=name,
        network=row["network"],
        ip_address=row["ip"] or None,
        mac_address=row["mac"] or None,
        server=row["server"] or None,
    )


def _csv_rows(path: Path, columns: set[str]) -> list[dict[str, str]]:
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise BadInput(
            f"{path}: can't be read: {error.strerror}", hint="give the path as seen from the folder you run in"
        ) from None
    dialect = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    reader = DictReader(lines, delimiter=dialect)
    unknown = set(reader.fieldnames or ()) - columns
    if unknown or not reader.fieldnames:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        raise BadInput(f"{path}, line 1: expected some of the columns {', '.join(sorted(columns))}", found=found)
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise BadInput(f"{path}, line {reader.line_num}: expected {len(reader.fieldnames)} columns", found=str(row))
        rows.append({column: text.strip() for column, text in row.items()})
    return rows


def team(project: str, users: list[str], *, passwords: str | None = None) -> list[Resource]:
    """The users (``name:role``, the role ``member`` when none is given) and their roles in `project`."""
    pairs = [(name, role or "member") for name, _, role in (user.partition(":") for user in users)]
    made = [User(name=name, password_from=passwords) for name, _ in pairs]
    return [*made, *(RoleAssignment(user=name, role=role, project=project) for name, role in pairs)]


def _with_item(site: Site, host: str, path: str, section: str, option: str, item: str) -> IniOption:
    content = site.host(host).read(path)
    found = IniText(content, f"{host}:{path}").values(section, option) if content else []
    merge = with_range if option == "network_vlan_ranges" else with_item
    return IniOption(host=host, path=path, section=section, option=option, value=merge(found[-1] if found else "", item))


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
