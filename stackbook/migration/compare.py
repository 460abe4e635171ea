"""Two disks byte by byte, reading only what may hold data; and one made equal to the other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stackbook.migration.window import BLOCK, Content, Run, Tell, Volume
from stackbook.migration.zeros import is_zero

THREADS, AT_ONCE = min(4, os.cpu_count() or 1), 32
"""Unpacking is what costs, and does it beside itself."""
T = TypeVar("T")


class Sums:
    """Checksums of a disk's blocks, made before there is something to compare with: while that is still being written.

    A block that is not among them holds zeros.
    """

    def __init__(self, content: Content, tell: Tell | None = None) -> None:
        self.content = content
        runs = _whole_blocks(content.data())
        made = _each(runs, lambda at, count: _sum(_read(content, at, count)), tell)
        self.blocks = {at: sum for at, _, sum in made if sum}

    def differ(self, other: Content, tell: Tell | None = None) -> str:
        """Where the disk and `other` differ first; empty when every byte is equal. The longer one must end in zeros."""
        runs = union([(at, BLOCK) for at in self.blocks], list(_whole_blocks(other.data())))
        for at, count, found in _each(runs, lambda at, count: _sum(_read(other, at, count)), tell):
            if found != self.blocks.get(at, b""):
                return f"byte {at + _first(_read(self.content, at, count), _read(other, at, count))} differs"
        return ""


def different(one: Content, two: Content, tell: Tell | None = None) -> str:
    """Where two disks differ first; empty when every byte is equal. The longer one must end in zeros."""
    runs = union(list(one.data()), list(two.data()))
    found = _each(runs, lambda at, count: _first(_read(one, at, count), _read(two, at, count)), tell)
    place = next((at + first for at, _, first in found if first >= 0), -1)
    return f"byte {place} differs" if place >= 0 else ""


def copy(content: Content, volume: Volume, tell: Tell | None = None) -> int:
    """Make `volume` hold the content and zeros after it, writing only blocks that differ; returns how many bytes that were."""
    runs = union(list(content.data()), list(volume.data()))
    return sum(count for _, _, count in _each(runs, lambda at, count: _put(content, volume, at, count), tell))


def union(one: list[Run], two: list[Run]) -> Iterator[Run]:
    """The runs of either, joined where they touch."""
    begun: Run | None = None
    for start, length in sorted([*one, *two]):
        if begun is not None and start <= sum(begun):
            begun = begun[0], max(sum(begun), start + length) - begun[0]
            continue
        if begun is not None:
            yield begun
        begun = start, length
    if begun is not None:
        yield begun


def _each(runs: Iterable[Run], act: Callable[[int, int], T], tell: Tell | None) -> Iterator[tuple[int, int, T]]:
    """Start, length and what `act` makes of it, for each block of the runs, in order."""
    runs = list(runs)
    total, done = sum(length for _, length in runs), 0
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in _batches(runs):
            for (at, count), made in zip(batch, pool.map(lambda block: act(*block), batch), strict=True):
                yield at, count, made
                done += count
                if tell is not None:
                    tell(done, total)


def _batches(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """The runs in blocks that do not cross a multiple of the block's size, some at a time."""
    batch: list[Run] = []
    for start, length in runs:
        at, end = start, start + length
        while at < end:
            count = min(BLOCK - at % BLOCK, end - at)
            batch.append((at, count))
            at += count
            if len(batch) == AT_ONCE:
                yield batch
                batch = []
    yield batch


def _whole_blocks(runs: Iterable[Run]) -> Iterator[Run]:
    """The runs, made to begin and end at multiples of the block's size."""
    grown = [(at - at % BLOCK, -(-(at + length) // BLOCK) * BLOCK - (at - at % BLOCK)) for at, length in runs]
    return union(grown, [])


def _sum(block: bytes) -> bytes:
    return b"" if is_zero(block) else hashlib.sha256(block).digest()


def _first(one: bytes, two: bytes) -> int:
    """The first place where two blocks differ; -1 where they do not."""
    return -1 if one == two else next(place for place in range(len(one)) if one[place] != two[place])


def _put(content: Content, volume: Volume, at: int, count: int) -> int:
    wanted = _read(content, at, count)
    if wanted == _read(volume, at, count):
        return 0
    volume.write(at, wanted)
    return count


def _read(content: Content, at: int, count: int) -> bytes:
    there = max(0, min(count, content.size - at))
    return (content.read(at, there) if there else b"").ljust(count, b"\0")
