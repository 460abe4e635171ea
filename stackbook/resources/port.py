"""Ports with fixed addresses, free or attached to a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import addresses, lookup, port_checks
from stackbook.resources.waiting import gone, settled

if TYPE_CHECKING:
    from stackbook.site import Site

API = {
    "mac_address": "mac_address",
    "port_security": "is_port_security_enabled",
    "vnic_type": "binding_vnic_type",
    "admin_state_up": "is_admin_state_up",
    "description": "description",
}
"""Our field to openstacksdk's attribute, of the fields that need no translation."""


@dataclass(frozen=True)
class Port(Resource):
    """A port of a network."""

    kind: ClassVar[str] = "port"
    identity: ClassVar[tuple[str, ...]] = ("project", "network", "name")

    name: str
    network: str
    """Name or id."""
    ip_address: str | None = None
    """One fixed address; other addresses of the port are left as they are."""
    subnet: str | None = None
    """Name or id; with an address, where that lies; without, where the site is to choose one."""
    fixed_ips: Sequence[str] | None = None
    """All fixed addresses."""
    mac_address: str | None = None
    security_groups: Sequence[str] | None = None
    """Names or ids."""
    port_security: bool | None = None
    vnic_type: str | None = None
    """``normal``, ``direct``, ``macvtap``, …"""
    server: str | None = None
    """The server that the port is attached to, by name or id."""
    admin_state_up: bool | None = None
    description: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        if self.ip_address is not None and self.fixed_ips is not None:
            raise BadInput(f"{self.address}: ip_address and fixed_ips exclude each other", hint="list it in fixed_ips")
        normal: dict[str, Any] = {}
        if self.ip_address is not None:
            normal["ip_address"] = addresses.ip(self.ip_address)
        if self.fixed_ips is not None:
            normal["fixed_ips"] = [addresses.ip(item) for item in self.fixed_ips]
        if self.mac_address is not None:
            normal["mac_address"] = addresses.mac(self.mac_address)
        lookup.put(self, **normal)

    @property
    def wanted_ips(self) -> list[str]:
        """The fixed addresses that are named."""
        return [self.ip_address] if self.ip_address else list(self.fixed_ips or ())

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The port of that name in its network."""
        found = self._find(site)
        return Actual(found.id, self._values(site, found)) if found is not None else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse unknown references, and addresses that are taken or can't be in the network."""
        project = lookup.require_project(self, site, self.project, others)
        network = lookup.find_network(site, self.address, self.network, project)
        lookup.require(self, "network", self.network, network, others, lambda: (n.name for n in site.conn.network.networks()))
        if self.port_security is False and self.security_groups:
            raise BadInput(f"{self.address}: security groups need port security", hint="leave one of the two out")
        subnets = port_checks.subnets(self, site, network, others)
        port_checks.addresses_fit(self, subnets)
        port_checks.unique_in_plan(self, others)
        port_checks.free(self, site, network, actual)
        lookup.require_security_groups(self, site, self.security_groups or (), others, project)
        self._check_server(site, actual, others, project)

    def create(self, site: Site, change: Change) -> Values:
        """Make the port, then attach it where a server is named."""
        project = lookup.certain_project(self, site, self.project)
        network = lookup.find_network(site, self.address, self.network, project)
        if network is None:
            raise lookup.unknown(self.address, "network", self.network, ())
        wanted = self._body(site, change, project, network.id, [])
        made = site.conn.network.create_port(name=self.name, network_id=network.id, project_id=project, **wanted)
        self._attach(site, made.id, project)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change the port in place; detach it first and attach it last where the server differs."""
        found = site.conn.network.get_port(change.id)
        moves = "server" in change.after
        if moves and found.device_id:
            self._detach(site, found)
        wanted = self._body(site, change, found.project_id, found.network_id, found.fixed_ips)
        if wanted:
            site.conn.network.update_port(change.id, **wanted)
        if moves and change.after["server"]:
            self._attach(site, str(change.id), found.project_id)
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Detach and remove the port, and wait until it is gone."""
        network = site.conn.network
        found = lookup.existing(network.get_port, change.id) if change.id else self._find(site)
        if found is None:
            return {"id": change.id}
        if (found.device_owner or "").startswith("compute:"):
            self._detach(site, found)
        network.delete_port(found.id, ignore_missing=True)
        gone(lambda: lookup.existing(network.get_port, found.id), what=self.address)
        return {"id": found.id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        network = lookup.find_network(site, self.address, self.network, project)
        if network is None:
            return None
        found = list(site.conn.network.ports(name=self.name, network_id=network.id))
        return lookup.own(self.address, found, project, asked=self.project is not None)

    def _values(self, site: Site, found: Any) -> Values:
        values = {ours: getattr(found, theirs) for ours, theirs in API.items()}
        held = [item["ip_address"] for item in found.fixed_ips]
        first = held[0] if held else None
        if self.ip_address is None:
            values["fixed_ips"] = held
        else:
            values["ip_address"] = self.ip_address if self.ip_address in held else first
        values["subnet"] = self._subnet(site, found)
        values["security_groups"] = self._groups(site, found)
        values["server"] = self._server(site, found)
        return values

    def _subnet(self, site: Site, found: Any) -> str | None:
        held = [item["subnet_id"] for item in found.fixed_ips]
        if not held or self.subnet in held:
            return self.subnet if held else None
        names = [subnet.name or subnet.id for subnet in lookup.subnets(site, found.network_id) if subnet.id in held]
        return self.subnet if self.subnet in names else next(iter(names), None)

    def _groups(self, site: Site, found: Any) -> list[str]:
        held = set(found.security_group_ids or ())
        known = {item.id: item.name for item in lookup.security_groups(site, found.project_id)} if held else {}
        asked = set(self.security_groups or ())
        return sorted(id if id in asked else known.get(id, id) for id in held)

    def _server(self, site: Site, found: Any) -> str | None:
        if not (found.device_owner or "").startswith("compute:") or not found.device_id:
            return None
        server = lookup.existing(site.conn.compute.get_server, found.device_id)
        if server is None:
            return str(found.device_id)
        return self.server if self.server in (server.id, server.name) else str(server.name)

    def _check_server(self, site: Site, actual: Actual | None, others: Sequence[Resource], project: str | None) -> None:
        if self.server is None:
            return
        found = lookup.find_server(site, self.address, self.server, project)
        lookup.require(self, "server", self.server, found, others, lambda: (s.name for s in site.conn.compute.servers()))
        held = actual.values.get("server") if actual else None
        if held and held != self.server:
            hint = f"detach it first: openstack server remove port {held} {actual.id if actual else ''}"
            raise Refused(f"{self.address}: is attached to another server", found=f"server {held}", hint=hint)

    def _body(self, site: Site, change: Change, project: str | None, network_id: str, held: list[Any]) -> dict[str, Any]:
        after = change.after
        body = {API[name]: value for name, value in after.items() if name in API}
        if {"ip_address", "fixed_ips", "subnet"} & set(after):
            body["fixed_ips"] = self._fixed_ips(site, change, network_id, held)
        if after.get("security_groups") is not None:
            body["security_group_ids"] = [self._group_id(site, name, project) for name in after["security_groups"]]
        return body

    def _fixed_ips(self, site: Site, change: Change, network_id: str, held: list[Any]) -> list[dict[str, str]]:
        after, before = change.after, change.before.get("ip_address")
        if after.get("fixed_ips") is not None:
            return _placed(site, network_id, after["fixed_ips"])
        if "ip_address" in after:
            new = _placed(site, network_id, [after["ip_address"]] if after["ip_address"] else [])
            versions = {addresses.parsed_ip(item["ip_address"]).version for item in new}
            others = [dict(item) for item in held if item["ip_address"] != before]
            return [item for item in others if addresses.parsed_ip(item["ip_address"]).version not in versions] + new
        subnet = lookup.find_subnet(site, self.address, after["subnet"], network_id) if after.get("subnet") else None
        return [{"subnet_id": subnet.id}] if subnet is not None else held

    def _group_id(self, site: Site, name: str, project: str | None) -> str:
        found = lookup.find_security_group(site, self.address, name, project)
        if found is None:
            raise lookup.unknown(self.address, "security-group", name, ())
        return str(found.id)

    def _attach(self, site: Site, id: str, project: str | None) -> None:
        if self.server is None:
            return
        server = lookup.find_server(site, self.address, self.server, project)
        if server is None:
            raise lookup.unknown(self.address, "server", self.server, ())
        site.conn.compute.create_server_interface(server.id, port_id=id)
        settled(
            lambda: site.conn.network.get_port(id),
            lambda port: "" if port.device_id == server.id else "attaching",
            what=self.address,
        )

    def _detach(self, site: Site, found: Any) -> None:
        site.conn.compute.delete_server_interface(found.id, server=found.device_id, ignore_missing=True)
        settled(
            lambda: lookup.existing(site.conn.network.get_port, found.id),
            lambda port: "detaching" if port.device_id else "",
            what=self.address,
        )


def _placed(site: Site, network_id: str, wanted: Sequence[str]) -> list[dict[str, str]]:
    """Each address with its subnet: neutron 29 fails on an update of address and MAC together without it."""
    subnets = lookup.subnets(site, network_id) if wanted else []
    around = {subnet.id: addresses.parsed_cidr(subnet.cidr) for subnet in subnets}
    places = {text: next((id for id, cidr in around.items() if addresses.parsed_ip(text) in cidr), None) for text in wanted}
    return [{"ip_address": text, **({"subnet_id": id} if id else {})} for text, id in places.items()]
