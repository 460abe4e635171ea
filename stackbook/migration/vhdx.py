"""VHDX: header checks before anyone else opens the file, and its content (MS-VHDX)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from stackbook.errors import BundleRefused
from stackbook.migration.vmdk_text import MOST_SECTORS, SECTOR
from stackbook.migration.window import Run, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"vhdxfile"
HEADERS, REGIONS = (64 << 10, 128 << 10), (192 << 10, 256 << 10)
BAT, METADATA = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08"), UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
PARAMETERS, SIZE = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b"), UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
SECTORS = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
HAS_PARENT = 2
PRESENT, PARTLY = 6, 7
MIB = 1 << 20


class Vhdx:
    """The content of a VHDX file that stands on its own and was closed cleanly."""

    def __init__(self, window: Window, place: str) -> None:
        self.window, self.place = window, place
        if window.size < MIB or window.read(0, 8) != MAGIC:
            raise self._refuse("it is no VHDX file", hint="it was cut short: copy it again")
        self._log_empty()
        regions = self._regions()
        self._metadata(regions[METADATA])
        self.blocks = self._table(*regions[BAT])

    def data(self) -> Iterator[Run]:
        """The blocks that are there."""
        import numpy as np

        for number in np.flatnonzero(self.blocks).tolist():
            start = number * self.block
            yield start, min(self.block, self.size - start)

    def read(self, start: int, length: int) -> bytes:
        """The guest's bytes; zeros where no block is."""
        parts = []
        while length > 0:
            number, skip = divmod(start, self.block)
            count = min(length, self.block - skip)
            at = int(self.blocks[number])
            parts.append(self.window.read(at + skip, count) if at else bytes(count))
            start, length = start + count, length - count
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        self.window.close()

    def _log_empty(self) -> None:
        found = []
        for at in HEADERS:
            raw = self.window.read(at, 80)
            if raw[:4] == b"head":
                found.append((struct.unpack_from("<Q", raw, 8)[0], raw[48:64]))
        if not found:
            raise self._refuse("it has no header", hint="it is damaged: copy it again")
        if any(max(found)[1]):
            raise self._refuse("it was not closed cleanly", hint="start and stop the machine once, then copy it again")

    def _regions(self) -> dict[UUID, Run]:
        raw = next((raw for at in REGIONS if (raw := self.window.read(at, 64 << 10))[:4] == b"regi"), None)
        count = struct.unpack_from("<I", raw, 8)[0] if raw else 0
        if raw is None or not 0 < count <= 2047:
            raise self._refuse("it has no table of regions", hint="it is damaged: copy it again")
        entries = (struct.unpack_from("<16sQI", raw, 16 + 32 * number) for number in range(count))
        found = {UUID(bytes_le=id): (offset, length) for id, offset, length in entries}
        if not {BAT, METADATA} <= set(found):
            raise self._refuse("it lacks a region", hint="it is damaged: copy it again")
        return found

    def _metadata(self, region: Run) -> None:
        raw = self.window.read(region[0], 64 << 10)
        count = struct.unpack_from("<H", raw, 10)[0]
        if raw[:8] != b"metadata" or count > 2047:
            raise self._refuse("its metadata can't be read", hint="it is damaged: copy it again")
        entries = (struct.unpack_from("<16sII", raw, 32 + 32 * number) for number in range(count))
        items = {UUID(bytes_le=id): region[0] + offset for id, offset, _ in entries}
        if not {PARAMETERS, SIZE, SECTORS} <= set(items):
            raise self._refuse("its metadata are incomplete", hint="it is damaged: copy it again")
        self.block, flags = struct.unpack("<II", self.window.read(items[PARAMETERS], 8))
        self.size = struct.unpack("<Q", self.window.read(items[SIZE], 8))[0]
        self.sector = struct.unpack("<I", self.window.read(items[SECTORS], 4))[0]
        self._sound(flags)

    def _sound(self, flags: int) -> None:
        if flags & HAS_PARENT:
            raise self._refuse("it lies on top of another disk", hint="merge it: Merge-VHD, or delete the checkpoints")
        if self.block & (self.block - 1) or not MIB <= self.block <= 256 * MIB or self.sector not in (512, 4096):
            raise self._refuse("its blocks are of no known size", found=f"{self.block} and {self.sector} bytes")
        if not 0 < self.size <= MOST_SECTORS * SECTOR or self.size % self.sector:
            raise self._refuse(f"a disk of {self.size} bytes can't be moved", hint="up to 16 TiB")

    def _table(self, offset: int, length: int) -> NDArray[np.int64]:
        import numpy as np

        blocks = -(-self.size // self.block)
        ratio = (1 << 23) * self.sector // self.block
        entries = blocks + (blocks - 1) // ratio
        if entries * 8 > length:
            raise self._refuse("its block table is too short", hint="it is damaged: copy it again")
        raw = np.frombuffer(self.window.read(offset, entries * 8), "<u8")
        payload = raw[(np.arange(entries) % (ratio + 1)) != ratio]
        state = (payload & np.uint64(7)).astype(np.int64)
        places: NDArray[np.int64] = (payload >> np.uint64(20)).astype(np.int64) * MIB
        if (state == PARTLY).any():
            raise self._refuse("it lies on top of another disk", hint="merge it: Merge-VHD")
        places[state != PRESENT] = 0
        used = places[places > 0]
        if len(np.unique(used)) != len(used):
            raise self._refuse("blocks lie on top of each other", hint="it is damaged, or no disk at all")
        last = self.size - (blocks - 1) * self.block
        ends = used + (last if places[-1] and len(used) == 1 else 1)
        if len(used) and (int(ends.max()) > self.window.size or places[-1] + last * bool(places[-1]) > self.window.size):
            raise self._refuse("it refers to bytes beyond its end", hint="it was cut short: copy it again")
        if len(used) > 1 and int(np.diff(np.sort(used)).min()) < self.block:
            raise self._refuse("blocks overlap", hint="it is damaged, or no disk at all")
        full = places[:-1][places[:-1] > 0]
        if len(full) and int(full.max()) + self.block > self.window.size:
            raise self._refuse("it refers to bytes beyond its end", hint="it was cut short: copy it again")
        return places

    def _refuse(self, what: str, found: object = None, hint: str | None = None) -> BundleRefused:
        return BundleRefused(f"{self.place}: {what}", found=found, hint=hint)
