"""LVM on hosts: physical volumes and volume groups, on disks where nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stackbook.errors import BadInput, ChangedSince, Refused
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources.block_devices import (
    BlockDevice,
    PhysicalVolumeFacts,
    block_device,
    opened_by_someone,
    physical_volumes,
    real_path,
)
from stackbook.resources.lookup import once

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.site import Site

PHYSICAL = "an LVM physical volume"
MINUTES = 300.0
"""Seconds that LVM may take; a large group with slow disks needs some."""


@dataclass(frozen=True, kw_only=True)
class PhysicalVolume(Resource):
    """A disk that LVM may use.

    An empty disk is initialized, which undo takes back. A disk on which something lives is refused, unless
    `erase_serial` names it by its serial (the refusal tells it): then what lives there is erased, which nothing brings
    back. A disk in use is refused always. `group` is the volume group that it is meant for.
    """

    kind: ClassVar[str] = "physical-volume"
    identity: ClassVar[tuple[str, ...]] = ("host", "device")
    hidden: ClassVar[frozenset[str]] = frozenset({"group"})
    irreversible: ClassVar[frozenset[str]] = frozenset({"replace"})

    host: str
    device: str
    group: str | None = None
    erase_serial: str | None = None
    holds: str = PHYSICAL

    @property
    def address(self) -> str:
        """For example ``controller1:/dev/sdb physical volume``."""
        return f"{self.host}:{self.device} physical volume"

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The physical volume; None on an empty disk; what lives on another one, to be replaced with consent."""
        host = site.host(self.host)
        known = _physical_volume(site, host, self.device)
        if known is not None and known.group in ("", self.group or known.group):
            return Actual(known.uuid, {"erase_serial": self.erase_serial, "holds": PHYSICAL})
        device = _device(site, host, self.device)
        if not _lives(device, known):
            return None
        found = {"erase_serial": None, "holds": "; ".join(_lives(device, known))}
        return Actual(None, found, replace=f"what lives on disk {device.serial} is erased")

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a disk that is in use, and one on which something lives that nobody agreed to lose."""
        if actual is None or actual.replace:
            self._refuse(site, site.host(self.host))

    def create(self, site: Site, change: Change) -> Values:
        """Initialize the disk; pvcreate itself refuses too where it finds something."""
        host = site.host(self.host)
        device = block_device(host, self.device)
        if found := [*device.holds, *device.used, *filter(None, [opened_by_someone(host, device.path)])]:
            raise ChangedSince(f"{self.address}: the disk is not empty any more", found=found, hint="run again")
        host.run(["pvcreate", self.device], timeout=MINUTES)
        made = _physical_volume(site, host, self.device)
        return {"id": made.uuid if made else None}

    def delete(self, site: Site, change: Change) -> Values:
        """Take the physical volume away, or, to replace what lives on the disk, erase that."""
        host = site.host(self.host)
        if change.action == "replace":
            self._refuse(site, host)
            host.run(["wipefs", "--all", self.device], timeout=MINUTES)
            return {}
        known = _physical_volume(site, host, self.device)
        if known is None or known.group:
            found = f"in volume group {known.group}" if known else "no physical volume"
            raise ChangedSince(f"{self.address} can't be removed", found=found, hint="look who uses it: pvs")
        host.run(["pvremove", self.device], timeout=MINUTES)
        return {}

    def _refuse(self, site: Site, host: Host) -> None:
        device, known = _device(site, host, self.device), _physical_volume(site, host, self.device)
        if known is not None and known.group and known.members > 1:
            raise Refused(
                f"{self.address}: it belongs to volume group {known.group}, which has other disks",
                hint=f"take it out there first: vgreduce {known.group} {device.path}",
            )
        if using := [*device.used, *filter(None, [opened_by_someone(host, device.path)])]:
            raise Refused(f"{self.address}: the disk is in use", found=using, hint="choose another disk, or end that use first")
        if (lives := _lives(device, known)) and not (device.serial and self.erase_serial == device.serial):
            given = f", not {self.erase_serial!r}" if self.erase_serial else ""
            raise Refused(
                f"{self.address}: something lives on the disk",
                found=lives,
                hint=f"choose another disk; or, to lose all that for good, erase_serial {device.serial!r}{given}"
                if device.serial
                else "choose another disk; this one has no serial by which you could name it",
            )


@dataclass(frozen=True, kw_only=True)
class VolumeGroup(Resource):
    """A volume group on exactly these disks, each of which is a `PhysicalVolume`.

    Disks are added and, once no logical volume lies on them, taken out; the group is removed only while it holds no
    logical volumes.
    """

    kind: ClassVar[str] = "volume-group"
    identity: ClassVar[tuple[str, ...]] = ("host", "name")

    host: str
    name: str
    devices: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.devices:
            raise BadInput(f"{self.address}: a volume group needs at least one disk", hint="such as /dev/sdb")

    @property
    def address(self) -> str:
        """For example ``controller1 volume group cinder-volumes``."""
        return f"{self.host} volume group {self.name}"

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The group's id and disks, each named as it is desired where it is."""
        host = site.host(self.host)
        members = _members(_physical_volumes(site, host), self.name)
        if len({member.group_uuid for member in members}) > 1:
            raise Refused(f"{self.address}: {self.host} has several groups of that name", hint="vgrename one of them by its UUID")
        names = {_real(site, host, device): device for device in self.devices}
        found = [names.get(member.path, member.path) for member in members]
        return Actual(members[0].group_uuid, {"devices": sorted(found)}) if members else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse disks that nothing makes physical volumes, those of another group, and to drop a disk with data."""
        host = site.host(self.host)
        known = {volume.path: volume for volume in _physical_volumes(site, host)}
        made = {other.device for other in others if isinstance(other, PhysicalVolume) and other.host == self.host}
        for device in set(self.devices) - made:
            volume = known.get(_real(site, host, device))
            if volume is None or volume.group not in ("", self.name):
                found = f"it belongs to volume group {volume.group}" if volume else "it is no physical volume"
                raise Refused(f"{self.address}: {device} can't be used: {found}", hint="list PhysicalVolume(…) for it before")
        if actual is not None:
            self._refuse_full(known.values(), [_real(site, host, device) for device in self.devices])

    def check_undo(self, site: Site, change: Change) -> None:
        """Refuse to remove a group that holds volumes, and to take out a disk on which volumes lie."""
        host = site.host(self.host)
        known = _physical_volumes(site, host)
        if change.action == "delete":
            self._refuse_volumes(known)
        elif change.action == "update":
            self._refuse_full(known, [_real(site, host, device) for device in change.after["devices"]])

    def create(self, site: Site, change: Change) -> Values:
        """Make the group."""
        host = site.host(self.host)
        host.run(["vgcreate", self.name, *self.devices], timeout=MINUTES)
        return {"id": _members(physical_volumes(host), self.name)[0].group_uuid}

    def update(self, site: Site, change: Change) -> Values:
        """Add disks, then take others out; refused as a whole while one of those holds data."""
        host = site.host(self.host)
        known = physical_volumes(host)
        have = [member.path for member in _members(known, self.name)]
        want = [real_path(host, device) for device in change.after["devices"]]
        self._refuse_full(known, want)
        if coming := [device for device in want if device not in have]:
            host.run(["vgextend", self.name, *coming], timeout=MINUTES)
        if going := [device for device in have if device not in want]:
            host.run(["vgreduce", self.name, *going], timeout=MINUTES)
        return {"id": change.id}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the group; refused while it holds logical volumes."""
        host = site.host(self.host)
        self._refuse_volumes(physical_volumes(host))
        host.run(["vgremove", self.name], timeout=MINUTES)
        return {}

    def _refuse_volumes(self, known: Iterable[PhysicalVolumeFacts]) -> None:
        for member in _members(known, self.name):
            if member.volumes:
                raise Refused(
                    f"{self.address} holds {member.volumes} logical volume(s): it is not removed",
                    hint="move or delete the volumes in cinder first",
                )

    def _refuse_full(self, known: Iterable[PhysicalVolumeFacts], want: Sequence[str]) -> None:
        for member in _members(known, self.name):
            if member.used and member.path not in want:
                raise Refused(
                    f"{self.address}: volumes lie on {member.path}, {member.used / 2**30:.1f} GiB, which would be taken out",
                    hint=f"keep {member.path} in the list and apply; then pvmove {member.path} on {self.host} (volumes stay in "
                    "use meanwhile; after an interruption, pvmove goes on); then take it out of the list",
                )


def _members(known: Iterable[PhysicalVolumeFacts], group: str) -> list[PhysicalVolumeFacts]:
    return [volume for volume in known if volume.group == group]


def _lives(device: BlockDevice, known: PhysicalVolumeFacts | None) -> list[str]:
    """What would be lost."""
    group = [f"volume group {known.group} with {known.volumes} logical volume(s)"] if known and known.group else []
    return [*device.holds, *group]


def _physical_volumes(site: Site, host: Host) -> list[PhysicalVolumeFacts]:
    found: list[PhysicalVolumeFacts] = once(site, ("physical volumes", host.name), lambda: physical_volumes(host))
    return found


def _physical_volume(site: Site, host: Host, path: str) -> PhysicalVolumeFacts | None:
    real = _real(site, host, path)
    return next((volume for volume in _physical_volumes(site, host) if volume.path == real), None)


def _device(site: Site, host: Host, path: str) -> BlockDevice:
    found: BlockDevice = once(site, ("block device", host.name, path), lambda: block_device(host, path))
    return found


def _real(site: Site, host: Host, path: str) -> str:
    found: str = once(site, ("real path", host.name, path), lambda: real_path(host, path))
    return found
