"""Sparse files: copies that carry the data and keep the holes. Standard library only."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FICLONE = 0x40049409  # ioctl of Linux: share all blocks of another file (btrfs, XFS)
_CHUNK = 8 * 1024 * 1024
_BLOCK = 64 * 1024
_ZEROS = bytes(_BLOCK)


def create(path: Path, size: int) -> None:
    """Make `path` an empty file of `size` bytes that takes no room; a file that was there loses its data."""
    with open(path, "wb") as file:
        file.truncate(size)


def resize(path: Path, size: int) -> None:
    """Give the file `size` bytes; what is added reads as zeros."""
    os.truncate(path, size)


def copy(source: Path, target: Path, size: int | None = None) -> None:
    """Make `target` hold the bytes of `source`, sharing blocks where the filesystem can and keeping holes elsewhere.

    `size` is the target's size in bytes (default: that of the source): it is padded with zeros or cut.
    """
    with open(source, "rb") as origin, open(target, "wb") as copied:
        length = os.fstat(origin.fileno()).st_size
        if not _share_blocks(origin, copied):
            for start, end in data_extents(origin):
                _copy_range(origin, copied, start, end)
        copied.truncate(length if size is None else size)


def data_extents(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """The ranges (start, end) of `file` that may hold something else than zeros."""
    size, end = os.fstat(file.fileno()).st_size, 0
    while end < size:
        try:
            start = os.lseek(file.fileno(), end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        yield start, end


def is_zero(data: bytes) -> bool:
    """Whether `data` is nothing but zero bytes; compares at memory speed."""
    starts = range(0, len(data), len(_ZEROS))
    return all(data[at : at + len(_ZEROS)] == _ZEROS[: len(data) - at] for at in starts)


class SparseWriter:
    """A file opened for writing that turns written zeros into holes, a block of 64 KiB at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        """Append `data`; blocks of zeros only make the file longer."""
        for at in range(0, len(data), _BLOCK):
            self._write_block(data[at : at + _BLOCK])
        return len(data)

    def _write_block(self, block: bytes) -> None:
        if is_zero(block):
            self._file.truncate(self._file.seek(len(block), os.SEEK_CUR))
        else:
            self._file.write(block)


def _share_blocks(source: BinaryIO, target: BinaryIO) -> bool:
    try:
        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _copy_range(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    os.lseek(target.fileno(), start, os.SEEK_SET)
    os.lseek(source.fileno(), start, os.SEEK_SET)
    while start < end:
        start += _copy_some(source.fileno(), target.fileno(), min(_CHUNK, end - start))


def _copy_some(source: int, target: int, count: int) -> int:
    """Copy up to `count` bytes at the files' positions, inside the kernel where it can; returns how many."""
    try:
        copied = os.copy_file_range(source, target, count)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        copied = _write_all(target, os.read(source, count))
    if not copied:
        raise OSError(errno.EIO, "the file became shorter while it was copied")
    return copied


def _write_all(target: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
    return len(data)
