"""Two disks byte by byte, reading only what may hold data; and one made equal to the other."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stackbook.migration.window import BLOCK, Content, Plain, Run, Tell, Volume, keep_freed
from stackbook.migration.zeros import is_zero

THREADS, AT_ONCE = min(4, os.cpu_count() or 1), 32
"""Unpacking is what costs, and does it beside itself."""
BESIDE = max(1, THREADS - 1)
"""Threads while somebody else works on this machine, who should not have to wait for us."""
PIECE = 64 * 1024
"""What is written of a block at least: a whole one for each grain would fill a thin volume."""
T = TypeVar("T")


class Mapped:
    """A disk of which only the runs are read: a hole that is read costs the system pages, as data does, and it is slower."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.runs = list(content.data())
        self.ends = [sum(run) for run in self.runs]

    def read(self, start: int, length: int) -> bytes:
        """The guest's bytes; zeros where no run is, and after the disk's end."""
        parts, at, end = [], start, start + length
        for number in range(bisect_right(self.ends, start), len(self.runs)):
            first, last = max(self.runs[number][0], start), min(self.ends[number], end)
            if first >= end:
                break
            parts += [bytes(first - at), self.content.read(first, last - first)]
            at = last
        return b"".join(part for part in (*parts, bytes(end - at)) if part)


class Sums:
    """Checksums of a disk's blocks, made before there is something to compare with: while that is still being written.

    A block that is not among them holds zeros.
    """

    def __init__(self, content: Content, tell: Tell | None = None, made: dict[int, bytes] | None = None) -> None:
        self.content = content
        self.blocks = _made(Mapped(content), tell) if made is None else made

    def differ(self, other: Content, tell: Tell | None = None) -> str:
        """Where the disk and `other` differ first; empty when every byte is equal. The longer one must end in zeros."""
        there = Mapped(other)
        runs = union([(at, BLOCK) for at in self.blocks], list(_whole_blocks(there.runs)))
        for at, count, found in _each(runs, _summed(there), tell):
            if found != self.blocks.get(at, b""):
                return f"byte {at + _first(Mapped(self.content).read(at, count), there.read(at, count))} differs"
        return ""


def different(one: Content, two: Content, tell: Tell | None = None) -> str:
    """Where two disks differ first; empty when every byte is equal. The longer one must end in zeros."""
    first, second = Mapped(one), Mapped(two)
    found = _each(union(first.runs, second.runs), lambda at, count: _first(first.read(at, count), second.read(at, count)), tell)
    place = next((at + skip for at, _, skip in found if skip >= 0), -1)
    return f"byte {place} differs" if place >= 0 else ""


def copy(content: Content, volume: Volume, tell: Tell | None = None) -> tuple[int, Sums]:
    """Make `volume` hold the content and zeros after it, writing only what differs.

    Returns how many bytes were written, and the checksums of what the volume has to hold now.
    """
    wanted, there, end = Mapped(content), Mapped(Plain(volume)), max(content.size, volume.size)
    runs = _whole_blocks([*wanted.runs, *there.runs])

    def put(at: int, count: int) -> tuple[int, bytes]:
        block = wanted.read(at, count)
        return _put(volume, at, block[: end - at], there.read(at, count)), _sum(block)

    found = list(_each(runs, put, tell))
    sums = _sums((at, count, sum) for at, count, (_, sum) in found)
    return sum(written for _, _, (written, _) in found), Sums(content, made=sums)


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


def _each(
    runs: Iterable[Run], act: Callable[[int, int], T], tell: Tell | None, threads: int = THREADS
) -> Iterator[tuple[int, int, T]]:
    """Start, length and what `act` makes of it, for each block of the runs, in order."""
    runs = list(runs)
    total, done = sum(length for _, length in runs), 0
    keep_freed()
    with ThreadPoolExecutor(threads) as pool:
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
    """The runs of any order, made to begin and end at multiples of the block's size."""
    grown = [(at - at % BLOCK, -(-(at + length) // BLOCK) * BLOCK - (at - at % BLOCK)) for at, length in runs]
    return union(grown, [])


def _made(content: Mapped, tell: Tell | None) -> dict[int, bytes]:
    return _sums(_each(_whole_blocks(content.runs), _summed(content), tell, BESIDE))


def _summed(content: Mapped) -> Callable[[int, int], bytes]:
    return lambda at, count: _sum(content.read(at, count))


def _sum(block: bytes) -> bytes:
    return b"" if is_zero(block) else hashlib.sha256(block).digest()


def _sums(made: Iterable[tuple[int, int, bytes]]) -> dict[int, bytes]:
    return {at: sum for at, _, sum in made if sum}


def _first(one: bytes, two: bytes) -> int:
    """The first place where two blocks differ; -1 where they do not."""
    return -1 if one == two else next(place for place in range(len(one)) if one[place] != two[place])


def _put(volume: Volume, at: int, wanted: bytes, there: bytes) -> int:
    """Write the pieces of a block that differ from what is there; returns how many bytes that were."""
    written = 0
    for start in range(0, len(wanted), PIECE) if wanted != there[: len(wanted)] else ():
        piece = wanted[start : start + PIECE]
        if piece != there[start : start + len(piece)]:
            volume.write(at + start, piece)
            written += len(piece)
    return written
