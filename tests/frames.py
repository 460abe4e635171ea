"""Ethernet frames on interfaces, with their VLAN tags; standard library only, as it is executed on sandbox hosts.

``frames.py send INTERFACE TEXT`` sends a frame that carries TEXT; ``frames.py hear SECONDS INTERFACE...`` says ``ready``,
listens, and prints a line ``INTERFACE TAG TEXT`` for each such frame (tag 0: none), until one has come on each or time is up.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time

ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802)."""
ALL = 3
PACKET, AUXDATA = 263, 8
VLAN_VALID = 0x10


def send(interface: str, text: str) -> None:
    """Broadcast a frame."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        source: bytes = raw.getsockname()[4]
        raw.send(b"\xff" * 6 + source + struct.pack("!H", ETHERTYPE) + text.encode().ljust(46, b"\0"))


def hear(seconds: float, interfaces: list[str]) -> None:
    """Print what comes in."""
    sockets = {_opened(name): name for name in interfaces}
    print("ready", flush=True)
    waiting, deadline = set(interfaces), time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        for ready in select.select(list(sockets), [], [], left)[0]:
            found = _frame(ready)
            if found:
                print(sockets[ready], *found, flush=True)
                waiting.discard(sockets[ready])


def _opened(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    raw.setsockopt(PACKET, AUXDATA, 1)
    raw.bind((interface, ALL))
    return raw


def _frame(raw: socket.socket) -> tuple[int, str] | None:
    data, told, _, _ = raw.recvmsg(2048, 64)
    (kind,) = struct.unpack("!H", data[12:14])
    tag = _tag(told)
    if kind == 0x8100:
        tag, kind, data = struct.unpack("!H", data[14:16])[0] & 0xFFF, struct.unpack("!H", data[16:18])[0], data[4:]
    return (tag, data[14:].rstrip(b"\0").decode()) if kind == ETHERTYPE else None


def _tag(told: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in told:
        if (level, kind) == (PACKET, AUXDATA):
            status, *_, tag, _ = struct.unpack("=IIIHHHH", value[:20])
            return tag & 0xFFF if status & VLAN_VALID else 0
    return 0


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    send(*rest) if verb == "send" else hear(float(rest[0]), rest[1:])
