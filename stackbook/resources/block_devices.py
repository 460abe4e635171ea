"""What block devices a host has, and what lives on them; only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackbook.errors import Refused, StackbookError
from stackbook.hosts import HostFailed

if TYPE_CHECKING:
    from stackbook.hosts import Host

Row = dict[str, Any]
PARTITION = "part"
UNREADABLE = "unreadable"
"""Stands for what lives on a device that may not be looked at: it might be anything."""
PVS = "pv_name,pv_uuid,pv_size,pv_used,vg_name,vg_uuid,pv_count,lv_count"


@dataclass(frozen=True)
class PhysicalVolumeFacts:
    """A physical volume as LVM knows it; sizes in bytes."""

    path: str
    uuid: str
    size: int
    used: int
    """Bytes that logical volumes take."""
    group: str
    """Its volume group; empty when it is in none."""
    group_uuid: str
    members: int
    """Physical volumes in its group."""
    volumes: int
    """Logical volumes in its group."""


@dataclass(frozen=True)
class BlockDevice:
    """A block device with what lives on it."""

    path: str
    type: str
    """``disk``, ``part``, ``loop``, ``lvm``, ``raid1``, ``crypt`` and so on, as lsblk names it."""
    size: int
    """Bytes."""
    model: str
    serial: str
    """What names this disk and no other: its serial, else its WWN, else the UUID of what lives on it; may be empty."""
    holds: tuple[str, ...]
    """What is on it or on its partitions: file systems, partition tables, RAID, LVM, swap."""
    used: tuple[str, ...]
    """Why it is in use now: mounts, swap, devices on top of it."""
    group: str = ""
    """The volume group that it belongs to."""
    backing: str = ""
    """The file behind a loop device."""

    @property
    def row(self) -> Row:
        """A row for a table."""
        lives = [*self.holds, *([f"volume group {self.group}"] if self.group else [])]
        return {
            "device": self.path,
            "type": self.type,
            "size": self.size,
            "model": self.model,
            "serial": self.serial,
            "lives_there": ", ".join(lives) or "nothing",
            "in_use": ", ".join(self.used),
            "backing_file": self.backing,
        }


def block_devices(host: Host) -> list[BlockDevice]:
    """Every block device of `host` that has a size, disks before what lies on them.

    Raises HostFailed where lsblk or wipefs are missing or may not look at the devices.
    """
    tree = _json(host, ["lsblk", "--json", "--bytes", "--output-all"]).get("blockdevices", [])
    nodes = [node for top in tree for node in _below(top) if int(node.get("size") or 0)]
    found = _signatures(host, [_path(node) for node in nodes]) if nodes else {}
    groups = {volume.path: volume.group for volume in physical_volumes(host, missing_ok=True)}
    files = _backing_files(host)
    devices = [_device(node, found, groups, files) for node in nodes]
    return list({device.path: device for device in devices}.values())


def block_device(host: Host, path: str) -> BlockDevice:
    """The device at `path`, which may be a link such as ``/dev/disk/by-id/…``.

    Raises Refused when the host has none, and names those that it has.
    """
    real = real_path(host, path)
    listed = block_devices(host)
    for device in listed:
        if device.path == real:
            return device
    known = ", ".join(device.path for device in listed if device.type != PARTITION) or "none"
    raise Refused(f"{host.name} has no block device {path} (it has: {known})", hint=f"lsblk on {host.name}")


def real_path(host: Host, path: str) -> str:
    """Where a link such as ``/dev/disk/by-id/…`` leads; other paths as they are."""
    return host.run(["readlink", "-f", path]).out.strip() if path.startswith("/dev/disk/") else path


def opened_by_someone(host: Host, path: str) -> str:
    """What the kernel says when it is asked for the device alone; empty when nobody else has it.

    This finds users that no table shows: a mount in a container, a virtual machine, multipath.
    """
    answer = host.run(["wipefs", "--all", "--no-act", path], check=False)
    return answer.err.strip().removeprefix("wipefs: ") if answer.code else ""


def physical_volumes(host: Host, *, missing_ok: bool = False) -> list[PhysicalVolumeFacts]:
    """The physical volumes that LVM finds on `host`; with `missing_ok` none where LVM is not installed."""
    command = ["pvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", PVS]
    try:
        report = _json(host, command)["report"][0]["pv"]
    except HostFailed:
        if missing_ok:
            return []
        raise
    return [
        PhysicalVolumeFacts(
            path=row["pv_name"],
            uuid=row["pv_uuid"],
            size=int(row["pv_size"]),
            used=int(row["pv_used"]),
            group=row["vg_name"],
            group_uuid=row["vg_uuid"],
            members=int(row["pv_count"] or 0),
            volumes=int(row["lv_count"] or 0),
        )
        for row in report
    ]


def _device(node: Row, found: dict[str, list[str]], groups: dict[str, str], files: dict[str, str]) -> BlockDevice:
    path, family = _path(node), list(_below(node))
    parts = [part for part in family if part is node or part.get("type") == PARTITION]
    uuids = [said.rpartition(" ")[2] for said in found.get(path, ()) if " " in said]
    serial = node.get("serial") or node.get("wwn") or next(iter(uuids), "")
    return BlockDevice(
        path=path,
        type=str(node.get("type") or ""),
        size=int(node["size"]),
        model=str(node.get("model") or "").strip(),
        serial=str(serial).strip(),
        holds=tuple(_holds(path, parts, found)),
        used=tuple(dict.fromkeys(_used(node, family))),
        group=groups.get(path, ""),
        backing=files.get(path, ""),
    )


def _holds(path: str, parts: list[Row], found: dict[str, list[str]]) -> Iterator[str]:
    for part in parts:
        own = _path(part)
        said = found.get(own, [])
        yield from (text if own == path else f"{text} on {own}" for text in said)
        if own != path and not said:
            yield f"partition {own}"


def _used(node: Row, family: list[Row]) -> Iterator[str]:
    for one in family:
        for place in one.get("mountpoints") or [one.get("mountpoint")]:
            if place:
                yield "swap in use" if place == "[SWAP]" else f"mounted at {place}"
        if one is not node and one.get("type") != PARTITION:
            yield f"{one.get('type')} {_path(one)} on top"


def _signatures(host: Host, paths: list[str]) -> dict[str, list[str]]:
    """What wipefs finds on each device: kind, label and UUID; reading only."""
    answer = host.run(["wipefs", "--json", *paths], check=False)
    if answer.code and len(paths) > 1:  # it stops at the first that it can't open
        return {path: told for one in paths for path, told in _signatures(host, [one]).items()}
    if answer.code:
        return {paths[0]: [UNREADABLE]}
    names = {path.rpartition("/")[2]: path for path in paths}
    found: dict[str, list[str]] = {path: [] for path in paths}
    for row in _parsed(host, answer.out).get("signatures", []):
        found[names[str(row["device"]).rpartition("/")[2]]].append(_told(row))
    return {path: list(dict.fromkeys(told)) for path, told in found.items()}


def _told(row: Row) -> str:
    label = f"{row['label']!r}" if row.get("label") else ""
    return " ".join(part for part in (str(row["type"]), label, row.get("uuid") or "") if part)


def _backing_files(host: Host) -> dict[str, str]:
    answer = host.run(["losetup", "--list", "--json", "--output", "NAME,BACK-FILE"], check=False)
    if answer.code or not answer.out.strip():
        return {}
    return {row["name"]: row["back-file"] for row in _parsed(host, answer.out).get("loopdevices", [])}


def _below(node: Row) -> Iterator[Row]:
    yield node
    for child in node.get("children") or ():
        yield from _below(child)


def _path(node: Row) -> str:
    return str(node.get("path") or f"/dev/{node['name']}")


def _json(host: Host, argv: list[str]) -> Row:
    return _parsed(host, host.run(argv).out)


def _parsed(host: Host, text: str) -> Row:
    try:
        return dict(json.loads(text))
    except ValueError:
        raise StackbookError(f"{host.name}: expected JSON from a listing of devices", found=text[:200]) from None
