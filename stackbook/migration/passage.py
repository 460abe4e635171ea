"""One pass over a disk's bytes on their way out: checksums and progress fall out of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from stackbook.errors import BundleRefused
from stackbook.migration import manifest
from stackbook.migration.acceptance import replaced
from stackbook.migration.bundle import BundleDisk, fingerprint
from stackbook.migration.manifest import Checksum
from stackbook.migration.qcow2_stream import Qcow2Stream
from stackbook.migration.vmdk_text import MONOLITHIC
from stackbook.migration.window import BLOCK, Part, Tell, keep_freed

PASSED = (*MONOLITHIC, "qcow2", "vhdx")
"""Formats whose bytes go to glance as they are; all others as a qcow2 stream of our own."""
BACKLOG = 8
"""Blocks that may wait for their checksum."""


class Blocks(Protocol):
    """Bytes in blocks, of a length known beforehand."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Bytes:
    """A part's bytes as they are, but for the first ones where `head` says otherwise."""

    def __init__(self, part: Part, head: bytes = b"") -> None:
        self.part, self.head = part, head

    def __len__(self) -> int:
        return self.part.size

    def __iter__(self) -> Iterator[bytes]:
        with self.part.open() as window:
            for start in range(0, self.part.size, BLOCK):
                yield replaced(window.read(start, min(BLOCK, self.part.size - start)), start, self.head)


class Passage:
    """The body of an upload: iterable in blocks, with `len` and `read`; checksums are known at its end.

    Iterating again starts again, so that a request can be repeated. `expected` are checksums that the bytes must have,
    with `original` in place of the first ones: a difference is refused when the last block has been asked for, before
    the request can succeed.
    """

    def __init__(
        self,
        source: Blocks,
        algorithms: Sequence[str] = ("sha512",),
        expected: Sequence[Checksum] = (),
        tell: Tell | None = None,
        original: bytes = b"",
    ) -> None:
        self.source, self.expected, self.tell, self.original = source, expected, tell, original
        self.algorithms = list(dict.fromkeys(algorithms))
        self.digests: dict[str, str] = {}
        self.sent = 0
        self._blocks: Iterator[bytes] | None = None
        self._left = b""

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[bytes]:
        self.sent, self.digests = 0, {}
        keep_freed()
        sent = {name: hashlib.new(name) for name in self.algorithms}
        kept = {checksum.algorithm: hashlib.new(checksum.algorithm) for checksum in self.expected}
        waiting: list[Future[None]] = []
        with ThreadPoolExecutor(max_workers=1) as pool:

            def add(block: bytes, at: int) -> None:
                for each in sent.values():
                    each.update(block)
                for each in kept.values():
                    each.update(replaced(block, at, self.original))

            held, read = b"", 0
            for block in self.source:
                waiting.append(pool.submit(add, block, read))
                read += len(block)
                if len(waiting) > BACKLOG:
                    waiting.pop(0).result()
                if held:
                    yield self._counted(held)
                held = block
            for each in waiting:
                each.result()
            for checksum in self.expected:
                manifest.compare("the disk", kept[checksum.algorithm].hexdigest(), checksum)
            self.digests = {name: each.hexdigest() for name, each in sent.items()}
            if held:
                yield self._counted(held)

    def read(self, size: int = -1) -> bytes:
        """The next bytes: at most `size`, all that is left for -1."""
        if self._blocks is None:
            self._blocks = iter(self)
        while size < 0 or len(self._left) < size:
            block = next(self._blocks, b"")
            if not block:
                break
            self._left += block
        size = len(self._left) if size < 0 else size
        found, self._left = self._left[:size], self._left[size:]
        return found

    def _counted(self, block: bytes) -> bytes:
        self.sent += len(block)
        if self.tell is not None:
            self.tell(self.sent, len(self))
        return block


class Chunked:
    """A passage as the SDK's transport takes it: iterable only, so that it sends whole blocks, not 16 KiB at a time."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage

    def __len__(self) -> int:
        return len(self.passage)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.passage)


def glance_format(disk: BundleDisk) -> str:
    """The disk format under which glance gets a disk."""
    return ("vmdk" if disk.format in MONOLITHIC else disk.format) if passed(disk) else "qcow2"


def passed(disk: BundleDisk) -> bool:
    """Whether a disk's bytes go to glance as they are, but for a few in its head where the services would refuse them."""
    return disk.format in PASSED and not disk.objection


def streamed(disk: BundleDisk) -> BundleDisk:
    """The disk, to be sent as a qcow2 stream whatever it is."""
    return replace(disk, objection=disk.objection or "it was refused")


def unchanged(disk: BundleDisk) -> None:
    """Refuse a disk whose files were written to since it was looked at."""
    source, seen = fingerprint(disk.name, [_again(part) for part in disk.parts])
    if (source, seen) != (disk.source, disk.seen):
        raise BundleRefused(
            f"{disk.name}: its files changed since they were looked at", hint="plan again, read the new plan, approve that"
        )


def _again(part: Part) -> Part:
    if part.offset:
        return part
    try:
        return Part(part.path, part.name, 0, os.lstat(part.path).st_size)
    except OSError as error:
        raise BundleRefused(
            f"{part.path}: {error.strerror}", hint="the files must stay where they are until they are moved"
        ) from None


def passage(disk: BundleDisk, algorithms: Sequence[str] = ("sha512",), tell: Tell | None = None) -> Passage:
    """The upload of a disk: as it is where glance takes that, else as a qcow2 stream made on the way.

    For the latter the manifest is checked here, by reading the files once; for the former during the upload.
    """
    unchanged(disk)
    if passed(disk):
        part = disk.parts[0]
        with part.open() as window:
            original = window.read(0, len(disk.head))
        return Passage(Bytes(part, disk.head), algorithms, [*disk.checksums.values()], tell, original)
    intact(disk, tell)
    return Passage(Qcow2Stream(disk.open(), tell=tell), algorithms, (), tell)


def intact(disk: BundleDisk, tell: Tell | None = None) -> None:
    """Refuse a disk whose files are not what the manifest says; reads them whole."""
    for part in disk.parts:
        if part.name in disk.checksums:
            manifest.check(part, disk.checksums[part.name], tell)
