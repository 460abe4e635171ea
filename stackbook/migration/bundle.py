"""A bundle: a machine and its disks as files, looked at without extracting, probing or converting anything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stackbook.errors import BadInput, BundleRefused
from stackbook.migration import manifest, ovf, vmx
from stackbook.migration.acceptance import put_right
from stackbook.migration.folder import Files, Folder, read_tar
from stackbook.migration.hardware import Machine, Slot
from stackbook.migration.manifest import Checksum
from stackbook.migration.markup import MOST as MOST_XML
from stackbook.migration.qcow2 import Qcow2
from stackbook.migration.vhdx import Vhdx
from stackbook.migration.vmdk import descriptor_of, open_vmdk, parts_of
from stackbook.migration.vmdk_sparse import Sparse
from stackbook.migration.window import Content, Part, Plain, small, whole

DISKS = (".vmdk", ".qcow2", ".raw", ".img", ".vhdx")
STARTS = {
    b"# Disk Descriptor": "a VMDK descriptor", b"KDMV": "a VMDK", b"COWD": "a VMDK", b"QFI\xfb": "a qcow2 file",
    b"vhdxfile": "a VHDX file", b"conectix": "a VHD file", b"QED\0": "a QED file", b"<<< ": "a VDI file",
    b"\x1f\x8b": "gzip data", b"\xfd7zXZ": "xz data", b"PK\x03\x04": "a zip file", b"LUKS\xba\xbe": "an encrypted disk",
}  # fmt: skip
"""How files begin that are no raw disks."""
EDGE = 1 << 16


@dataclass(frozen=True)
class BundleDisk:
    """One disk of a bundle, cleared by our own readers."""

    name: str
    """The file that names it."""
    format: str
    """``streamOptimized``, ``monolithicSparse``, ``monolithicFlat``, …, ``qcow2``, ``raw`` or ``vhdx``."""
    size: int
    """Bytes as the guest sees it."""
    allocated: int
    """Bytes that may hold something else than zeros."""
    parts: tuple[Part, ...] = field(repr=False)
    """Its files."""
    bus: str = "scsi"
    controller: str = ""
    source: str = ""
    """Name and fingerprint: equal as long as the files are the same."""
    seen: tuple[int, ...] = field(default=(), repr=False)
    """Inodes and times of last change of its files: equal as long as nobody wrote to them."""
    head: bytes = field(default=b"", repr=False, compare=False)
    """What is sent in place of its first bytes, so that the services take it; empty: nothing."""
    objection: str = ""
    """Why the services would not take it as it is; it goes as a qcow2 stream then."""
    files: Files | None = field(default=None, repr=False, compare=False)
    checksums: Mapping[str, Checksum] = field(default_factory=dict, repr=False, compare=False)

    @property
    def stored(self) -> int:
        """Bytes of its files."""
        return sum(part.size for part in self.parts)

    @property
    def gib(self) -> int:
        """The least volume that it fits into."""
        return -(-self.size // (1 << 30))

    def open(self) -> Content:
        """Its content as the guest saw it; the caller closes it."""
        return open_disk(self.parts[0], self.format, self.files or Folder(os.path.dirname(self.parts[0].path) or "."))


@dataclass(frozen=True)
class Bundle:
    """A machine and its disks."""

    path: str
    kind: str
    """``ova``, ``ovf``, ``vmx`` or ``disk``."""
    machine: Machine
    disks: tuple[BundleDisk, ...]
    manifest: Mapping[str, Checksum] = field(default_factory=dict, repr=False)
    signed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The machine's name; the file's where it has none."""
        return self.machine.name or os.path.basename(self.path).rpartition(".")[0]

    def rows(self) -> list[dict[str, Any]]:
        """What the machine is made of, a row each."""
        return list(_rows(self))

    def disk(self, name: str) -> BundleDisk:
        """The disk of that name; BadInput when there is none."""
        found = next((disk for disk in self.disks if disk.name == name), None)
        if found is None:
            known = ", ".join(disk.name for disk in self.disks)
            raise BadInput(f"{self.path}: it has no disk {name!r} (disks: {known})")
        return found

    def __repr__(self) -> str:
        lines = [f"{row['what']:12} {row['is']}" for row in self.rows()]
        return "\n".join([f"{self.name} ({self.kind}, {self.path})", *lines])

    def _repr_html_(self) -> str:
        from stackbook.render.frame import frame

        return str(frame(self.rows())._repr_html_())


