"""qcow2: header checks before anyone else opens the file, and its content (qemu's docs/interop/qcow2.txt)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackbook.errors import BundleRefused
from stackbook.migration.vmdk_text import MOST_SECTORS, SECTOR
from stackbook.migration.window import Run, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"QFI\xfb"
HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
DIRTY, CORRUPT, DATA_FILE, COMPRESSION, EXTENDED = (1 << bit for bit in range(5))
DATA_FILE_NAME, BACKING_FORMAT = 0x44415441, 0xE2792ACA
OFFSET = 0x00FFFFFFFFFFFE00
PACKED, ZERO = 1 << 62, 1
CUT_SHORT = "it was cut short: copy or export it again"


class Qcow2:
    """The content of a qcow2 file that stands on its own."""

    def __init__(self, window: Window, place: str) -> None:
        self.window, self.place = window, place
        self._header()
        self.tables = self._directory()
        self._last: tuple[int, NDArray[np.uint64] | None] = (-1, None)
        self._inside()

    def data(self) -> Iterator[Run]:
        """The clusters that are there, neighbours joined."""
        begun: tuple[int, int] | None = None
        for number in self._numbers():
            start = number * self.cluster
            if begun is not None and sum(begun) == start:
                begun = begun[0], begun[1] + self.cluster
                continue
            if begun is not None:
                yield begun
            begun = start, self.cluster
        if begun is not None:
            yield begun[0], min(begun[1], self.size - begun[0])

    def read(self, start: int, length: int) -> bytes:
        """The guest's bytes; zeros where no cluster is."""
        parts = []
        while length > 0:
            number, skip = divmod(start, self.cluster)
            count = min(length, self.cluster - skip)
            parts.append(self._cluster(number, skip, count))
            start, length = start + count, length - count
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        self.window.close()

    def _header(self) -> None:
        window = self.window
        if window.size < HEADER.size:
            raise self._refuse(f"{window.size} bytes are no disk", hint=CUT_SHORT)
        fields = HEADER.unpack(window.read(0, HEADER.size))
        magic, version, backing, _, bits, size, encrypted, entries, table, _, _, snapshots, _ = fields
        if magic != MAGIC or version not in (2, 3):
            raise self._refuse("it is no qcow2 file of version 2 or 3", found=f"{magic!r}, version {version}")
        if backing:
            raise self._refuse("it lies on top of a backing file", hint="flatten it: qemu-img convert -f qcow2 -O qcow2 FILE NEW")
        if encrypted:
            raise self._refuse("it is encrypted", hint="convert it to a plain one, with its secret, first")
        if snapshots:
            raise self._refuse(f"it holds {snapshots} snapshots", hint="delete them: qemu-img snapshot -l FILE, -d NAME FILE")
        if not 9 <= bits <= 21:
            raise self._refuse(f"clusters of 2^{bits} bytes do not exist")
        if not 0 < size <= MOST_SECTORS * SECTOR:
            raise self._refuse(f"a disk of {size} bytes can't be moved", hint="1 byte to 16 TiB")
        self.size, self.cluster, self.packed_bits = size, 1 << bits, 62 - (bits - 8)
        self.entries, self.table, self.zstd = entries, table, False
        if version == 3:
            self._features()

    def _features(self) -> None:
        if self.window.size < 104:
            raise self._refuse("its header is incomplete", hint=CUT_SHORT)
        features, _, _, _, length = struct.unpack(">QQQII", self.window.read(72, 32))
        for bit, why in (
            (CORRUPT, "is marked corrupt"),
            (DATA_FILE, "keeps its data in another file"),
            (DIRTY, "was not closed cleanly"),
        ):
            if features & bit:
                raise self._refuse(f"it {why}", hint="qemu-img check FILE; or convert it to one that stands on its own")
        if features & ~COMPRESSION:
            raise self._refuse(
                "it uses features that are not known here", found=f"{features:#x}", hint="convert it: qemu-img convert"
            )
        if not 104 <= length <= self.cluster:
            raise self._refuse(f"its header has {length} bytes")
        self.zstd = bool(features & COMPRESSION)
        self._extensions(length)

    def _extensions(self, at: int) -> None:
        while at + 8 <= min(self.cluster, self.window.size):
            kind, size = struct.unpack(">II", self.window.read(at, 8))
            if kind == 0:
                return
            if kind in (DATA_FILE_NAME, BACKING_FORMAT):
                raise self._refuse(
                    "its header names another file", hint="convert it: qemu-img convert -f qcow2 -O qcow2 FILE NEW"
                )
            at += 8 + -(-size // 8) * 8

    def _directory(self) -> NDArray[np.uint64]:
        import numpy as np

        needed = -(-self.size // (self.cluster * self.cluster // 8))
        if self.entries < needed or self.entries > needed + (1 << 22):
            raise self._refuse("its first table does not fit its size", found=f"{self.entries} entries, {needed} needed")
        return np.frombuffer(self.window.read(self.table, needed * 8), ">u8").astype(np.uint64) & np.uint64(OFFSET)

    def _inside(self) -> None:
        """Refuse a file that ends before what its tables refer to, or whose clusters lie on top of each other."""
        import numpy as np

        used = np.zeros(-(-self.window.size // self.cluster), np.bool_)
        self._take(used, self.tables[self.tables > 0])
        for number in np.flatnonzero(self.tables).tolist():
            entries = self._entries(number)
            plain = (entries & np.uint64(PACKED)) == 0
            offsets = entries[plain] & np.uint64(OFFSET)
            self._take(used, offsets[offsets > 0])
            packed = entries[~plain] & np.uint64((1 << self.packed_bits) - 1)
            if len(packed) and int(packed.max()) >= self.window.size:
                raise self._refuse("it refers to bytes beyond its end", hint=CUT_SHORT)

    def _take(self, used: NDArray[np.bool_], offsets: NDArray[np.uint64]) -> None:
        """Mark the clusters at `offsets` as used: each must lie within the file, in step, and be free."""
        import numpy as np

        if (offsets % np.uint64(self.cluster)).any():
            raise self._refuse("it refers to a place that is no multiple of the cluster", hint="it is damaged: qemu-img check")
        places = offsets // np.uint64(self.cluster)
        if len(places) and int(places.max()) >= len(used):
            raise self._refuse("it refers to bytes beyond its end", hint=CUT_SHORT)
        if used[places].any() or len(np.unique(places)) != len(places):
            raise self._refuse(
                "clusters lie on top of each other", hint="it is damaged, or made to grow without end: qemu-img check"
            )
        used[places] = True

    def _entries(self, number: int) -> NDArray[np.uint64]:
        import numpy as np

        last = self._last  # read once: several threads compare
        if last[0] != number or last[1] is None:
            raw = self.window.read(int(self.tables[number]), self.cluster)
            last = self._last = (number, np.frombuffer(raw, ">u8").astype(np.uint64))
        return last[1]  # type: ignore[return-value]

    def _numbers(self) -> Iterator[int]:
        import numpy as np

        most = -(-self.size // self.cluster)
        for place in np.flatnonzero(self.tables).tolist():
            entries = self._entries(place)
            there = ((entries & np.uint64(OFFSET | PACKED)) > 0) & ((entries & np.uint64(PACKED | ZERO)) != ZERO)
            yield from (found for found in (np.flatnonzero(there) + place * (self.cluster // 8)).tolist() if found < most)

    def _cluster(self, number: int, skip: int, count: int) -> bytes:
        place, index = divmod(number, self.cluster // 8)
        entry = int(self._entries(place)[index]) if int(self.tables[place]) else 0
        if entry & PACKED:
            return self._unpacked(entry, number)[skip : skip + count]
        if entry & ZERO or not entry & OFFSET:
            return bytes(count)
        start = (entry & OFFSET) + skip
        return self.window.read(start, min(count, self.window.size - start)).ljust(count, b"\0")

    def _unpacked(self, entry: int, number: int) -> bytes:
        if self.zstd:
            raise self._refuse(
                "its clusters are packed with zstd, which is not read here", hint="convert it: qemu-img convert -O qcow2"
            )
        start = entry & ((1 << self.packed_bits) - 1)
        sectors = (entry & (PACKED - 1)) >> self.packed_bits
        length = min((sectors + 1) * SECTOR - start % SECTOR, self.window.size - start)
        try:
            plain = zlib.decompressobj(-15).decompress(self.window.read(start, length), self.cluster)
        except zlib.error as error:
            raise self._refuse(f"cluster {number} is damaged", found=str(error), hint="copy or export it again") from None
        if len(plain) != self.cluster:
            raise self._refuse(f"cluster {number} is damaged", found=f"{len(plain)} bytes", hint="copy or export it again")
        return plain

    def _refuse(self, what: str, found: object = None, hint: str | None = None) -> BundleRefused:
        return BundleRefused(f"{self.place}: {what}", found=found, hint=hint)
