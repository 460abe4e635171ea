"""The content of compressed logs, one after the other in a window of memory that programs can search.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only, with a faster library where the
host happens to have one.
"""

from __future__ import annotations

import mmap
import os
import site
import subprocess
import sys
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from stackbook.logs.engines import which
from stackbook.logs.find import LogFile

ROOM = 64 * 1024 * 1024
"""Bytes of content in a window."""
OVERLAP = 512 * 1024
"""Bytes of a file's content that are kept when the window is full, so that no record is torn: half for looking back, half for
lines that were not finished."""
_READ = 64 * 1024
_PART = 256 * 1024
"""Bytes of content inflated at a time: buffers of more are new pages from the system, each time."""
_SHARED = "/dev/shm"  # noqa: S108 - a file without a name


class Part:
    """A part of a file's content, in a window."""

    __slots__ = ("at", "base", "done", "error", "file", "fresh", "last", "size")

    def __init__(self, file: LogFile, at: int, base: int = 0, size: int = 0, done: int = 0) -> None:
        self.file = file
        self.at = at
        """Where in the window it begins."""
        self.base = base
        """Where in the content it begins."""
        self.size = size
        self.done = done
        """Offset in the content before which matches belong to the part before."""
        self.fresh = 0
        """Bytes that the part before did not have."""
        self.last = False
        self.error = ""
        """Why the content ends here though it should not."""

    @property
    def kept(self) -> int:
        """Bytes at its end that the next part begins with."""
        return 0 if self.last else min(self.size, OVERLAP)

    @property
    def until(self) -> int:
        """Offset in the content from which matches belong to the next part."""
        return max(self.done, self.base + self.size - (0 if self.last else OVERLAP // 2))

    def offsets(self, places: Sequence[int]) -> list[int]:
        """Offsets in the content of the matches to tell with this part; `places` in the window, in order."""
        moved = self.base - self.at
        first, last = bisect_left(places, self.done - moved), bisect_left(places, self.until - moved)
        return [place + moved for place in places[first:last]]


class Window:
    """A file in memory into which content is written, and which programs can read.

    It is never cut: to make its pages anew takes longer than to search them.
    """

    def __init__(self) -> None:
        self._mapped: mmap.mmap | None = None
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("log")
            os.ftruncate(self.fd, ROOM)
            self._mapped = mmap.mmap(self.fd, ROOM)  # half as much work as a call for each part
        else:  # Python 3.7 and older
            import tempfile

            with tempfile.TemporaryFile(dir=_SHARED if os.path.isdir(_SHARED) else None) as stream:
                self.fd = os.dup(stream.fileno())
        self.size = 0
        """Bytes of what is in it now; old ones follow."""
        self.parts: list[Part] = []

    @property
    def full(self) -> bool:
        """Whether all that the file holds is of now."""
        return self.size == ROOM

    def begin(self, file: LogFile) -> None:
        """A new part, of `file`; a newline before it, lest the end of one file and the beginning of the next make an id."""
        if self.size:
            self._write(memoryview(b"\n"))
        self.parts.append(Part(file, self.size))

    def add(self, data: memoryview) -> memoryview:
        """Write as much of `data` as there is room for to the last part; what is left of it."""
        written = self._write(data)
        self.parts[-1].size += written
        self.parts[-1].fresh += written
        return data[written:]

    def _write(self, data: memoryview) -> int:
        fits = data[: ROOM - self.size]
        if self._mapped is not None:
            self._mapped[self.size : self.size + len(fits)] = fits
        elif fits:
            os.pwrite(self.fd, fits, self.size)
        self.size += len(fits)
        return len(fits)

    def go_on(self) -> None:
        """Keep only the end of the last part, at the beginning."""
        old = self.parts[-1]
        kept = os.pread(self.fd, old.kept, old.at + old.size - old.kept)
        self.size = os.pwrite(self.fd, kept, 0)
        self.parts = [Part(old.file, 0, old.base + old.size - self.size, self.size, old.until)]

    def end(self, error: str) -> None:
        """The last part is the last of its file; drop it when the file is left."""
        part = self.parts[-1]
        part.last, part.error = True, error
        if part.file.left:
            self.parts.pop()
            self.size = part.at

    def clear(self) -> None:
        """Forget all that is in it."""
        self.size, self.parts = 0, []


_windows: list[Window] = []


def windows(files: Iterable[LogFile], wanted: Callable[[LogFile, bytes], bool]) -> Iterator[Window]:
    """The content of compressed files, as one window each time that it is full, and at the end.

    A file is left when `wanted`, given its first bytes, says no, and when ``file.left`` was set since the window before.
    """
    if not _windows:
        _windows.append(Window())
    window = _windows[0]
    window.clear()
    for file in files:
        error = ""
        window.begin(file)
        try:
            yield from _filled(window, file, wanted)
        except (OSError, EOFError, ValueError, zlib.error, subprocess.SubprocessError) as failure:
            error = str(failure) or type(failure).__name__
        window.end(error)
    if window.parts:
        yield window
    window.clear()


def _filled(window: Window, file: LogFile, wanted: Callable[[LogFile, bytes], bool]) -> Iterator[Window]:
    """Write a file's content to the window, which is given each time that it is full and more is to come."""
    for number, data in enumerate(content(file.fd, file.compression)):
        file.left = file.left or (not number and not wanted(file, data[:_READ]))
        rest = memoryview(data)
        while not file.left:
            rest = window.add(rest)
            if not rest:
                break
            yield window
            window.go_on()
        if file.left:
            return


def content(fd: int, kind: str) -> Iterator[bytes]:
    """The content of a file in parts, decompressed by `kind`: ``.gz``, ``.xz``, ``.bz2``, ``.zst``, or empty for a plain one."""
    os.lseek(fd, 0, os.SEEK_SET)
    if not kind:
        return iter(lambda: os.read(fd, _READ), b"")
    if kind == ".gz":
        return _gzip(fd)
    if kind == ".zst":
        return _program(fd, "zstd")
    return _standard(fd, kind)


def inflater() -> Any:
    """A module with the interface of zlib: the fastest that is installed."""
    if not _inflaters:
        _inflaters.append(_fastest())
    return _inflaters[0]


def _fastest() -> Any:
    if sys.flags.no_site:  # left out at the start to save its time
        site.main()
    for name in ("isal.isal_zlib", "zlib_ng.zlib_ng"):
        try:
            return __import__(name, fromlist=["decompressobj"])
        except ImportError:
            continue
    return zlib


_inflaters: list[Any] = []


def _gzip(fd: int) -> Iterator[bytes]:
    """The content of a gzip file of one or more members."""
    library = inflater()
    errors = (zlib.error, getattr(library, "error", zlib.error))
    inflate, data = library.decompressobj(wbits=31), b""
    try:
        while True:
            data = data or os.read(fd, _READ)
            if not data:
                break
            part = inflate.decompress(data, _PART)
            data = inflate.unconsumed_tail
            if part:
                yield part
            if inflate.eof:
                data = inflate.unused_data.lstrip(b"\0") or os.read(fd, _READ)
                if not data:
                    return
                inflate = library.decompressobj(wbits=31)
    except errors as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise EOFError("the file ends too early")


def _standard(fd: int, kind: str) -> Iterator[bytes]:
    import bz2
    import lzma

    opener = lzma.open if kind == ".xz" else bz2.open
    try:
        with opener(os.fdopen(os.dup(fd), "rb")) as stream:
            while True:
                data = stream.read(_READ)
                if not data:
                    return
                yield data
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None


def _program(fd: int, name: str) -> Iterator[bytes]:
    if not which(name):
        raise OSError(f"{name} is not installed")
    process = subprocess.Popen([name, "-dc"], stdin=fd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while True:
        data = process.stdout.read(_READ)  # type: ignore[union-attr]
        if not data:
            break
        yield data
    if process.wait():
        raise ValueError(process.stderr.read(500).decode("utf-8", "replace"))  # type: ignore[union-attr]
