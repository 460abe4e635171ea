"""Sparse VMDK files: header, grain directory, grain tables, and the grains, plain or deflated."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackbook.errors import BundleRefused
from stackbook.migration.vmdk_text import MOST_SECTORS, SECTOR
from stackbook.migration.window import Run, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"KDMV"
HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
COMPRESSED, MARKERS, ZERO_GRAINS = 1 << 16, 1 << 17, 1 << 2
KNOWN = 0b111 | COMPRESSED | MARKERS
AT_END = (1 << 64) - 1
ENTRIES = 512
"""Entries of a grain table: the only number that exists."""
FOOTER = 3
CUT_SHORT = "it was cut short: copy or export it again"


@dataclass(frozen=True)
class Header:
    """The header of a sparse extent; numbers in sectors."""

    version: int
    flags: int
    capacity: int
    grain: int
    descriptor: int
    descriptor_size: int
    directory: int
    unclean: bool
    compressed: bool

    @property
    def tables(self) -> int:
        """How many grain tables the disk has room for."""
        return -(-self.capacity // (self.grain * ENTRIES))


def read_header(window: Window, place: str) -> Header:
    """The header, or the footer where that holds the directory's place; refused where it makes no sense."""
    if window.size < SECTOR:
        raise BundleRefused(f"{place}: {window.size} bytes are no disk", hint=CUT_SHORT)
    header = _header(window.read(0, SECTOR), place)
    if header.directory == AT_END:
        header = _footer(window, place, header)
    _sound(header, window, place)
    return header


def _header(raw: bytes, place: str) -> Header:
    magic, version, flags, capacity, grain, text, text_size, entries, _, directory, _, unclean, ends, compression = HEADER.unpack(
        raw[: HEADER.size]
    )
    if magic != MAGIC:
        raise BundleRefused(f"{place}: it is no sparse VMDK", found=repr(magic))
    if ends != b"\n \r\n":
        raise BundleRefused(f"{place}: its line ends were changed", hint="it was copied as text: copy it again, as binary")
    if version not in (1, 2, 3) or flags & ~KNOWN or entries != ENTRIES:
        raise BundleRefused(
            f"{place}: its header is not understood", found=f"version {version}, flags {flags:#x}, {entries} entries"
        )
    if compression not in (0, 1) or bool(compression) != bool(flags & COMPRESSED):
        raise BundleRefused(f"{place}: its compression is not known", found=f"algorithm {compression}, flags {flags:#x}")
    return Header(version, flags, capacity, grain, text, text_size, directory, bool(unclean), bool(compression))


def _footer(window: Window, place: str, first: Header) -> Header:
    if window.size < 4 * SECTOR:
        raise BundleRefused(f"{place}: it has no footer", hint=CUT_SHORT)
    tail = window.read(window.size - 3 * SECTOR, 3 * SECTOR)
    size, kind = struct.unpack_from("<II", tail, 8)
    if kind != FOOTER or size or any(tail[2 * SECTOR :]):
        raise BundleRefused(f"{place}: it does not end with a footer and an end mark", hint=CUT_SHORT)
    footer = _header(tail[SECTOR : 2 * SECTOR], place)
    if (footer.capacity, footer.grain, footer.flags) != (first.capacity, first.grain, first.flags):
        raise BundleRefused(f"{place}: header and footer contradict each other", hint="copy or export it again")
    return footer


