"""Ranges of files, read at an offset: a whole file, or a member of a tar that is never extracted."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self

from stackbook.errors import BundleRefused

BLOCK = 1 << 20
Run = tuple[int, int]
"""Start and length in bytes."""
Tell = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


@dataclass(frozen=True)
class Part:
    """A named range of a regular file."""

    path: str
    name: str
    offset: int
    size: int

    def open(self) -> Window:
        """The range, opened for reading; the caller closes it."""
        return Window(self)


class Window:
    """An opened part. Reads never go beyond it; a file that is shorter than it was is refused."""

    descriptor = -1

    def __init__(self, part: Part) -> None:
        self.part = part
        self.size = part.size
        self.descriptor = open_regular(part.path)
        if os.fstat(self.descriptor).st_size < part.offset + part.size:
            self.close()
            raise BundleRefused(f"{part.name}: {part.path} became shorter", found="it changed since it was looked at")

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start`; refused where the part ends before that."""
        if start < 0 or length < 0 or start + length > self.size:
            what = f"{self.part.name}: it ends at byte {self.size}, but refers to bytes {start} to {start + length}"
            raise BundleRefused(what, hint="it was cut short: copy or export it again")
        found = os.pread(self.descriptor, length, self.part.offset + start)
        while len(found) < length:
            more = os.pread(self.descriptor, length - len(found), self.part.offset + start + len(found))
            if not more:
                raise BundleRefused(f"{self.part.name}: {self.part.path} became shorter while it was read")
            found += more
        return found

    def data(self, start: int = 0, length: int | None = None) -> Iterator[Run]:
        """The runs within a range that may hold something else than zeros, as the filesystem knows it."""
        base = self.part.offset
        at, end = base + start, base + (self.size if length is None else start + length)
        while at < end:
            try:
                begin = os.lseek(self.descriptor, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                begin = at
            if begin >= end:
                return
            at = min(os.lseek(self.descriptor, begin, os.SEEK_HOLE), end)
            yield begin - base, at - begin

    def identity(self) -> tuple[int, int, int, int]:
        """Inode, size, and times of last change of content and of inode, in ns: equal as long as nobody wrote to it."""
        found = os.fstat(self.descriptor)
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def close(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:  # a reader that refuses its file has nobody to close it
        self.close()


class Device(Window):
    """A volume as its backend holds it on this machine: a block device, or a file that stands for one."""

    access = os.O_RDONLY

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, self.access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self.size = os.lseek(self.descriptor, 0, os.SEEK_END)
        self.part = Part(path, os.path.basename(path), 0, self.size)
        if not stat.S_ISREG(mode := os.fstat(self.descriptor).st_mode) and not stat.S_ISBLK(mode):
            self.close()
            raise BundleRefused(f"{path} is neither a file nor a block device")

    def data(self, start: int = 0, length: int | None = None) -> Iterator[Run]:
        """The runs that may hold data: of a block device, all of it."""
        if stat.S_ISREG(os.fstat(self.descriptor).st_mode):
            yield from super().data(start, length)
        else:
            yield start, self.size - start if length is None else length


class Volume(Device):
    """A volume to be written to."""

    access = os.O_RDWR

    def write(self, start: int, data: bytes) -> None:
        """Put `data` at byte `start`; refused beyond the volume's end, which does not move."""
        if start + len(data) > self.size:
            raise BundleRefused(f"{self.part.path}: it ends at byte {self.size}", found=f"bytes to {start + len(data)}")
        left = memoryview(data)
        while left:
            done = os.pwrite(self.descriptor, left, start)
            start, left = start + done, left[done:]

    def keep(self) -> None:
        """Put all of it on the storage, and forget it here: what is read next comes from there."""
        os.fsync(self.descriptor)
        os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


class Content(Protocol):
    """What a disk holds, whatever format it lies in."""

    @property
    def size(self) -> int:
        """Bytes of the disk as the guest sees it."""

    def data(self) -> Iterator[Run]:
        """The runs that may hold something else than zeros, in ascending order, none overlapping."""

    def read(self, start: int, length: int) -> bytes:
        """The guest's bytes."""

    def close(self) -> None:
        """Close the files."""


class Plain:
    """The content of a raw disk: the bytes themselves, padded with zeros to whole sectors."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.size = -(-window.size // 512) * 512

    def data(self) -> Iterator[Run]:
        """The runs that the filesystem has data for."""
        return self.window.data()

    def read(self, start: int, length: int) -> bytes:
        """The bytes, zeros after the end of the file."""
        found = self.window.read(start, max(0, min(length, self.window.size - start)))
        return found + bytes(length - len(found))

    def close(self) -> None:
        """Close the file."""
        self.window.close()


def keep_freed() -> None:
    """Let this process use memory again that it freed, up to 32 MiB, instead of giving it back and asking for it anew.

    Each block that is read is an object of its own, and new pages from the system cost more than the read. glibc follows
    the largest block that was ever freed (mallopt(3), M_MMAP_THRESHOLD); elsewhere nothing happens.
    """
    bytes(16 * BLOCK)


def open_regular(path: str) -> int:
    """A descriptor of the regular file at `path`; links, devices and pipes are refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = "is a symbolic link" if error.errno == errno.ELOOP else f"can't be read: {error.strerror}"
        raise BundleRefused(f"{path} {what}", hint="name the file itself") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleRefused(f"{path} is not a regular file", hint="name a file")
    return descriptor


def whole(path: str, name: str | None = None) -> Part:
    """A whole file as a part."""
    descriptor = open_regular(path)
    try:
        return Part(path, name or os.path.basename(path), 0, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def small(part: Part, most: int, what: str) -> bytes:
    """The content of a part that has to be small; refused when it is larger than `most` bytes."""
    if part.size > most:
        raise BundleRefused(f"{part.name}: {what} of {part.size} bytes is larger than {most}", hint="this is no sound bundle")
    with part.open() as window:
        return window.read(0, part.size)
