"""What a server needs to come up, looked at while planning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput, Refused
from stackbook.plans import Actual, Resource
from stackbook.resources import lookup

if TYPE_CHECKING:
    from stackbook.resources.server import Server
    from stackbook.site import Site

FREE = ("available", "creating", "downloading")


def references(server: Server, site: Site, others: Sequence[Resource], project: str | None, *, new: bool) -> None:
    """Refuse names that mean nothing on the site and nothing listed before."""
    if server.flavor is not None:
        flavor = lookup.find_flavor(site, server.address, server.flavor)
        lookup.require(server, "flavor", server.flavor, flavor, others, lambda: (item.name for item in lookup.flavors(site)))
    if not new:
        return
    _network_references(server, site, others, project)
    if server.key_name is not None:
        key = lookup.existing(site.conn.compute.get_keypair, server.key_name)
        lookup.require(
            server, "keypair", server.key_name, key, others, lambda: (item.name for item in site.conn.compute.keypairs())
        )
    if server.availability_zone is not None:
        zones = [zone.name for zone in site.conn.compute.availability_zones()]
        if server.availability_zone.split(":")[0] not in zones:
            raise lookup.unknown(server.address, "availability zone", server.availability_zone, zones)
    if server.user_data_from is not None and not Path(server.user_data_from[5:]).expanduser().is_file():
        raise BadInput(f"{server.address}: {server.user_data_from} is no file", hint="name the file with the cloud-init data")


def new(server: Server, site: Site, others: Sequence[Resource], project: str | None) -> None:
    """Refuse a new server without flavor or disk, with a port or volume that another holds, or that does not fit."""
    if server.flavor is None or (server.volume is None and server.image is None):
        raise BadInput(f"{server.address}: a new server needs a flavor, and a volume or an image to boot from")
    if server.security_groups is not None and server.ports and not server.networks:
        raise BadInput(f"{server.address}: security groups belong to the ports that it gets", hint="Port(…, security_groups=[…])")
    flavor = lookup.find_flavor(site, server.address, server.flavor)
    _ports_free(server, site, project)
    if server.volume is not None:
        _volume_boots(server, site, others, project)
    for ref in server.data_volumes or ():
        _volume_free(server, ref, site, others, project)
    if server.image is not None:
        _image_fits(server, site, others, project, flavor)
    _quota_holds(server, site, others, project)


def attached(server: Server, actual: Actual) -> None:
    """Refuse ports that an existing server does not have: attaching is the port's affair."""
    if missing := [ref for ref in server.ports or () if ref not in actual.values["ports"]]:
        if actual.replace:
            return
        what = f"{server.address} exists without port {', '.join(missing)}"
        raise Refused(what, found=f"server {actual.id}", hint=f"attach it: Port('{missing[0]}', …, server='{server.name}')")


def _network_references(server: Server, site: Site, others: Sequence[Resource], project: str | None) -> None:
    network = site.conn.network
    for ref in server.ports or ():
        port = lookup.find_port(site, server.address, ref, project)
        lookup.require(server, "port", ref, port, others, lambda: (item.name for item in network.ports(project_id=project)))
    for ref in server.networks or ():
        found = lookup.find_network(site, server.address, ref, project)
        lookup.require(server, "network", ref, found, others, lambda: (item.name for item in network.networks()))
    lookup.require_security_groups(server, site, server.security_groups or (), others, project)


def _ports_free(server: Server, site: Site, project: str | None) -> None:
    for ref in server.ports or ():
        port = lookup.find_port(site, server.address, ref, project)
        if port is not None and port.device_id:
            told = f"port {port.name!r} ({port.id}), {lookup.device(site, port)}"
            raise Refused(
                f"{server.address}: port {ref!r} is attached already", found=told, hint="detach it first, or use another"
            )


def _volume_boots(server: Server, site: Site, others: Sequence[Resource], project: str | None) -> None:
    ref = str(server.volume)
    volume = _volume_free(server, ref, site, others, project)
    if volume is None:
        return
    told = f"volume {volume.name!r} ({volume.id}) is {volume.status}"
    if not volume.is_bootable and volume.status not in FREE[1:] and not _made_bootable(server, ref, others):
        raise Refused(
            f"{server.address}: volume {ref!r} is not bootable",
            found=told,
            hint="Volume(…, bootable=True), or make it from an image",
        )


