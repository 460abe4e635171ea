"""VMDK: one file or several, read as the disk that the guest saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise

from stackbook.errors import BundleRefused
from stackbook.migration.folder import Files
from stackbook.migration.vmdk_sparse import MAGIC as SPARSE
from stackbook.migration.vmdk_sparse import Sparse, embedded_descriptor, read_header
from stackbook.migration.vmdk_text import MAGIC, MONOLITHIC, MOST, SECTOR, Descriptor, Extent, read_descriptor
from stackbook.migration.window import Content, Part, Plain, Run, Window, small

COWD = b"COWD"


def descriptor_of(part: Part) -> Descriptor:
    """The descriptor of a VMDK, whether it is a text of its own or lies within the file."""
    with part.open() as window:
        head = window.read(0, min(part.size, len(MAGIC)))
        if head.startswith(SPARSE):
            return _embedded(window, part)
    if head.startswith(MAGIC):
        found = read_descriptor(small(part, MOST, "a descriptor"), part.name)
        if found.type in MONOLITHIC and part.size < 64 * 1024 and found.extents[0].name == part.name:
            raise BundleRefused(f"{part.name}: it says it is {found.type}, but holds only a descriptor", hint="copy it again")
        return found
    if head.startswith(COWD):
        hint = "delete the snapshots (consolidate), then copy or export the disk again"
        raise BundleRefused(f"{part.name}: it is a snapshot's delta (COWD)", hint=hint)
    hint = "name the descriptor, the small .vmdk beside it" if "-flat" in part.name or "-f0" in part.name else "copy it again"
    raise BundleRefused(f"{part.name}: it is no VMDK", found=repr(head[:16]), hint=hint)


def _embedded(window: Window, part: Part) -> Descriptor:
    header = read_header(window, part.name)
    text = embedded_descriptor(window, header, part.name, MOST)
    if not text.strip(b"\0"):
        raise BundleRefused(f"{part.name}: it is a part of a split disk", hint="name the descriptor, the small .vmdk beside it")
    found = read_descriptor(text, part.name)
    if found.type not in MONOLITHIC or (found.type == "streamOptimized") != header.compressed:
        raise BundleRefused(f"{part.name}: descriptor and header contradict each other", found=f"createType {found.type}")
    if found.sectors != header.capacity:
        what = f"{part.name}: descriptor and header differ in the disk's size"
        raise BundleRefused(what, found=f"{found.sectors} and {header.capacity} sectors", hint="it is damaged: export it again")
    return found


def parts_of(part: Part, descriptor: Descriptor, files: Files) -> tuple[Part, ...]:
    """The files that hold the disk, the descriptor's own first."""
    if descriptor.type in MONOLITHIC:
        return (part,)
    names = dict.fromkeys(extent.name for extent in descriptor.extents if extent.name)
    if part.name in names:
        raise BundleRefused(f"{part.name}: it refers to itself", hint="it is damaged, or no disk at all")
    return (part, *(files.part(name) for name in names))


class Joined:
    """The content of a disk made of several stretches."""

    def __init__(self, stretches: Sequence[tuple[int, Content | None, int]], closing: ExitStack) -> None:
        self.closing = closing
        self.stretches: list[tuple[int, int, Content | None, int]] = []
        at = 0
        for length, content, offset in stretches:
            self.stretches.append((at, length, content, offset))
            at += length
        self.size = at

    def data(self) -> Iterator[Run]:
        """The runs of each stretch that holds something."""
        for at, length, content, offset in self.stretches:
            for start, count in content.data() if content is not None else ():
                first, last = max(start - offset, 0), min(start + count - offset, length)
                if first < last:
                    yield at + first, last - first

    def read(self, start: int, length: int) -> bytes:
        """The guest's bytes across stretches."""
        found = []
        for at, size, content, offset in self.stretches:
            first, last = max(start, at), min(start + length, at + size)
            if first < last:
                found.append(content.read(offset + first - at, last - first) if content is not None else bytes(last - first))
        return b"".join(found)

    def close(self) -> None:
        """Close all files."""
        self.closing.close()


def open_vmdk(part: Part, descriptor: Descriptor, files: Files) -> Content:
    """The disk's content; refused where an extent is shorter than the descriptor says."""
    if descriptor.type in MONOLITHIC:
        return Sparse(part.open(), part.name)
    opened: dict[str, Content] = {}
    with ExitStack() as closing:
        stretches = []
        for extent in descriptor.extents:
            if extent.name and extent.name not in opened:
                opened[extent.name] = _extent(files.part(extent.name), extent)
                closing.callback(opened[extent.name].close)
            content = opened.get(extent.name)
            _long_enough(extent, content)
            stretches.append((extent.sectors * SECTOR, content, extent.offset * SECTOR))
        _apart(descriptor, part.name)
        return Joined(stretches, closing.pop_all())
    raise AssertionError


def _extent(part: Part, extent: Extent) -> Content:
    window = part.open()
    if extent.kind != "SPARSE":
        head = window.read(0, min(window.size, len(MAGIC)))
        if head.startswith((MAGIC, SPARSE, COWD)):
            window.close()
            raise BundleRefused(f"{part.name}: a flat extent holds a VMDK itself", hint="it is damaged, or made to mislead")
        return Plain(window)
    found = Sparse(window, part.name)
    if found.header.compressed:
        raise BundleRefused(f"{part.name}: a part of a split disk is compressed", hint="export it again")
    return found


def _long_enough(extent: Extent, content: Content | None) -> None:
    least = (extent.offset + extent.sectors) * SECTOR
    size = content.window.size if isinstance(content, Plain) else content.size if content is not None else least
    if size < least:
        what = f"{extent.name}: it has {size} bytes, but its descriptor says at least {least}"
        raise BundleRefused(what, hint="it was cut short: copy or export it again")


def _apart(descriptor: Descriptor, place: str) -> None:
    taken: dict[str, list[tuple[int, int]]] = {}
    for extent in descriptor.extents:
        if extent.name:
            taken.setdefault(extent.name, []).append((extent.offset, extent.offset + extent.sectors))
    for name, ranges in taken.items():
        ranges.sort()
        if any(earlier[1] > later[0] for earlier, later in pairwise(ranges)):
            raise BundleRefused(f"{place}: extents overlap in {name}", hint="it is damaged, or made to grow without end")
