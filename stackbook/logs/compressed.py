"""The content of compressed logs, in parts.

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

_READ = 64 * 1024
_PART = 256 * 1024
"""Bytes of content inflated at a time: buffers of more are new pages from the system, each time."""


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
