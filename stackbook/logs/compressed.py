"""The content of compressed logs in chunks that overlap, so that no record is torn.

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
from collections.abc import Iterator
from typing import Any

from stackbook.logs.engines import which

CHUNK = 64 * 1024 * 1024
"""Bytes of content in one chunk, with the overlap."""
OVERLAP = 512 * 1024
"""Bytes of the chunk before that are kept; half for looking back, half for lines that were not finished."""
_READ = 64 * 1024
_PART = 256 * 1024
"""Bytes of content inflated at a time: buffers of more are new pages from the system, each time."""
_SHARED = "/dev/shm"  # noqa: S108 - a file without a name


class Chunk:
    """A part of the content, in a file in memory."""

    __slots__ = ("base", "done", "error", "fd", "fresh", "last", "size", "until")

    def __init__(
        self, fd: int = -1, size: int = 0, base: int = 0, done: int = 0, fresh: int = 0, error: str = "", *, last: bool = False
    ) -> None:
        self.fd = fd
        self.size = size
        """Bytes in that file, after which old ones follow; the next chunk takes their place."""
        self.base = base
        """Offset of its first byte in the content."""
        self.done = done
        """Offset before which matches belong to the chunk before."""
        self.until = base + size - (0 if last else OVERLAP // 2)
        """Offset from which matches belong to the next chunk."""
        self.last = last
        self.fresh = fresh
        """Bytes that the chunk before did not have."""
        self.error = error
        """Why the content ends here though it should not."""

    def read(self, most: int) -> bytes:
        """The first `most` bytes."""
        return os.pread(self.fd, min(most, self.size), 0) if self.size else b""


class Window:
    """A file in memory into which content is written, and which programs can read.

    It is never cut: to make its pages anew takes longer than to search them.
    """

    def __init__(self) -> None:
        self._mapped: mmap.mmap | None = None
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("log")
            os.ftruncate(self.fd, CHUNK)
            self._mapped = mmap.mmap(self.fd, CHUNK)  # half as much work as a call for each part
        else:  # Python 3.7 and older
            import tempfile

            with tempfile.TemporaryFile(dir=_SHARED if os.path.isdir(_SHARED) else None) as stream:
                self.fd = os.dup(stream.fileno())
        self.size = 0

    def add(self, part: memoryview) -> memoryview:
        """Write as much of `part` as there is room for; what is left of it."""
        fits = part[: CHUNK - self.size]
        if self._mapped is not None:
            self._mapped[self.size : self.size + len(fits)] = fits
            written = len(fits)
        else:
            written = os.pwrite(self.fd, fits, self.size) if fits else 0
        self.size += written
        return part[written:]

    def go_on(self) -> None:
        """Keep only the end, at the beginning."""
        kept = os.pread(self.fd, OVERLAP, self.size - OVERLAP)
        self.size = os.pwrite(self.fd, kept, 0)


_windows: list[Window] = []


def chunks(fd: int, kind: str) -> Iterator[Chunk]:
    """Chunks of the content of a compressed file; ends with one that has an error when the content does."""
    if not _windows:
        _windows.append(Window())
    window, base, done, old, error = _windows[0], 0, 0, 0, ""
    window.size = 0
    try:
        for part in content(fd, kind):
            rest = window.add(memoryview(part))
            while rest:
                chunk = Chunk(window.fd, CHUNK, base, done, CHUNK - old)
                yield chunk
                window.go_on()
                base, done, old = base + CHUNK - OVERLAP, chunk.until, OVERLAP
                rest = window.add(rest)
    except (OSError, EOFError, ValueError, zlib.error, subprocess.SubprocessError) as failure:
        error = str(failure) or type(failure).__name__
    yield Chunk(window.fd, window.size, base, done, window.size - old, last=True)
    if error:
        yield Chunk(error=f"it can't be decompressed to its end: {error}", last=True)


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
    if sys.flags.no_site:  # left out at the start to save its time
        site.main()
    for name in ("isal.isal_zlib", "zlib_ng.zlib_ng"):
        try:
            return __import__(name, fromlist=["decompressobj"])
        except ImportError:
            continue
    return zlib


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
