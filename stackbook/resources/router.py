"""Routers with their interfaces, and floating IPs."""

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

API = {"admin_state_up": "is_admin_state_up", "description": "description"}
INTERFACES = ("network:router_interface", "network:router_interface_distributed", "network:ha_router_replicated_interface")


@dataclass(frozen=True)
class Router(Resource):
    """A router between subnets, and to an external network."""

    kind: ClassVar[str] = "router"
    identity: ClassVar[tuple[str, ...]] = ("project", "name")

    name: str
    subnets: Sequence[str] | None = None
    """The subnets that it joins, by name, by ``network/name`` where names repeat, or by id."""
    external_network: str | None = None
    """Name or id; ``none`` for no way out."""
    snat: bool | None = None
    """Whether what goes out gets the router's own address."""
    routes: Sequence[Any] | None = None
    """Each ``"10.1.0.0/16 via 10.0.0.1"`` or ``{"destination": …, "nexthop": …}``."""
    admin_state_up: bool | None = None
    description: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        if self.routes is not None:
            lookup.put(self, routes=[addresses.route(item) for item in self.routes])

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The router of that name in its project."""
        found = self._find(site)
        if found is None:
            return None
        values: Values = {ours: getattr(found, theirs) for ours, theirs in API.items()}
        out = found.external_gateway_info or {}
        values |= {
            "routes": list(found.routes or ()),
            "snat": out.get("enable_snat"),
            "external_network": self._outside(site, out),
        }
        return Actual(found.id, {**values, "subnets": list(self._joined(site, found))})

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse unknown networks and subnets."""
        project = lookup.require_project(self, site, self.project, others)
        network = site.conn.network
        if self.external_network not in (None, "none"):
            found = lookup.find_network(site, self.address, str(self.external_network), project)
            external = [item.name for item in network.networks(is_router_external=True)]
            lookup.require(self, "network", str(self.external_network), found, others, lambda: external)
            if found is not None and not found.is_router_external:
                raise Refused(
                    f"{self.address}: network {found.name!r} ({found.id}) is not external", found=external, hint="use one that is"
                )
        for ref in self.subnets or ():
            subnet = self._subnet(site, ref, project)
            lookup.require(self, "subnet", ref.split("/")[-1], subnet, others, lambda: (item.name for item in network.subnets()))

    def create(self, site: Site, change: Change) -> Values:
        """Make the router, then join its subnets."""
        project = lookup.certain_project(self, site, self.project)
        made = site.conn.network.create_router(name=self.name, project_id=project, **self._body(site, change.after, project, {}))
        self._join(site, made, change)
        if change.after.get("routes"):
            site.conn.network.update_router(made.id, routes=change.after["routes"])
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change the router in place; subnets that stay are not touched."""
        network = site.conn.network
        found = network.get_router(change.id)
        body = self._body(site, change.after, found.project_id, found.external_gateway_info or {})
        if body:
            network.update_router(found.id, **body)
        self._join(site, found, change)
        if change.after.get("routes") is not None:
            network.update_router(found.id, routes=change.after["routes"])
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Take the router's interfaces away, then the router."""
        network = site.conn.network
        found = lookup.existing(network.get_router, change.id) if change.id else self._find(site)
        if found is None:
            return {"id": change.id}
        if found.routes:
            network.update_router(found.id, routes=[])
        for port in self._interfaces(site, found):
            network.remove_interface_from_router(found.id, port_id=port.id)
        network.delete_router(found.id, ignore_missing=True)
        gone(lambda: lookup.existing(network.get_router, found.id), what=self.address)
        return {"id": found.id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        if self.project is not None and project is None:
            return None
        return lookup.own(self.address, list(site.conn.network.routers(name=self.name)), project, asked=self.project is not None)

    def _outside(self, site: Site, out: Any) -> str:
        id = out.get("network_id")
        if not id or id == self.external_network:
            return id or "none"
        found = lookup.existing(site.conn.network.get_network, id)
        return str(found.name) if found is not None else str(id)

    def _subnet(self, site: Site, ref: str, project: str | None) -> Any:
        name, network_id = ref, None
        if "/" in ref:
            where, name = ref.split("/", 1)
            network = lookup.find_network(site, self.address, where, project)
            if network is None:
                return None
            network_id = network.id
        return lookup.find_subnet(site, self.address, name, network_id)

    @staticmethod
    def _interfaces(site: Site, found: Any) -> list[Any]:
        return [port for port in site.conn.network.ports(device_id=found.id) if port.device_owner in INTERFACES]

    def _joined(self, site: Site, found: Any) -> dict[str, str]:
        """The subnets joined, by what they are called here, to their ids."""
        ids = {item["subnet_id"] for port in self._interfaces(site, found) for item in port.fixed_ips}
        wanted = {ref: getattr(self._subnet(site, ref, found.project_id), "id", None) for ref in self.subnets or ()}
        called = {id: ref for ref, id in wanted.items()}
        known = {id: called.get(id) or site.conn.network.get_subnet(id).name or id for id in sorted(ids)}
        return {name: id for id, name in known.items()}

    def _body(self, site: Site, after: Values, project: str | None, out: Values) -> dict[str, Any]:
        body = {API[name]: value for name, value in after.items() if name in API}
        if {"external_network", "snat"} & set(after):
            body["external_gateway_info"] = self._gateway(site, after, project, out)
        return body

    def _gateway(self, site: Site, after: Values, project: str | None, out: Values) -> dict[str, Any] | None:
        snat = {"enable_snat": after["snat"]} if after.get("snat") is not None else {}
        if "external_network" not in after:
            if snat and not out.get("network_id"):
                raise BadInput(f"{self.address}: snat needs an external network", hint="name external_network")
            return {name: out[name] for name in ("network_id", "external_fixed_ips") if out.get(name)} | snat if out else None
        if after["external_network"] in (None, "none"):
            return None
        found = lookup.find_network(site, self.address, after["external_network"], project)
        if found is None:
            raise lookup.unknown(self.address, "network", after["external_network"], ())
        return {"network_id": found.id, **snat}

    def _join(self, site: Site, router: Any, change: Change) -> None:
        wanted = change.after.get("subnets")
        if wanted is None:
            return
        network, held = site.conn.network, self._joined(site, router)
        for name in set(held) - set(wanted):
            network.remove_interface_from_router(router.id, subnet_id=held[name])
        for name in [name for name in wanted if name not in held]:
            subnet = self._subnet(site, name, router.project_id)
            if subnet is None:
                raise lookup.unknown(self.address, "subnet", name, ())
            network.add_interface_to_router(router.id, subnet_id=subnet.id)


@dataclass(frozen=True)
class FloatingIP(Resource):
    """A floating IP of a port; the port's name is its address, since floating IPs have none."""

    kind: ClassVar[str] = "floating-ip"
    identity: ClassVar[tuple[str, ...]] = ("project", "port")
    fixed: ClassVar[frozenset[str]] = frozenset({"external_network", "ip_address"})

    port: str
    """Name or id."""
    external_network: str | None = None
    """Name or id."""
    ip_address: str | None = None
    """None: the site chooses one."""
    description: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        if self.ip_address is not None:
            lookup.put(self, ip_address=addresses.ip(self.ip_address))

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The floating IP that leads to the port."""
        found = self._find(site)
        if found is None:
            return None
        outside = lookup.existing(site.conn.network.get_network, found.floating_network_id)
        name = self.external_network if self.external_network == found.floating_network_id else getattr(outside, "name", None)
        return Actual(
            found.id, {"external_network": name, "ip_address": found.floating_ip_address, "description": found.description}
        )

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse an unknown port, a network that is not external, and an address that leads elsewhere."""
        project = lookup.require_project(self, site, self.project, others)
        network = site.conn.network
        port = lookup.find_port(site, self.address, self.port, project)
        lookup.require(self, "port", self.port, port, others, lambda: (item.name for item in network.ports()))
        if actual is not None:
            return
        if self.external_network is None:
            names = [item.name for item in network.networks(is_router_external=True)]
            raise BadInput(f"{self.address}: a new floating IP needs external_network", found=names)
        found = lookup.find_network(site, self.address, self.external_network, project)
        lookup.require(self, "network", self.external_network, found, others, lambda: (item.name for item in network.networks()))
        for taken in network.ips(floating_ip_address=self.ip_address) if self.ip_address else ():
            if taken.port_id:
                told = f"floating IP {taken.id} of port {taken.port_id}"
                raise Refused(f"{self.address}: {self.ip_address} leads to another port", found=told, hint="take another address")

    def create(self, site: Site, change: Change) -> Values:
        """Make the floating IP, or take the free one that has the address, and lead it to the port."""
        network = site.conn.network
        project = lookup.certain_project(self, site, self.project)
        port = lookup.find_port(site, self.address, self.port, project)
        outside = lookup.find_network(site, self.address, str(self.external_network), project)
        if port is None or outside is None:
            missing = ("port", self.port) if port is None else ("network", str(self.external_network))
            raise lookup.unknown(self.address, *missing, ())
        body = {"description": self.description} if self.description is not None else {}
        for free in network.ips(floating_ip_address=self.ip_address, project_id=port.project_id) if self.ip_address else ():
            network.update_ip(free, port_id=port.id, **body)
            return {"id": free.id, "reserved": True}
        address = {"floating_ip_address": self.ip_address} if self.ip_address else {}
        made = network.create_ip(floating_network_id=outside.id, port_id=port.id, project_id=port.project_id, **address, **body)
        return {"id": made.id}

    def update(self, site: Site, change: Change) -> Values:
        """Change the description."""
        site.conn.network.update_ip(change.id, description=change.after.get("description") or "")
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Give the floating IP back; one that was reserved before is only led away from the port."""
        network = site.conn.network
        id = change.id or getattr(self._find(site), "id", None)
        if id and change.memo.get("reserved"):
            network.update_ip(id, port_id=None)
            return {"id": id}
        if id:
            network.delete_ip(id, ignore_missing=True)
            gone(lambda: lookup.existing(network.get_ip, id), what=self.address)
        return {"id": id}

    def _find(self, site: Site) -> Any:
        project = lookup.project_id(site, self.project)
        port = lookup.find_port(site, self.address, self.port, project)
        found = list(site.conn.network.ips(port_id=port.id)) if port is not None else []
        if len(found) > 1:
            raise lookup.ambiguous(self.address, found, "give all but one back")
        return found[0] if found else None
