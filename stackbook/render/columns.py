"""Which columns of each kind a survey shows, and how their values read; the DataFrames have all of them as the API told them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stackbook.render.table import missing

Row = Mapping[str, Any]
MOST = 10
"""Columns shown of a kind that has no list here."""
UNAVAILABLE = "unavailable"
UNSHOWN = ("links", "location", "tags", "created_at", "updated_at", "revision_number", "tenant_id", "description")

SHOWN: dict[str, str] = {
    "pools": "name total_capacity_gb allocated_capacity_gb free_capacity_gb provisioned_capacity_gb volume_backend_name"
    " max_over_subscription_ratio backend_state",
    "images": "name id status size disk_format visibility min_disk min_ram",
    "networks": "name id status provider:network_type provider:physical_network provider:segmentation_id mtu shared"
    " router:external",
    "subnets": "name id cidr gateway_ip allocation_pools enable_dhcp dns_nameservers network_id",
    "ports": "name id status fixed_ips mac_address binding:host_id device_owner device_id network_id",
    "routers": "name id status external_gateway_info project_id",
    "floating_ips": "floating_ip_address id status fixed_ip_address port_id project_id",
    "security_groups": "name id description project_id",
    "projects": "name id enabled domain_id description",
    "users": "name id enabled domain_id email default_project_id",
    "volumes": "name id status size volume_type bootable attachments os-vol-host-attr:host",
    "snapshots": "name id status size volume_id",
    "servers": "name id status addresses OS-EXT-SRV-ATTR:host flavor os-extended-volumes:volumes_attached tenant_id",
    "flavors": "name id vcpus ram disk OS-FLV-EXT-DATA:ephemeral swap os-flavor-access:is_public extra_specs",
    "keypairs": "name type fingerprint",
    "hypervisors": "hypervisor_hostname state status vcpus vcpus_used memory_mb memory_mb_used local_gb local_gb_used host_ip",
    "agents": "host agent_type alive admin_state_up availability_zone configurations",
    "services": "service binary host zone status state disabled_reason",
}
"""Kind to the columns that tell most, in order."""


def told(kind: str, rows: Sequence[Row]) -> tuple[list[dict[str, Any]], int]:
    """The rows of a kind as people read them, and how many other columns have values."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    filled = [name for name in names if any(not _empty(row.get(name)) for row in rows)]
    wanted = [*SHOWN.get(kind, "").split(), UNAVAILABLE]
    kept = [name for name in wanted if name in filled] if kind in SHOWN else _likely(filled)
    labels = _labels(kept)
    return [{labels[name]: _read(name, row.get(name)) for name in kept} for row in rows], len(filled) - len(kept)


def _likely(names: Sequence[str]) -> list[str]:
    first = [name for name in ("name", "id", "status", "state") if name in names]
    return [*first, *(name for name in names if name not in first and name not in UNSHOWN)][:MOST]


def _labels(names: Sequence[str]) -> dict[str, str]:
    """Names without the prefix of their API extension, where that leaves them distinct."""
    short = {name: str(name).rpartition(":")[2] for name in names}
    labels = {name: "bridge mappings" if name == "configurations" else short[name] for name in names}
    return {name: label if list(labels.values()).count(label) == 1 else str(name) for name, label in labels.items()}


def _read(name: str, value: Any) -> Any:
    if name in READINGS and not _empty(value):
        try:
            return READINGS[name](value)
        except (AttributeError, KeyError, TypeError):
            return value  # another shape than the API documents: shown as it is
    return None if _empty(value) else value


def _empty(value: Any) -> bool:
    return missing(value) or (isinstance(value, (str, list, dict, tuple)) and not value)


def _addresses(networks: Mapping[str, Any]) -> str:
    return "; ".join(f"{network} {', '.join(entry['addr'] for entry in entries)}" for network, entries in networks.items())


def _gateway(info: Mapping[str, Any]) -> str:
    return ", ".join(entry["ip_address"] for entry in info["external_fixed_ips"]) or str(info["network_id"])


def _mappings(agent: Mapping[str, Any]) -> str | None:
    """An agent's bridge mappings; nothing for agents that have none to tell."""
    if "bridge_mappings" not in agent:
        return None
    return ", ".join(f"{name}:{bridge}" for name, bridge in agent["bridge_mappings"].items()) or "none"


READINGS: dict[str, Callable[[Any], Any]] = {
    "fixed_ips": lambda found: ", ".join(entry["ip_address"] for entry in found),
    "allocation_pools": lambda found: ", ".join(f"{entry['start']} – {entry['end']}" for entry in found),
    "addresses": _addresses,
    "attachments": lambda found: ", ".join(f"{entry['server_id']} {entry.get('device') or ''}".strip() for entry in found),
    "os-extended-volumes:volumes_attached": lambda found: ", ".join(entry["id"] for entry in found),
    "flavor": lambda found: found.get("original_name") or found["id"],
    "external_gateway_info": _gateway,
    "configurations": _mappings,
}
"""Columns whose values are structures, as one line."""
