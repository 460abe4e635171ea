"""What a site has, read once: everything that planning a move looks at. No request here writes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackbook.resources import disk_place
from stackbook.resources.inventory import collect

if TYPE_CHECKING:
    from stackbook.site import Site

Row = dict[str, Any]
KINDS = ("networks", "subnets", "ports", "volumes", "volume_types", "servers", "flavors", "images", "pools")


@dataclass
class Place:
    """A site's networks, ports, flavors, volumes, quotas and pools, and what moves have taken of them so far."""

    site: Site
    taken: dict[str, float] = field(default_factory=dict)
    """Of quotas and pools, by moves that were planned before."""
    names: dict[str, str] = field(default_factory=dict)
    """MACs and addresses that moves planned before have: to the port that has them."""

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """All listings."""
        return collect(self.site, KINDS)

    @cached_property
    def project(self) -> str:
        """The id of the project that the site is signed in to."""
        return str(self.site.conn.current_project_id)

    @cached_property
    def quotas(self) -> dict[str, tuple[int, int]]:
        """Limit (-1: none) and use, of servers, cores, memory, volumes and their GiB."""
        conn, found = self.site.conn, dict[str, tuple[int, int]]()
        paths = (
            (conn.compute, f"/os-quota-sets/{self.project}/detail"),
            (conn.block_storage, f"/os-quota-sets/{self.project}?usage=True"),
        )
        for service, path in paths:
            answer = service.get(path, raise_exc=False)
            listed = answer.json()["quota_set"] if answer.status_code == 200 else {}
            for name, value in listed.items():
                if isinstance(value, dict):
                    found[name] = (value["limit"], value["in_use"] + value["reserved"])
        return found

    @cached_property
    def disk_formats(self) -> set[str]:
        """The formats that glance takes images in; empty where it does not tell."""
        answer = self.site.conn.image.get("/schemas/image", raise_exc=False)
        told = answer.json().get("properties", {}).get("disk_format", {}) if answer.status_code == 200 else {}
        return {str(found) for found in told.get("enum") or () if found}

    @cached_property
    def holds_volumes(self) -> bool:
        """Whether volumes lie on this machine, where they can be written to."""
        return disk_place.reachable(self.site)

    def network(self, name: str) -> list[Row]:
        """The networks of that name or id."""
        return [row for row in self.rows["networks"] if name in (row.get("id"), row.get("name"))]

    def subnet_of(self, network: Row, address: str) -> Row | None:
        """The subnet of a network in which an address lies."""
        wanted = ipaddress.ip_address(address)
        subnets = (row for row in self.rows["subnets"] if row.get("network_id") == network["id"])
        return next((row for row in subnets if wanted in ipaddress.ip_network(row["cidr"])), None)

    def holder(self, mac: str = "", address: str = "", network: str = "") -> Row | None:
        """The port that has a MAC, or an address in a network (an id)."""
        for port in self.rows["ports"]:
            held = {item["ip_address"] for item in port.get("fixed_ips") or ()}
            if (mac and port.get("mac_address") == mac) or (address in held and port.get("network_id") == network):
                return port
        return None

    def named(self, kind: str, name: str) -> list[Row]:
        """The rows of that name, of the project where that is told."""
        found = (row for row in self.rows[kind] if row.get("name") == name)
        keys = ("project_id", "tenant_id", "os-vol-tenant-attr:tenant_id", "owner")
        return [row for row in found if next((row[key] for key in keys if row.get(key)), self.project) == self.project]

    def holds(self, server: Row, name: str) -> bool:
        """Whether a server runs on the volume that holds the first disk of the machine `name`.

        One that is being built, or failed to be, has no volume yet: the plan of the server itself tells what it is.
        """
        ours = {row["id"] for row in self.named("volumes", f"{name}-disk0")}
        held = server.get("os-extended-volumes:volumes_attached") or ()
        return any(item["id"] in ours for item in held) or (not held and server.get("status") in ("BUILD", "ERROR"))

    def free(self) -> float | None:
        """GiB free in the roomiest pool; None where the site does not tell (that needs an administrator)."""
        free = [room for pool in self.rows["pools"] if (room := _room(pool)) is not None]
        return max(free, default=None)

    def flavors(self) -> Iterator[Row]:
        """The flavors that may be used."""
        return (row for row in self.rows["flavors"] if row.get("name") and not row.get("OS-FLV-DISABLED:disabled"))


def _room(pool: Row) -> float | None:
    free = (pool.get("capabilities") or pool).get("free_capacity_gb")
    return float(free) if isinstance(free, (int, float)) else float("inf") if free in ("infinite", "unknown") else None
