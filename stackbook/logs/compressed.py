"""The content of compressed logs in chunks that overlap, so that no record is torn.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only, with a faster library where the
host happens to have one.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any

from stackbook.logs.engines import which

CHUNK = 16 * 1024 * 1024
"""Bytes of content in one chunk, besides the overlap."""
OVERLAP = 512 * 1024
"""Bytes of the chunk before that are kept; half for looking back, half for lines that were not finished."""
_READ = 256 * 1024


class Chunk:
    """A part of the content."""

    __slots__ = ("base", "data", "done", "error", "fresh", "last", "until")

    def __init__(
        self, data: bytes = b"", base: int = 0, done: int = 0, fresh: int = 0, error: str = "", *, last: bool = False
    ) -> None:
        self.data = data
        self.base = base
        """Offset of its first byte in the content."""
        self.done = done
        """Offset before which matches belong to the chunk before."""
        self.until = base + len(data) - (0 if last else OVERLAP // 2)
        """Offset from which matches belong to the next chunk."""
        self.last = last
        self.fresh = fresh
        """Bytes that the chunk before did not have."""
        self.error = error
        """Why the content ends here though it should not."""

    def in_file(self) -> int:
        """A descriptor of a file in memory that holds the chunk."""
        if not _memory:  # one for all chunks: its pages are there already for the next
            _memory.append(os.memfd_create("log"))
        os.lseek(_memory[0], 0, os.SEEK_SET)
        view = memoryview(self.data)
        while view:
            view = view[os.write(_memory[0], view) :]
        os.ftruncate(_memory[0], len(self.data))
        return _memory[0]


_memory: list[int] = []


def chunks(fd: int, kind: str) -> Iterator[Chunk]:
    """Chunks of the content of a compressed file; ends with one that has an error when the content does."""
    base = done = 0
    kept = b""
    parts: list[bytes] = []
    size = 0
    try:
        for part in content(fd, kind):
            parts.append(part)
            size += len(part)
            if size >= CHUNK:
                chunk = Chunk(kept + b"".join(parts), base, done, size)
                yield chunk
                kept, done = chunk.data[-OVERLAP:], chunk.until
                base = chunk.base + len(chunk.data) - len(kept)
                parts, size = [], 0
    except (OSError, EOFError, ValueError, zlib.error, subprocess.SubprocessError) as error:
        yield Chunk(kept + b"".join(parts), base, done, size, last=True)
        yield Chunk(error=f"it can't be decompressed to its end: {str(error) or type(error).__name__}", last=True)
        return
    yield Chunk(kept + b"".join(parts), base, done, size, last=True)


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
            part = inflate.decompress(data)
            data = b""
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
