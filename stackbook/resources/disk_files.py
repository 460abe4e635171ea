"""Disk image files on this machine: their format, size and checksum, and reading them with progress."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Self

from stackbook.errors import BadInput
from stackbook.ticker import Ticker

BLOCK = 1 << 20
MAGIC = {
    b"QFI\xfb": "qcow2",
    b"KDMV": "vmdk",
    b"COWD": "vmdk",
    b"# Disk DescriptorFile": "vmdk",
    b"vhdxfile": "vhdx",
    b"conectix": "vhd",
    b"<<< ": "vdi",
    b"QED\x00": "qed",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
}
"""How a file of each format begins."""
ISO = (0x8001, b"CD001")
TAR = (257, b"ustar")
OF_RAW = frozenset({"raw", "iso", "ami", "ari", "aki"})
COMPATIBLE = {"raw": OF_RAW, "iso": frozenset({"iso", "raw"}), "tar": frozenset({"ova", "docker"}), "vhd": frozenset({"vhd"})}


def disk_format(address: str, file: str) -> str:
    """The format that the file's first bytes tell; ``raw`` when they tell none. BadInput when it can't be read."""
    try:
        with _path(file).open("rb") as stream:
            head = stream.read(ISO[0] + len(ISO[1]))
    except OSError as error:
        raise BadInput(f"{address}: {file} can't be read: {error.strerror}", hint="name a file on this machine") from None
    if not head:
        raise BadInput(f"{address}: {file} is empty")
    if (found := next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)) is not None:
        return found
    return "iso" if head[ISO[0] :] == ISO[1] else "tar" if head[TAR[0] : TAR[0] + 5] == TAR[1] else "raw"


def compatible(found: str) -> frozenset[str]:
    """The disk formats that glance may be told for content of the format `found`."""
    return COMPATIBLE.get(found, frozenset({found}))


def virtual_size(file: str) -> int:
    """Bytes of the disk that the file holds: a qcow2 file's own, else the file's length."""
    path = _path(file)
    with path.open("rb") as stream:
        head = stream.read(32)
    return int.from_bytes(head[24:32], "big") if head.startswith(b"QFI\xfb") else path.stat().st_size


def digest(address: str, file: str, algorithm: str = "sha512") -> str:
    """Checksum of the file's content; read again only when the file has changed."""
    path = _path(file)
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(f"{address}: {file} can't be read: {error.strerror}", hint="name a file on this machine") from None
    return _digest(str(path.resolve()), state.st_size, state.st_mtime_ns, algorithm)


class Upload:
    """A file as a request's body, telling how much of it has been read."""

    def __init__(self, file: str) -> None:
        self.path = _path(file)
        self.size = self.path.stat().st_size
        self.ticker = Ticker()

    def __enter__(self) -> Self:
        self.stream = self.path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block

    def read(self, size: int = -1) -> bytes:
        """The next bytes, a whole block of them however few are asked for at a time."""
        self.ticker.tell(f"{100 * self.stream.tell() // max(self.size, 1)} %")
        return self.stream.read(size)

    def tell(self) -> int:
        """Bytes read so far."""
        return self.stream.tell()

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Start again at `place`: a request that has to be repeated sends the whole file."""
        return self.stream.seek(place, whence)


@lru_cache(maxsize=64)
def _digest(path: str, size: int, changed: int, algorithm: str) -> str:
    del changed  # part of the key only
    done, made = 0, hashlib.new(algorithm)
    with open(path, "rb") as stream, Ticker(f"checksum of {path}") as ticker:
        while block := stream.read(BLOCK):
            made.update(block)
            done += len(block)
            ticker.tell(f"{100 * done // max(size, 1)} %")
    return made.hexdigest()


def _path(file: str) -> Path:
    return Path(file).expanduser()
