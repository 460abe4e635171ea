"""Telling zeros from data, at memory speed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackbook.migration.window import BLOCK, Content, Tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ZEROS = bytes(BLOCK)


def is_zero(data: bytes) -> bool:
    """Whether `data` is nothing but zeros."""
    return all(data[at : at + BLOCK] == _ZEROS[: len(data) - at] for at in range(0, len(data), BLOCK))


def blocks(content: Content, size: int = BLOCK) -> Iterator[tuple[int, bytes]]:
    """The content's runs, read in blocks of at most `size` bytes that begin at its multiples but for a run's first."""
    for start, length in content.data():
        at, end = start, start + length
        while at < end:
            count = min(size - at % size, end - at)
            yield at, content.read(at, count)
            at += count


def clusters(content: Content, cluster: int, *, detect: bool = True, tell: Tell | None = None) -> NDArray[np.bool_]:
    """For each cluster whether it holds data: by the map of its file, and with `detect` by reading what that calls data."""
    import numpy as np

    found = np.zeros(-(-content.size // cluster), np.bool_)
    if not detect:
        for start, length in content.data():
            found[start // cluster : -(-(start + length) // cluster)] = True
        return found
    for at, block in blocks(content):
        if tell is not None:
            tell(at, content.size)
        first, skip = divmod(at, cluster)
        padded = np.frombuffer(bytes(skip) + block + bytes(-(skip + len(block)) % cluster), np.uint64)
        found[first : first + padded.size * 8 // cluster] |= padded.reshape(-1, cluster // 8).any(axis=1)
    return found