def inspect(path: str, *, verify: bool = False) -> Bundle:
    """Look at the OVA, OVF, VMX or disk file at `path`; with `verify`, check every file against the manifest, too.

    Reads headers and tables only, and writes nothing. Raises BundleRefused for what is broken, hostile or can't be moved.
    """
    path = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(path):
        raise BadInput(f"{path} is a folder", hint="name the .ova, .ovf, .vmx or disk file in it; migrate-wave takes a folder")
    if not os.path.lexists(path):
        raise BadInput(f"{path}: there is no such file", hint="give the path as seen from the folder you run in")
    found = _READERS.get(os.path.splitext(path)[1].lower(), _disk_file)(path)
    if verify:
        for name, expected in found.manifest.items():
            manifest.check(_files(found).part(name), expected)
    return found


def open_disk(part: Part, format: str, files: Files) -> Content:
    """The content of a disk of a format that was told by `inspect`."""
    if format == "qcow2":
        return Qcow2(part.open(), part.name)
    if format == "vhdx":
        return Vhdx(part.open(), part.name)
    if format == "raw":
        return _raw(part)
    return open_vmdk(part, descriptor_of(part), files)


def _files(bundle: Bundle) -> Files:
    return bundle.disks[0].files or Folder(os.path.dirname(bundle.path))


def _ova(path: str) -> Bundle:
    part = whole(path)
    head = small(Part(path, part.name, 0, min(part.size, 8)), 8, "")
    if head.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"PK")):
        raise BundleRefused(f"{path}: it is compressed as a whole", hint="decompress it first: an OVA is a plain tar")
    tar = read_tar(path)
    described = [name for name in tar.names() if name.lower().endswith(".ovf")]
    if len(described) != 1:
        raise BundleRefused(f"{path}: it holds {len(described)} OVF files, expected one", found=", ".join(tar.names()[:8]))
    return _described(path, "ova", tar, tar.part(described[0]))


def _ovf(path: str) -> Bundle:
    return _described(path, "ovf", Folder(os.path.dirname(path)), whole(path))


def _described(path: str, kind: str, files: Files, part: Part) -> Bundle:
    content = small(part, MOST_XML, "an OVF")
    stem = part.name.rpartition(".")[0]
    sums = _manifest(files, f"{stem}.mf")
    if part.name in sums:
        manifest.compare(part.name, hashlib.new(sums[part.name].algorithm, content).hexdigest(), sums[part.name])
    described = ovf.read_ovf(content, part.name)
    for listed in described.files:
        size = files.part(listed.name).size
        if listed.size is not None and listed.size != size:
            what = f"{listed.name}: it has {size} bytes, the OVF says {listed.size}"
            raise BundleRefused(what, hint="it was cut short or changed: copy or export it again")
    if sums and (missing := [slot.file for slot in described.machine.slots if slot.file not in sums]):
        raise BundleRefused(f"{path}: the manifest says nothing of {', '.join(missing)}", hint="export it again")
    disks = tuple(_slot_disk(slot, files, sums) for slot in described.machine.slots)
    _no_file_twice(path, disks)
    signed = f"{stem}.cert" in files.names()
    return Bundle(path, kind, described.machine, disks, sums, signed, described.machine.notes)


def _manifest(files: Files, name: str) -> dict[str, Checksum]:
    if name not in files.names():
        return {}
    return manifest.read_manifest(small(files.part(name), manifest.MOST, "a manifest"), name)


def _slot_disk(slot: Slot, files: Files, sums: Mapping[str, Checksum]) -> BundleDisk:
    found = _disk(files.part(slot.file), files, sums)
    if slot.capacity is not None and slot.capacity != found.size:
        what = f"{slot.file}: it is a disk of {found.size} bytes, its description says {slot.capacity}"
        raise BundleRefused(what, hint="it was changed: export it again")
    return replace(found, bus=slot.bus, controller=slot.controller)


def _vmx(path: str) -> Bundle:
    files = Folder(os.path.dirname(path))
    machine = vmx.read_vmx(small(whole(path), vmx.MOST, "a VMX"), os.path.basename(path))
    _no_snapshots(path, files)
    disks = tuple(_slot_disk(slot, files, {}) for slot in machine.slots)
    _no_file_twice(path, disks)
    return Bundle(path, "vmx", machine, disks)


def _no_snapshots(path: str, files: Files) -> None:
    name = os.path.splitext(os.path.basename(path))[0] + ".vmsd"
    if name not in files.names():
        return
    values = vmx.settings(small(files.part(name), vmx.MOST, "a list of snapshots"), name)
    if values.get("snapshot.numsnapshots", "0") not in ("", "0"):
        found = f"{values['snapshot.numsnapshots'][:20]} snapshots"
        raise BundleRefused(
            f"{path}: the machine has snapshots", found=found, hint="delete them (consolidate), then copy it again"
        )


def _no_file_twice(path: str, disks: Sequence[BundleDisk]) -> None:
    if not disks:
        raise BundleRefused(f"{path}: the machine has no disk", hint="there is nothing to move")
    names = [(part.path, part.offset) for disk in disks for part in disk.parts]
    if len(set(names)) != len(names):
        raise BundleRefused(f"{path}: two disks share a file", hint="it is damaged, or no sound bundle")


