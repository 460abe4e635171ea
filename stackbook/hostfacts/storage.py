"""The hosts' disks and file systems, and what the servers on them may still fill."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackbook.cloud import api_errors
from stackbook.errors import CloudFailed
from stackbook.ini import IniText
from stackbook.resources.block_devices import block_devices
from stackbook.resources.inventory import UNAVAILABLE, collect
from stackbook.resources.lookup import once
from stackbook.services import service

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

Row = dict[str, Any]
GIB = 2**30
UNTOLD = ("tmpfs", "devtmpfs", "overlay", "squashfs", "efivarfs", "ramfs", "iso9660")
"""File systems that hold nothing of their own."""
INSTANCES = "/var/lib/nova/instances"


def disks(_: Site, host: Host) -> list[Row]:
    """Block devices with what lives on them; sizes in bytes."""
    return [device.row for device in block_devices(host)]


def file_systems(_: Site, host: Host) -> list[Row]:
    """File systems that hold data; sizes in GiB."""
    listed = host.run(["df", "--local", "--print-type", "--portability", "--block-size=1"], check=False).out
    rows = {(row["device"], row["on"]): row for row in map(_file_system, listed.splitlines()[1:])}
    return [row for row in rows.values() if row["type"] not in UNTOLD]


def _file_system(line: str) -> Row:
    device, type, size, _, free, _, place = line.split(None, 6)
    total, left = int(size) / GIB, int(free) / GIB
    return {"on": place, "device": device, "type": type, "total_gib": round(total, 1), "free_gib": round(left, 1)}


def instances(site: Site, host: Host) -> list[Row]:
    """Where a compute host keeps its servers' disks, and what these may grow to by their flavors; sizes in GiB."""
    text = _nova_conf(site, host)
    if text is None:
        return []
    said = text.options()
    place = (said.get(("DEFAULT", "instances_path")) or [INSTANCES])[-1]
    kept = (said.get(("libvirt", "images_type")) or ["default"])[-1]
    if kept in ("rbd", "lvm"):
        return [{"place": place, "images_type": kept}]
    if "$" in place:
        place = INSTANCES
    answer = host.run(["df", "--print-type", "--portability", "--block-size=1", str(host.root / _there(host, place).lstrip("/"))])
    there = _file_system(answer.out.splitlines()[-1])
    return [{"place": place, "images_type": kept, **there, **_promised(site, host)}]


def _there(host: Host, place: str) -> str:
    """`place`, or the folder above it in which nova-compute will make it with its first server."""
    return next((str(folder) for folder in (PurePosixPath(place), *PurePosixPath(place).parents) if host.stat(str(folder))), "/")


def _nova_conf(site: Site, host: Host) -> IniText | None:
    """The configuration of nova-compute; None on a host that is no compute host."""
    known = service("nova-compute")
    content = host.read(known.config(site.settings.layout)[0]) if "compute" in host.roles or not host.roles else None
    return None if content is None else IniText(content, f"{host.name}:{known.name}")


def _promised(site: Site, host: Host) -> Row:
    """How many servers are on the host, and how much their local disks may hold."""
    rows = once(site, ("servers of hosts",), lambda: _servers(site))
    mine = [row for row in rows if str(row.get("OS-EXT-SRV-ATTR:host", "")).partition(".")[0] == host.name.partition(".")[0]]
    sizes = [_local(row) for row in mine]
    return {"servers": len(mine), "promised_gib": round(sum(sizes), 1), "largest_gib": round(max(sizes, default=0), 1)}


def _servers(site: Site) -> list[Row]:
    """All servers; raises CloudFailed when the API does not tell."""
    with api_errors("servers"):
        rows = collect(site, ("servers",))["servers"]
    if rows and UNAVAILABLE in rows[0]:
        raise CloudFailed(f"servers: {rows[0][UNAVAILABLE]}")
    return rows


def _local(server: Row) -> float:
    """What the server's flavor lets it fill on the host: root (unless it boots from a volume), ephemeral and swap, in GiB."""
    flavor = server.get("flavor") or {}
    root = flavor.get("disk", 0) if server.get("image") else 0
    return float(root + flavor.get("ephemeral", 0) + (flavor.get("swap") or 0) / 1024)
