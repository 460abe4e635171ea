"""Whether a moved machine shows signs of life: what its console says, and what answers at its addresses."""

from __future__ import annotations

import errno
import re
import socket

ANSWERS, REFUSES, SILENT, NO_PATH = "answers", "refuses", "silent", "no path from here"
TOLD = {
    ANSWERS: "",
    REFUSES: "nothing listens there, or a firewall on the way says so",
    SILENT: "no path from here, a firewall, or the guest is not up",
    NO_PATH: "try it from a machine in that network",
}
WAIT = 2.0
"""Seconds that a connection may take."""
PORTS = {"linux": (22,), "windows": (3389, 5985)}
"""What usually listens, by the guest's family."""
SIGNS = (
    ("the firmware finds nothing to boot: look at firmware and hw_disk_bus", r"No bootable device|not a bootable disk"),
    ("the kernel stopped: look at the lines before it", r"Kernel panic"),
    (
        "the guest does not find its disk: its driver is missing, or the disk's name changed",
        r"VFS: Unable to mount root|Gave up waiting for (the )?root|dracut-initqueue.*timeout|ALERT!.*does not exist",
    ),
    ("the boot loader does not find its files", r"grub rescue>|error: no such (device|partition)"),
    (
        "the guest stopped in emergency mode: a file system of its fstab is missing",
        r"in emergency mode|Give root password for maintenance",
    ),
    (
        "UEFI finds no boot loader: the file bootx64.efi is missing, or the machine was made for BIOS",
        r"UEFI Interactive Shell|BdsDxe: failed to load",
    ),
    ("Windows does not find its disk: its driver is missing", r"INACCESSIBLE.BOOT.DEVICE|0x0000007B"),
)
"""What a boot that goes wrong means, and what a console shows of it."""


def sign(console: str) -> str:
    """What a console tells of a boot that went wrong; empty where it tells nothing of the kind."""
    return next((told for told, pattern in SIGNS if re.search(pattern, console, re.IGNORECASE | re.MULTILINE)), "")


def reached(address: str, port: int, wait: float = WAIT) -> str:
    """What comes of connecting to a TCP port: one of the keys of `TOLD`; takes at most `wait` seconds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.settimeout(wait)
        found = tried.connect_ex((address, port))
    if found == 0:
        return ANSWERS
    if found == errno.ECONNREFUSED:
        return REFUSES
    return NO_PATH if found in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM) else SILENT
