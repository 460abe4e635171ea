"""What a port's addresses must satisfy, looked at while planning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackbook.errors import Refused
from stackbook.plans import Actual, Resource
from stackbook.resources import addresses, lookup

if TYPE_CHECKING:
    from stackbook.resources.port import Port
    from stackbook.site import Site

TRUNK = "trunk:subport"
"""Owner of a trunk's subports, which share the MAC address of their parent."""


@dataclass(frozen=True)
class Range:
    """A subnet as far as addresses are concerned, whether it exists or is planned."""

    name: str
    id: str | None
    cidr: addresses.Network
    gateway: str | None


def subnets(port: Port, site: Site, network: Any, others: Sequence[Resource]) -> list[Range]:
    """The subnets that the port's addresses may come from; Refused when the one it names is unknown."""
    found = lookup.subnets(site, network.id) if network is not None else []
    ranges = [Range(item.name, item.id, addresses.parsed_cidr(item.cidr), item.gateway_ip) for item in found]
    ranges += [item for item in _planned(port, others) if item.name not in {known.name for known in ranges}]
    if port.subnet is None:
        return ranges
    named = [item for item in ranges if port.subnet in (item.name, item.id)]
    if len(named) > 1:
        raise lookup.ambiguous(f"{port.address}: subnet {port.subnet!r}", named, "refer to the subnet by its id")
    if not named:
        raise lookup.unknown(port.address, "subnet", port.subnet, (item.name for item in ranges))
    return named


def addresses_fit(port: Port, ranges: Sequence[Range]) -> None:
    """Refuse an address outside every subnet, or one that is a subnet's gateway, network or broadcast address."""
    for text in port.wanted_ips:
        address = addresses.parsed_ip(text)
        around = next((item for item in ranges if address in item.cidr), None)
        if around is None:
            found = [f"subnet {item.name!r} ({item.id or 'planned'}) is {item.cidr}" for item in ranges] or "it has no subnet"
            where = f"subnet {port.subnet!r}" if port.subnet else f"every subnet of network {port.network!r}"
            raise Refused(f"{port.address}: {text} is outside {where}", found=found, hint="choose an address inside")
        why = "is the gateway" if around.gateway == text else addresses.forbidden(address, around.cidr)
        if why:
            told = f"subnet {around.name!r} ({around.id or 'planned'}) is {around.cidr}, gateway {around.gateway}"
            raise Refused(f"{port.address}: {text} {why}", found=told, hint="choose another address")


def unique_in_plan(port: Port, others: Sequence[Resource]) -> None:
    """Refuse an address or MAC that another port of the same plan asks for too."""
    for other in _other_ports(port, others):
        shared = set(port.wanted_ips) & set(other.wanted_ips) if port.network == other.network else set()
        if port.mac_address and port.mac_address == other.mac_address:
            shared = {*shared, port.mac_address}
        if shared:
            raise Refused(
                f"{port.address}: {', '.join(sorted(shared))} is asked for by {other.address} too", hint="give one another"
            )


def free(port: Port, site: Site, network: Any, actual: Actual | None) -> None:
    """Refuse a MAC or an address that another port has: tells its id and what it is attached to."""
    mine = actual.id if actual else None
    if port.mac_address and (actual is None or actual.values["mac_address"] != port.mac_address):
        taken = [item for item in site.conn.network.ports(mac_address=port.mac_address) if item.id != mine and not _trunked(item)]
        _refuse(port, site, f"MAC {port.mac_address}", taken)
        if actual is not None and actual.values.get("server"):
            hint = "detach it first, or leave its MAC as it is"
            raise Refused(
                f"{port.address}: its MAC can't change while attached", found=f"server {actual.values['server']}", hint=hint
            )
    if network is None:
        return
    held = {*(actual.values.get("fixed_ips") or ()), actual.values.get("ip_address")} if actual else set()
    for address in port.wanted_ips:
        if address not in held:
            query = {"network_id": network.id, "fixed_ips": f"ip_address={address}"}
            _refuse(port, site, f"IP {address}", [item for item in site.conn.network.ports(**query) if item.id != mine])


def _refuse(port: Port, site: Site, what: str, taken: Sequence[Any]) -> None:
    if taken:
        found = [f"port {item.name!r} ({item.id}), {lookup.device(site, item)}" for item in taken]
        raise Refused(f"{port.address}: {what} is in use", found=found, hint="choose a free one, or remove that port first")


def _trunked(found: Any) -> bool:
    return found.device_owner == TRUNK or bool(found.trunk_details)


def _planned(port: Port, others: Sequence[Resource]) -> Iterable[Range]:
    for other in others:
        cidr = getattr(other, "cidr", None)
        if other.kind == "subnet" and cidr and getattr(other, "network", None) == port.network:
            gateway = getattr(other, "gateway_ip", None)
            network = addresses.parsed_cidr(cidr)
            yield Range(str(other.key["name"]), None, network, gateway or _first(network))


def _first(network: addresses.Network) -> str | None:
    return str(network.network_address + 1) if network.num_addresses > 2 else None


def _other_ports(port: Port, others: Sequence[Resource]) -> list[Port]:
    return [other for other in others if isinstance(other, type(port)) and other.address != port.address]