def _volume_free(server: Server, ref: str, site: Site, others: Sequence[Resource], project: str | None) -> Any:
    volume = lookup.find_volume(site, server.address, ref, project)
    lookup.require(server, "volume", ref, volume, others, lambda: (item.name for item in site.conn.block_storage.volumes()))
    if volume is None:
        return None
    told = f"volume {volume.name!r} ({volume.id}) is {volume.status}"
    if volume.attachments:
        holders = ", ".join(_server_name(site, item.get("server_id")) for item in volume.attachments)
        raise Refused(f"{server.address}: volume {ref!r} is attached to {holders}", found=told, hint="detach it first")
    if volume.status not in FREE and lookup.planned(server, "volume", ref, others) is None:
        raise Refused(f"{server.address}: volume {ref!r} can't be attached", found=told)
    return volume


def _made_bootable(server: Server, ref: str, others: Sequence[Resource]) -> bool:
    return bool(getattr(lookup.planned(server, "volume", ref, others), "bootable", False))


def _image_fits(server: Server, site: Site, others: Sequence[Resource], project: str | None, flavor: Any) -> None:
    ref = str(server.image)
    image = lookup.find_image(site, server.address, ref, project)
    lookup.require(server, "image", ref, image, others, lambda: (item.name for item in site.conn.image.images()))
    if image is None or flavor is None:
        return
    if flavor.ram < (image.min_ram or 0):
        told = f"flavor {flavor.name!r} has {flavor.ram} MiB, image {image.name!r} ({image.id}) needs {image.min_ram} MiB"
        raise Refused(f"{server.address}: too little memory for the image", found=told, hint="choose a larger flavor")
    needed = max(image.min_disk or 0, -(-(image.virtual_size or 0) // (1 << 30)))
    if 0 < flavor.disk < needed:
        told = f"flavor {flavor.name!r} has {flavor.disk} GiB, image {image.name!r} ({image.id}) needs {needed} GiB"
        raise Refused(
            f"{server.address}: too small a disk for the image", found=told, hint="choose a larger flavor, or boot from a volume"
        )


def _quota_holds(server: Server, site: Site, others: Sequence[Resource], project: str | None) -> None:
    if project is None or any(other.kind == "quota" for other in others):
        return
    path = f"/os-quota-sets/{project}/detail"
    answer = lookup.once(site, (path,), lambda: site.conn.compute.get(path, raise_exc=False))
    if answer.status_code != 200:
        return
    for name, more in _needs(server, site, others).items():
        limit = answer.json()["quota_set"][name]
        used = limit["in_use"] + limit["reserved"]
        if 0 <= limit["limit"] < used + more:
            told = f"{used} of {limit['limit']} in use, the plan needs {more} more"
            hint = lookup.raised_by(server.project or project)
            raise Refused(f"{server.address}: the project's quota of {name} is too small", found=told, hint=hint)


def _needs(server: Server, site: Site, others: Sequence[Resource]) -> dict[str, int]:
    """What the plan's new servers of the same project use together; flavors that are planned too are asked of the plan."""
    sizes: dict[str, Any] = {name: item for item in lookup.flavors(site) for name in (item.name, item.id)}
    sizes |= {str(other.key["name"]): other for other in others if other.kind == "flavor"}
    held = lookup.once(site, ("servers",), lambda: {item.name for item in site.conn.compute.servers(details=False)})
    held = held if server.project is None else set()
    new = [item for item in _servers(server, others) if item.name not in held or item is server]
    flavors = [sizes.get(item.flavor or "") for item in new]
    return {"instances": len(new), "cores": _sum(flavors, "vcpus"), "ram": _sum(flavors, "ram")}


def _servers(server: Server, others: Sequence[Resource]) -> list[Server]:
    return [other for other in others if isinstance(other, type(server)) and other.project == server.project]


def _sum(flavors: Iterable[Any], name: str) -> int:
    return sum(getattr(flavor, name, None) or 0 for flavor in flavors)


def _server_name(site: Site, id: str | None) -> str:
    server = lookup.existing(site.conn.compute.get_server, id)
    return f"server {server.name!r} ({id})" if server is not None else f"server {id}"
