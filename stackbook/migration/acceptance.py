"""What glance and cinder take of a sparse VMDK before they convert it, and a head that makes them take it.

Their inspectors (oslo.utils' and cinder's ``format_inspector``) read the header and the descriptor only. Cinder's refuses
what vSphere's exports and qemu-img write at times: a directory that only the footer tells of, and bytes left behind after
the descriptor's end. Both lie in the head, so the disk goes out as it is, with its head put right.
"""

from __future__ import annotations

import struct

from stackbook.migration.vmdk_sparse import AT_END, Header
from stackbook.migration.vmdk_text import SECTOR
from stackbook.migration.window import Window

DIRECTORY = 56
"""Where the header tells the directory's place: eight bytes."""
DESCRIPTOR = 28
MOST = (1 << 20) - 1
"""Bytes of the descriptor that the inspectors read."""
ACCESS = ("rw", "rdonly", "noaccess")


def put_right(window: Window, header: Header) -> tuple[bytes, str]:
    """What is to be sent in place of the file's first bytes (empty: nothing), and why it would be refused even then."""
    found = window.read(0, SECTOR + header.descriptor_size * SECTOR)
    why = objection(found)
    if not why:
        return b"", ""
    first, text = found[:SECTOR], found[SECTOR:].split(b"\0")[0]
    first = first[:DIRECTORY] + struct.pack("<Q", header.directory) + first[DIRECTORY + 8 :]
    head = first + text.ljust(len(found) - SECTOR, b"\0")
    return (b"", left) if (left := objection(head)) else (head, "")


def objection(head: bytes) -> str:
    """Why the inspectors refuse a sparse VMDK with that header and descriptor; empty when they take it."""
    if struct.unpack_from("<Q", head, DIRECTORY)[0] == AT_END:
        return "its directory is told of in a footer only"
    if struct.unpack_from("<Q", head, DESCRIPTOR)[0] != 1:
        return "its descriptor does not follow the header"
    try:
        text = head[SECTOR : SECTOR + MOST].rstrip(b"\0").decode("ascii").lower()
    except UnicodeDecodeError:
        return "its descriptor is not ASCII"
    lines = [line for line in map(str.strip, text.split("\n")) if line and not line.startswith(("#", "ddb"))]
    extents = [line for line in lines if not _field(line)]
    odd = next((line for line in extents if line.split(" ")[0] not in ACCESS or "/" in line), None)
    if odd is not None:
        return f"its descriptor has a line that they do not take: {odd[:60]!r}"
    return "" if extents else "its descriptor names no extent"


def _field(line: str) -> bool:
    return "=" in line and " " not in line.split("=", maxsplit=1)[0]


def replaced(block: bytes, at: int, head: bytes) -> bytes:
    """`block`, which lies at byte `at` of a file, with what `head` has in its place."""
    there = head[at : at + len(block)]
    return there + block[len(there) :] if there else block
