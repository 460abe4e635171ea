"""Subnets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stackbook.errors import BadInput, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import addresses, lookup
from stackbook.resources.waiting import gone

if TYPE_CHECKING:
    from stackbook.site import Site

API = {
    "cidr": "cidr",
    "gateway_ip": "gateway_ip",
    "allocation_pools": "allocation_pools",
    "dns_nameservers": "dns_nameservers",
    "enable_dhcp": "is_dhcp_enabled",
    "host_routes": "host_routes",
    "description": "description",
    "ipv6_address_mode": "ipv6_address_mode",
    "ipv6_ra_mode": "ipv6_ra_mode",
}
"""Our field to openstacksdk's attribute."""
NO_GATEWAY = "none"
"""The `gateway_ip` of a subnet without a gateway."""


@dataclass(frozen=True)
class Subnet(Resource):
    """A subnet of a network."""

    kind: ClassVar[str] = "subnet"
    identity: ClassVar[tuple[str, ...]] = ("project", "network", "name")
    fixed: ClassVar[frozenset[str]] = frozenset({"cidr", "ipv6_address_mode", "ipv6_ra_mode"})

    name: str
    network: str
    """Name or id."""
    cidr: str | None = None
    gateway_ip: str | None = None
    """An address of the subnet, or ``none`` for no gateway."""
    allocation_pools: Sequence[Any] | None = None
    """Each ``"10.0.0.10-10.0.0.20"`` or ``{"start": …, "end": …}``."""
    dns_nameservers: Sequence[str] | None = None
    enable_dhcp: bool | None = None
    host_routes: Sequence[Any] | None = None
    """Each ``"10.1.0.0/16 via 10.0.0.1"`` or ``{"destination": …, "nexthop": …}``."""
    ipv6_address_mode: str | None = None
    ipv6_ra_mode: str | None = None
    description: str | None = None
    project: str | None = None
    """The network's project, name or id; None: the network is found by its name alone, and the subnet gets its project."""

    def __post_init__(self) -> None:
        normal: dict[str, Any] = {}
        if self.cidr is not None:
            normal["cidr"] = addresses.cidr(self.cidr)
        if self.gateway_ip is not None:
            normal["gateway_ip"] = _gateway(self.gateway_ip)
        for name, form in (
            ("allocation_pools", addresses.pool),
            ("dns_nameservers", addresses.ip),
            ("host_routes", addresses.route),
        ):
            if (listed := getattr(self, name)) is not None:
                normal[name] = [form(item) for item in listed]
        lookup.put(self, **normal)

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The subnet of that name in its network."""
        found = self._find(site)
        return Actual(found.id, _values(found)) if found else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an unknown network, an overlap, and addresses outside of the subnet."""
        project = lookup.require_project(self, site, self.project, others)
        network = lookup.find_network(site, self.address, self.network, project)
        lookup.require(self, "network", self.network, network, others, lambda: (n.name for n in site.conn.network.networks()))
        if actual is None and self.cidr is None:
            raise BadInput(f"{self.address}: a new subnet needs a cidr", hint="such as cidr='10.20.4.0/24'")
        cidr = self.cidr or (actual.values["cidr"] if actual else None)
        self._check_addresses(addresses.parsed_cidr(str(cidr)))
        if actual is None:
            self._refuse_overlap(site, network, others)

    def create(self, site: Site, change: Change) -> Values:
        """Make the subnet, in the network's project."""
        project = lookup.certain_project(self, site, self.project)
        network = lookup.find_network(site, self.address, self.network, project)
        if network is None:
            raise lookup.unknown(self.address, "network", self.network, ())
        version = addresses.parsed_cidr(str(self.cidr)).version
        about = {"name": self.name, "network_id": network.id, "project_id": network.project_id, "ip_version": version}
        made = site.conn.network.create_subnet(**about, **_body(change.after))
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change the subnet in place."""
        site.conn.network.update_subnet(change.id, **_body(change.after))
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the subnet and wait until it is gone."""
        network = site.conn.network
        id = change.id or getattr(self._find(site), "id", None)
        if id:
            network.delete_subnet(id, ignore_missing=True)
            gone(lambda: lookup.existing(network.get_subnet, id), what=self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        network = lookup.find_network(site, self.address, self.network, project)
        return lookup.find_subnet(site, self.address, self.name, network.id) if network is not None else None

    def _check_addresses(self, cidr: addresses.Network) -> None:
        for what, address in self._named_addresses():
            if why := addresses.forbidden(addresses.parsed_ip(address), cidr):
                raise Refused(f"{self.address}: {what} {address} {why}", hint=f"choose an address in {cidr}")
        gateway = self.gateway_ip
        for pool in self.allocation_pools or ():
            low, high = addresses.parsed_ip(pool["start"]), addresses.parsed_ip(pool["end"])
            if gateway not in (None, NO_GATEWAY) and int(low) <= int(addresses.parsed_ip(str(gateway))) <= int(high):
                raise Refused(f"{self.address}: gateway {gateway} lies in the allocation pool {low}-{high}", hint="leave it out")

    def _named_addresses(self) -> list[tuple[str, str]]:
        gateway = [("gateway", self.gateway_ip)] if self.gateway_ip not in (None, NO_GATEWAY) else []
        ends = [("allocation pool address", pool[end]) for pool in self.allocation_pools or () for end in ("start", "end")]
        return [(what, str(address)) for what, address in [*gateway, *ends]]

    def _refuse_overlap(self, site: Site, network: Any, others: Sequence[Resource]) -> None:
        cidr = addresses.parsed_cidr(str(self.cidr))
        for other in others:
            same = isinstance(other, Subnet) and other.address != self.address and other.network == self.network
            if isinstance(other, Subnet) and same and other.cidr and cidr.overlaps(addresses.parsed_cidr(other.cidr)):
                raise Refused(f"{self.address}: {cidr} overlaps {other.address}, which is planned too", found=other.cidr)
        for found in lookup.subnets(site, network.id) if network is not None else ():
            if cidr.overlaps(addresses.parsed_cidr(found.cidr)):
                told = f"subnet {found.name!r} ({found.id}) is {found.cidr}"
                raise Refused(f"{self.address}: {cidr} overlaps a subnet of network {self.network!r}", found=told)


def _gateway(text: str) -> str:
    return NO_GATEWAY if str(text).strip().lower() == NO_GATEWAY else addresses.ip(text)


def _values(found: Any) -> Values:
    values = {ours: getattr(found, theirs) for ours, theirs in API.items()}
    values["gateway_ip"] = values["gateway_ip"] or NO_GATEWAY
    return values


def _body(values: Values) -> dict[str, Any]:
    named = {API[name]: value for name, value in values.items()}
    if named.get("gateway_ip") == NO_GATEWAY:
        named["gateway_ip"] = None
    return named