def _disk_file(path: str) -> Bundle:
    disk = _disk(whole(path), Folder(os.path.dirname(path)), {})
    name = os.path.splitext(os.path.basename(path))[0]
    return Bundle(path, "disk", Machine(name=name, slots=(Slot(disk.name, "scsi", (0, 0)),)), (disk,))


def _disk(part: Part, files: Files, sums: Mapping[str, Checksum]) -> BundleDisk:
    format, parts = _format(part, files)
    content = open_disk(part, format, files)
    try:
        size, allocated = content.size, sum(length for _, length in content.data())
        source, seen = fingerprint(part.name, parts)
        head, why = put_right(content.window, content.header) if isinstance(content, Sparse) else (b"", "")
    finally:
        content.close()
    found = BundleDisk(part.name, format, size, allocated, parts, source=source, seen=seen, head=head, objection=why)
    return replace(found, files=files, checksums={piece.name: sums[piece.name] for piece in parts if piece.name in sums})


def _format(part: Part, files: Files) -> tuple[str, tuple[Part, ...]]:
    if part.size == 0:
        raise BundleRefused(f"{part.name}: it is empty", hint="copy or export it again")
    with part.open() as window:
        head = window.read(0, min(part.size, 64))
    suffix = os.path.splitext(part.name)[1].lower()
    if head.startswith(b"QFI\xfb"):
        return "qcow2", (part,)
    if head.startswith(b"vhdxfile"):
        return "vhdx", (part,)
    if suffix == ".vmdk" or head.startswith((b"KDMV", b"COWD", b"# Disk Descriptor")):
        if suffix != ".vmdk":
            raise BundleRefused(
                f"{part.name}: it holds a VMDK, but is not called one", hint="name it .vmdk, if that is what it is"
            )
        descriptor = descriptor_of(part)
        return descriptor.type, parts_of(part, descriptor, files)
    if suffix not in (".raw", ".img"):
        raise BundleRefused(
            f"{part.name}: it is of no known kind", found=repr(head[:16]), hint=f"known: .ova .ovf .vmx {' '.join(DISKS)}"
        )
    return "raw", (part,)


def _raw(part: Part) -> Plain:
    window = part.open()
    head = window.read(0, min(window.size, 64))
    if (found := next((told for magic, told in STARTS.items() if head.startswith(magic)), None)) is not None:
        window.close()
        raise BundleRefused(f"{part.name}: it is called raw, but holds {found}", hint="name it for what it is, or decompress it")
    return Plain(window)


def fingerprint(name: str, parts: Sequence[Part]) -> tuple[str, tuple[int, ...]]:
    """What tells a disk's files from others (names, sizes, times, first and last bytes), and their inodes and times."""
    made, seen = hashlib.sha256(), list[int]()
    for part in parts:
        with part.open() as window:
            inode, size, modified, changed = window.identity()
            seen += [inode, changed]
            edges = window.read(0, min(EDGE, part.size)) + window.read(max(0, part.size - EDGE), min(EDGE, part.size))
        made.update(repr((part.name, part.offset, part.size, size, modified)).encode() + hashlib.sha256(edges).digest())
    return f"{name}@{made.hexdigest()[:16]}", tuple(seen)


def _rows(bundle: Bundle) -> Iterator[dict[str, Any]]:
    machine = bundle.machine
    if bundle.kind != "disk":
        yield _row("guest", machine.guest or "not told", machine.family)
        yield _row("vCPUs", machine.vcpus if machine.vcpus is not None else "not told")
        yield _row("memory", f"{machine.ram_mib} MiB" if machine.ram_mib else "not told")
        yield _row("firmware", machine.firmware, "Secure Boot" if machine.secure_boot else "")
    for number, disk in enumerate(bundle.disks):
        told = f"{disk.format}, {disk.stored} bytes in {len(disk.parts)} file(s), {disk.allocated} allocated"
        yield _row(f"disk {number}", f"{disk.name}: {disk.size / (1 << 30):g} GiB on {disk.bus} {disk.controller}".strip(), told)
    for nic in machine.nics:
        yield _row(f"nic {nic.number}", f"{nic.mac or 'no MAC'} on {nic.network or 'no network'}", nic.model)
    if bundle.kind in ("ova", "ovf"):
        algorithms = sorted({checksum.algorithm for checksum in bundle.manifest.values()})
        yield _row("manifest", ", ".join(algorithms) or "none", "signed" if bundle.signed else "unsigned: tells integrity only")
    for note in bundle.notes:
        yield _row("note", note)


def _row(what: str, found: Any, more: str = "") -> dict[str, Any]:
    return {"what": what, "is": found, "more": more}


_READERS = {".ova": _ova, ".ovf": _ovf, ".vmx": _vmx}
