"""A qcow2 file written front to back: all its tables come first, computed from the map of what holds data.

Nothing is written anywhere but into the stream, and the stream's length is known before its first byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackbook.migration.window import BLOCK, Content, Tell
from stackbook.migration.zeros import clusters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BITS = 16
CLUSTER = 1 << BITS
PER_TABLE = CLUSTER // 8
"""Entries of a table of clusters."""
PER_REFCOUNT = CLUSTER // 2
"""Clusters whose 16-bit reference counts fit into one block."""
COPIED = 1 << 63
VERSION, REFCOUNT_ORDER, HEADER_LENGTH = 3, 4, 104


class Qcow2Stream:
    """The blocks of a qcow2 file that holds `content`."""

    def __init__(self, content: Content, *, detect: bool = True, tell: Tell | None = None) -> None:
        import numpy as np

        self.content = content
        self.map = clusters(content, CLUSTER, detect=detect, tell=tell)
        self.data = int(np.count_nonzero(self.map))
        tables = -(-len(self.map) // PER_TABLE)
        self.per_table = np.add.reduceat(self.map.astype(np.int64), np.arange(0, len(self.map), PER_TABLE))
        self.used = np.flatnonzero(self.per_table)
        self.directory = -(-tables * 8 // CLUSTER)
        self.tables = tables
        self.counts, self.counted = self._refcounts(1 + self.directory + len(self.used) + self.data)
        self.first_table = 1 + self.counted + self.counts + self.directory
        self.first_data = self.first_table + len(self.used)

    def __len__(self) -> int:
        return (self.first_data + self.data) * CLUSTER

    def __iter__(self) -> Iterator[bytes]:
        yield from self._head()
        yield from self._tables()
        yield from self._data()

    @staticmethod
    def _refcounts(others: int) -> tuple[int, int]:
        """Blocks of reference counts, and clusters of the table that lists them: they count themselves, too."""
        blocks = table = 1
        while True:
            needed = -(-(others + blocks + table) // PER_REFCOUNT)
            listed = -(-needed * 8 // CLUSTER)
            if (needed, listed) == (blocks, table):
                return blocks, table
            blocks, table = max(needed, blocks), max(listed, table)

    def _head(self) -> Iterator[bytes]:
        import numpy as np

        l1 = (1 + self.counted + self.counts) * CLUSTER
        fields = (b"QFI\xfb", VERSION, 0, 0, BITS, self.content.size, 0, self.tables, l1, CLUSTER, self.counted, 0, 0)
        more = struct.pack(">QQQII", 0, 0, 0, REFCOUNT_ORDER, HEADER_LENGTH)
        yield _padded(struct.pack(">4sIQIIQIIQQIIQ", *fields) + more)
        places = (np.arange(self.counts, dtype=np.uint64) + np.uint64(1 + self.counted)) * np.uint64(CLUSTER)
        yield _padded(places.astype(">u8").tobytes())
        total = self.first_data + self.data
        for block in range(self.counts):
            yield np.full(min(PER_REFCOUNT, total - block * PER_REFCOUNT), 1, ">u2").tobytes().ljust(CLUSTER, b"\0")
        directory = np.zeros(self.tables, np.uint64)
        directory[self.used] = self._places(self.first_table, len(self.used))
        yield _padded(directory.astype(">u8").tobytes())

    def _tables(self) -> Iterator[bytes]:
        import numpy as np

        at = self.first_data
        for number in self.used.tolist():
            there = self.map[number * PER_TABLE : (number + 1) * PER_TABLE]
            table = np.zeros(PER_TABLE, np.uint64)
            count = int(self.per_table[number])
            table[: len(there)][there] = self._places(at, count)
            at += count
            yield table.astype(">u8").tobytes()

    def _data(self) -> Iterator[bytes]:
        import numpy as np

        numbers = np.flatnonzero(self.map)
        breaks = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
        for first, last in zip([0, *breaks], [*breaks, len(numbers)], strict=True):
            if first == last:
                continue
            at, end = int(numbers[first]) * CLUSTER, (int(numbers[last - 1]) + 1) * CLUSTER
            while at < end:
                count = min(BLOCK, end - at)
                there = min(count, self.content.size - at)
                yield self.content.read(at, there).ljust(count, b"\0")
                at += count

    @staticmethod
    def _places(first: int, count: int) -> NDArray[np.uint64]:
        import numpy as np

        return (np.arange(count, dtype=np.uint64) + np.uint64(first)) * np.uint64(CLUSTER) | np.uint64(COPIED)


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // CLUSTER) * CLUSTER, b"\0")
