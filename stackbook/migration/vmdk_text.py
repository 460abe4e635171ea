"""The descriptor of a VMDK: the text that names its extents (VMware Virtual Disk Format 1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackbook.errors import BundleRefused
from stackbook.migration.folder import plain_name

MOST = 1 << 20
MOST_EXTENTS = 4096
MAGIC = b"# Disk DescriptorFile"
NO_PARENT = "ffffffff"
SECTOR = 512
MOST_SECTORS = (16 << 40) // SECTOR
"""16 TiB: a quarter of what VMFS allows, more than cinder's backends take at once."""
EXTENT = re.compile(r'(RW|RDONLY|NOACCESS)\s+(\d{1,15})\s+([A-Z0-9]+)(?:\s+"([^"]*)")?(?:\s+(\d{1,15}))?(?:\s+.*)?')
FIELD = re.compile(r'([\w.]+)\s*=\s*"?(.*?)"?')
MONOLITHIC = ("streamOptimized", "monolithicSparse")
TYPES = {
    "streamOptimized": "SPARSE",
    "monolithicSparse": "SPARSE",
    "twoGbMaxExtentSparse": "SPARSE",
    "monolithicFlat": "FLAT",
    "twoGbMaxExtentFlat": "FLAT",
    "2GbMaxExtentFlat": "FLAT",
    "2GbMaxExtentSparse": "SPARSE",
    "vmfs": "VMFS",
    "vmfsThin": "VMFS",
    "vmfsPreallocated": "VMFS",
    "vmfsEagerZeroedThick": "VMFS",
}
"""Types of disk that can be moved, and the kind of their extents."""
WHY = {
    "vmfsSparse": ("it is a snapshot's delta", "delete the snapshots (consolidate), then copy or export the disk again"),
    "seSparse": ("it is a snapshot's delta", "delete the snapshots (consolidate), then copy or export the disk again"),
    "fullDevice": ("it stands for a whole device of its host", "export the machine: that makes a file of it"),
    "partitionedDevice": ("it stands for partitions of its host", "export the machine: that makes a file of it"),
    "vmfsRaw": ("it stands for a device of its host", "export the machine: that makes a file of it"),
    "vmfsRawDeviceMap": ("it stands for a LUN (RDM)", "export the machine: that makes a file of it"),
    "vmfsPassthroughRawDeviceMap": ("it stands for a LUN (RDM)", "export the machine: that makes a file of it"),
}


@dataclass(frozen=True)
class Extent:
    """A stretch of a disk."""

    sectors: int
    kind: str
    """``FLAT``, ``VMFS``, ``SPARSE`` or ``ZERO``."""
    name: str
    """Its file; empty for zeros."""
    offset: int
    """Sectors into the file (flat ones)."""


@dataclass(frozen=True)
class Descriptor:
    """What a descriptor says."""

    type: str
    extents: tuple[Extent, ...]
    adapter: str
    """``lsilogic``, ``buslogic``, ``ide``, …; empty where it says nothing."""

    @property
    def sectors(self) -> int:
        """Sectors of the whole disk."""
        return sum(extent.sectors for extent in self.extents)


def read_descriptor(content: bytes, place: str) -> Descriptor:
    """The extents that a descriptor names.

    Refused are disks on top of others, types that stand for devices, encryption, extents by anything but plain names,
    and what is not understood.
    """
    text = content.split(b"\0")[0]
    if not text.startswith(MAGIC):
        raise BundleRefused(f"{place}: it is no VMDK descriptor", found=repr(text[:40]))
    fields, extents = _lines(text.decode("utf-8", errors="surrogateescape"), place)
    kind = fields.get("createtype", "")
    _refuse_field(fields, place)
    if kind not in TYPES:
        what, hint = WHY.get(kind, (f"the type {kind[:60]!r} is not known", f"known: {', '.join(TYPES)}"))
        raise BundleRefused(f"{place}: {what}", found=f"createType {kind[:60]!r}", hint=hint)
    found = Descriptor(kind, tuple(_extent(match, kind, place) for match in extents), fields.get("ddb.adaptertype", ""))
    if not 0 < found.sectors <= MOST_SECTORS:
        raise BundleRefused(f"{place}: a disk of {found.sectors} sectors can't be moved", hint=f"1 to {MOST_SECTORS} sectors")
    if kind in MONOLITHIC and len(found.extents) != 1:
        raise BundleRefused(f"{place}: a {kind} disk has one extent", found=f"{len(found.extents)} extents")
    return found


def _lines(text: str, place: str) -> tuple[dict[str, str], list[re.Match[str]]]:
    fields: dict[str, str] = {}
    extents: list[re.Match[str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if (match := EXTENT.fullmatch(line)) is not None:
            extents.append(match)
            if len(extents) > MOST_EXTENTS:
                raise BundleRefused(f"{place}: more than {MOST_EXTENTS} extents", hint="this is no sound disk")
        elif (field := FIELD.fullmatch(line)) is not None and len(line) < 4096:
            _put(fields, field[1].lower(), field[2], f"{place}, line {number}")
        else:
            raise BundleRefused(f"{place}, line {number}: not understood", found=repr(line[:80]))
    return fields, extents


def _put(fields: dict[str, str], name: str, value: str, where: str) -> None:
    if name in fields and fields[name] != value:
        raise BundleRefused(f"{where}: {name} stands twice", found=f"{fields[name][:60]!r} and {value[:60]!r}")
    fields[name] = value


def _refuse_field(fields: dict[str, str], place: str) -> None:
    if fields.get("parentcid", NO_PARENT).lower() != NO_PARENT or "parentfilenamehint" in fields:
        found = f"parent {fields.get('parentfilenamehint', fields.get('parentcid', ''))[:80]!r}"
        hint = "delete the snapshots (consolidate), then copy or export the disk again"
        raise BundleRefused(f"{place}: it is a delta on top of another disk", found=found, hint=hint)
    if any(name.startswith(("encryption", "keysafe", "keypool", "dataencryption")) for name in fields):
        raise BundleRefused(f"{place}: the disk is encrypted", hint="decrypt it in VMware, then copy it again")


def _extent(match: re.Match[str], kind: str, place: str) -> Extent:
    access, sectors, found, name, offset = match.groups()
    if found == "ZERO":
        return Extent(int(sectors), found, "", 0)
    if access != "RW" and not (access == "RDONLY" and kind == "streamOptimized"):
        raise BundleRefused(f"{place}: an extent may not be read and written", found=match[0][:80], hint="copy it again")
    if found not in (TYPES[kind], "FLAT" if TYPES[kind] == "VMFS" else TYPES[kind]):
        what, hint = WHY.get(
            {"VMFSSPARSE": "vmfsSparse", "SESPARSE": "seSparse", "VMFSRDM": "vmfsRawDeviceMap"}.get(found, ""), ("", "")
        )
        raise BundleRefused(
            f"{place}: {what or f'an extent of a {kind} disk is of kind {TYPES[kind]}'}",
            found=found,
            hint=hint or "copy it again",
        )
    return Extent(int(sectors), found, plain_name(name or "", place), int(offset or 0))
