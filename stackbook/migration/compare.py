"""Two disks byte by byte, reading only what may hold data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from stackbook.migration.window import BLOCK, Content, Run, Tell
from stackbook.migration.zeros import is_zero

THREADS, AT_ONCE = min(4, os.cpu_count() or 1), 32
"""Unpacking is what costs, and does it beside itself."""


def different(one: Content, two: Content, tell: Tell | None = None) -> str:
    """Where two disks differ first; empty when every byte is equal. The longer one must end in zeros."""
    runs = list(union(list(one.data()), list(two.data())))
    total, done = sum(length for _, length in runs), 0
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in _batches(runs):
            for (_, count), found in zip(batch, pool.map(lambda block: _block(one, two, *block), batch), strict=True):
                if found >= 0:
                    return f"byte {found} differs"
                done += count
            if tell is not None:
                tell(done, total)
    return ""


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


def _block(one: Content, two: Content, at: int, count: int) -> int:
    first, second = _read(one, at, count), _read(two, at, count)
    if first == second or (is_zero(first) and is_zero(second)):
        return -1
    return at + next(place for place in range(count) if first[place] != second[place])


def _read(content: Content, at: int, count: int) -> bytes:
    there = max(0, min(count, content.size - at))
    return (content.read(at, there) if there else b"").ljust(count, b"\0")
