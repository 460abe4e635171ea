"""What a server is, as its resource compares it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stackbook.plans import Values
from stackbook.resources import lookup, secrecy
from stackbook.resources.waiting import settled

if TYPE_CHECKING:
    from stackbook.resources.server import Server
    from stackbook.site import Site

BUSY = ("BUILD", "REBUILD", "REBOOT", "HARD_REBOOT", "RESIZE", "REVERT_RESIZE", "MIGRATING", "PASSWORD")


def busy(found: Any) -> str:
    """The state that a server passes through, with nova's task; empty when it has settled."""
    if found.status == "ERROR" and found.task_state != "deleting":
        return ""
    if found.status in BUSY or found.task_state:
        return f"{found.status} {found.task_state or ''}".strip()
    return ""


def broken(found: Any) -> str:
    """Why a server in ERROR is there; empty for any other."""
    if found.status != "ERROR":
        return ""
    fault = found.fault or {}
    return f"it is in ERROR: {fault.get('message') or 'nova tells no fault'}"[:500]


def values(server: Server, site: Site, found: Any) -> Values:
    """The server's fields; references as they are desired where they mean the same."""
    root = _root(site, found)
    return {
        "flavor": _flavor(server, site, found),
        "image": _image(server, site, found),
        "volume": _volume(server, site, root),
        "data_volumes": _data_volumes(server, site, found, root),
        "ports": _ports(server, site, found),
        "networks": _networks(server, site, found),
        "key_name": found.key_name,
        "availability_zone": _zone(server, found),
        "security_groups": _groups(found),
        "metadata": secrecy.masked(found.metadata or {}),
        "description": found.description or "",
        "delete_on_termination": bool(root.delete_on_termination) if root is not None else None,
        "config_drive": bool(found.has_config_drive) if server.config_drive is not None else None,
    }


def attachments(site: Site, id: str) -> list[Any]:
    """The volumes attached to a server."""
    from openstack.exceptions import NotFoundException

    try:
        return list(site.conn.compute.volume_attachments(id))
    except NotFoundException:
        return []


def keep_volumes(site: Site, id: str, *, keep: bool) -> None:
    """Say of a server's boot volume that it stays (or goes) when the server is deleted; to keep means all its volumes."""
    found = attachments(site, id)
    chosen = found if keep else [item for item in found if item is _first(found)]
    for item in chosen:
        if bool(item.delete_on_termination) == keep:
            body = {"volumeAttachment": {"volumeId": item.volume_id, "delete_on_termination": not keep}}
            path = f"/servers/{id}/os-volume_attachments/{item.volume_id}"
            site.conn.compute.put(path, json=body, microversion="2.85", raise_exc=True)


def let_go(site: Site, volumes: Iterable[str], what: str) -> None:
    """Wait until volumes that were attached are free again, or gone."""
    for id in volumes:
        settled(
            lambda id=id: lookup.existing(site.conn.block_storage.get_volume, id),  # type: ignore[misc]
            lambda volume: (
                f"volume {volume.status}" if volume.status in ("detaching", "deleting", "reserved", "attaching") else ""
            ),
            what=what,
            limit=60,
        )


def _root(site: Site, found: Any) -> Any:
    if found.image and found.image.id:
        return None
    return _first(attachments(site, found.id)) if found.attached_volumes else None


def _first(found: list[Any]) -> Any:
    return min(found, key=lambda item: item.device or "~", default=None)


def _flavor(server: Server, site: Site, found: Any) -> str:
    name, id = getattr(found.flavor, "name", None), getattr(found.flavor, "id", None)
    if server.flavor in (name, id) and server.flavor is not None:
        return server.flavor
    if name is None or server.flavor is not None:
        known = next((item for item in lookup.flavors(site) if name == item.name or id == item.id), None)
        if known is not None:
            return server.flavor if server.flavor in (known.name, known.id) and server.flavor is not None else str(known.name)
    return str(name or id)


def _image(server: Server, site: Site, found: Any) -> str | None:
    id = found.image.id if found.image else None
    if not id or server.image == id:
        return id or None
    image = lookup.existing(site.conn.image.get_image, id)
    if image is None:
        return server.image or id
    return str(image.name or id)


def _volume(server: Server, site: Site, root: Any) -> str | None:
    if root is None or server.volume == root.volume_id:
        return root.volume_id if root is not None else None
    volume = lookup.existing(site.conn.block_storage.get_volume, root.volume_id)
    return str(volume.name or volume.id) if volume is not None else str(root.volume_id)


def _data_volumes(server: Server, site: Site, found: Any, root: Any) -> list[str]:
    """Of the volumes attached besides the root disk, those desired; all of them when none are desired."""
    if len(found.attached_volumes or ()) < (1 if root is None else 2):
        return []
    held = sorted(attachments(site, found.id), key=lambda item: item.device or "~")
    ids = [item.volume_id for item in held if root is None or item.volume_id != root.volume_id]
    volumes = [(id, lookup.existing(site.conn.block_storage.get_volume, id)) for id in ids]
    named = {id: str(volume.name or id) if volume is not None else id for id, volume in volumes}
    if server.data_volumes is None:
        return list(named.values())
    return [ref for ref in server.data_volumes if ref in {*named, *named.values()}]


def _ports(server: Server, site: Site, found: Any) -> list[str]:
    """Of the ports attached, those desired; all of them when none are desired."""
    held = list(site.conn.network.ports(device_id=found.id))
    if server.ports is None:
        return [port.name or port.id for port in held]
    known = {name for port in held for name in (port.name, port.id)}
    return [ref for ref in server.ports if ref in known]


def _networks(server: Server, site: Site, found: Any) -> list[str]:
    names = list(found.addresses or {})
    if server.networks is None:
        return names if server.ports else []
    if set(server.networks) <= set(names):
        return list(server.networks)
    ids = {port.network_id for port in site.conn.network.ports(device_id=found.id)}
    return [ref for ref in server.networks if ref in ids or ref in names] or names


def _zone(server: Server, found: Any) -> str | None:
    wanted = server.availability_zone or ""
    return wanted if ":" in wanted and wanted.split(":")[0] == found.availability_zone else found.availability_zone


def _groups(found: Any) -> list[str]:
    return sorted({str(group.get("name")) for group in found.security_groups or ()})