def _sound(header: Header, window: Window, place: str) -> None:
    if not 0 < header.capacity <= MOST_SECTORS:
        raise BundleRefused(f"{place}: a disk of {header.capacity} sectors can't be moved", hint=f"1 to {MOST_SECTORS} sectors")
    if header.grain & (header.grain - 1) or not 8 <= header.grain <= 2048:
        raise BundleRefused(f"{place}: grains of {header.grain} sectors do not exist", hint="8 to 2048, a power of two")
    if header.unclean:
        raise BundleRefused(
            f"{place}: it was not closed cleanly", hint="start and stop the machine once, then copy or export it again"
        )
    if (header.directory + -(-header.tables * 4 // SECTOR)) * SECTOR > window.size:
        raise BundleRefused(f"{place}: its grain directory lies beyond its end", hint=CUT_SHORT)


class Sparse:
    """The content of a sparse VMDK file; every place it refers to lies within the file, and no grain is used twice."""

    def __init__(self, window: Window, place: str, header: Header | None = None) -> None:
        self.window, self.place = window, place
        self.header = header or read_header(window, place)
        self.size = self.header.capacity * SECTOR
        self.grain = self.header.grain * SECTOR
        self.numbers, self.places = self._grains()
        self._inside()
        self._last: tuple[int, bytes] = (-1, b"")

    @property
    def allocated(self) -> int:
        """Bytes of the grains that are there."""
        return len(self.numbers) * self.grain

    def data(self) -> Iterator[Run]:
        """The grains that are there, neighbours joined."""
        import numpy as np

        if not len(self.numbers):
            return
        breaks = np.flatnonzero(np.diff(self.numbers) != 1) + 1
        for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(self.numbers)], strict=True):
            start = int(self.numbers[first]) * self.grain
            yield start, min(int(self.numbers[last - 1] + 1) * self.grain, self.size) - start

    def read(self, start: int, length: int) -> bytes:
        """The guest's bytes; zeros where no grain is."""
        parts = []
        while length > 0:
            number, skip = divmod(start, self.grain)
            count = min(length, self.grain - skip)
            parts.append(self._grain(number)[skip : skip + count])
            start, length = start + count, length - count
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        self.window.close()

    def _last_whole(self, sector: int) -> None:
        """Refuse a stream that ends within the grain that lies last."""
        size = struct.unpack("<I", self.window.read(sector * SECTOR + 8, 4))[0]
        if sector * SECTOR + 12 + size > self.window.size:
            raise BundleRefused(f"{self.place}: it ends within a grain", hint=CUT_SHORT)

    def _grain(self, number: int) -> bytes:
        import numpy as np

        last = self._last  # read once: several threads compare
        if last[0] != number:
            at = int(np.searchsorted(self.numbers, number))
            there = at < len(self.numbers) and int(self.numbers[at]) == number
            last = self._last = (number, self._load(number, int(self.places[at])) if there else bytes(self.grain))
        return last[1]

    def _load(self, number: int, sector: int) -> bytes:
        if not self.header.compressed:
            return self.window.read(sector * SECTOR, min(self.grain, self.window.size - sector * SECTOR)).ljust(self.grain, b"\0")
        lba, size = struct.unpack("<QI", self.window.read(sector * SECTOR, 12))
        if lba != number * self.header.grain or not 0 < size <= 2 * self.grain + 1024:
            raise self._damaged(number, f"its marker says sector {lba}, {size} bytes")
        return self._inflated(number, self.window.read(sector * SECTOR + 12, size))

    def _inflated(self, number: int, packed: bytes) -> bytes:
        wanted = min(self.grain, self.size - number * self.grain)
        try:
            unpacker = zlib.decompressobj()
            plain = unpacker.decompress(packed, self.grain + 1)
        except zlib.error as error:
            raise self._damaged(number, str(error)) from None
        if not wanted <= len(plain) <= self.grain or not unpacker.eof:
            raise self._damaged(number, f"it unpacks to {len(plain)} bytes, expected {wanted}")
        return plain.ljust(self.grain, b"\0")

    def _damaged(self, number: int, found: str) -> BundleRefused:
        return BundleRefused(f"{self.place}: grain {number} is damaged", found=found, hint="copy or export it again")

    def _grains(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        import numpy as np

        header = self.header
        directory = np.frombuffer(self.window.read(header.directory * SECTOR, header.tables * 4), "<u4")
        used = directory[directory > 0]
        if len(np.unique(used)) != len(used):
            raise BundleRefused(f"{self.place}: its grain directory names a table twice", hint="it is damaged, or no disk at all")
        numbers: list[Any] = [np.zeros(0, np.int64)]
        places: list[Any] = [np.zeros(0, np.int64)]
        for place in np.flatnonzero(directory).tolist():
            table = np.frombuffer(self.window.read(int(directory[place]) * SECTOR, ENTRIES * 4), "<u4")
            there = np.flatnonzero(table > 1 if header.flags & ZERO_GRAINS else table)
            numbers.append(there + place * ENTRIES)
            places.append(table[there].astype(np.int64))
        return np.concatenate(numbers).astype(np.int64), np.concatenate(places)

    def _inside(self) -> None:
        import numpy as np

        if not len(self.numbers):
            return
        if int(self.numbers[-1]) * self.grain >= self.size:
            raise BundleRefused(f"{self.place}: it has grains beyond its own end", hint="it is damaged, or no disk at all")
        if len(np.unique(self.places)) != len(self.places):
            raise BundleRefused(
                f"{self.place}: grains lie on top of each other", hint="it is damaged, or made to grow without end"
            )
        least = 12 // SECTOR + 1 if self.header.compressed else self.header.grain
        last = (self.size - int(self.numbers[-1]) * self.grain) // SECTOR  # the disk's last grain may be cut at the disk's end
        ends = self.places + least
        if not self.header.compressed:
            ends[-1] = self.places[-1] + min(least, last)
        if int(ends.max()) * SECTOR > self.window.size:
            raise BundleRefused(f"{self.place}: it refers to bytes beyond its end", hint=CUT_SHORT)
        if self.header.compressed:
            self._last_whole(int(self.places.max()))
        elif int(np.diff(np.sort(self.places)).min(initial=least)) < least:
            raise BundleRefused(f"{self.place}: grains overlap", hint="it is damaged, or no disk at all")


def embedded_descriptor(window: Window, header: Header, place: str, most: int) -> bytes:
    """The descriptor within a sparse file; empty where there is none (a part of a split disk)."""
    if not header.descriptor or not header.descriptor_size:
        return b""
    if header.descriptor_size * SECTOR > most:
        raise BundleRefused(f"{place}: its descriptor has {header.descriptor_size} sectors", hint="this is no sound disk")
    return window.read(header.descriptor * SECTOR, header.descriptor_size * SECTOR)
