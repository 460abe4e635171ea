"""Signs of life: consoles that tell of a boot gone wrong, and connections to a guest's ports."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from stackbook.errors import BadInput
from stackbook.migration import inspect
from stackbook.moves import answers
from stackbook.moves.landing import _answering, _answers, _network
from stackbook.moves.move import Move
from stackbook.moves.wanted import tcp_ports
from stackbook.resources import Port

from . import bundles
from .bundles import MIB

BAD = (
    ("SeaBIOS (version 1.16.2)\nBooting from Hard Disk...\nBoot failed: not a bootable disk\nNo bootable device.", "firmware"),
    ("[    1.2] VFS: Unable to mount root fs on unknown-block(0,0)", "driver"),
    ("[    1.2] Kernel panic - not syncing: Attempted to kill init!", "kernel"),
    ("Gave up waiting for root file system device.  Common problems:\nALERT!  /dev/sda1 does not exist.", "driver"),
    ("dracut-initqueue[312]: Warning: dracut-initqueue timeout - starting timeout scripts", "driver"),
    ("error: no such partition.\nEntering rescue mode...\ngrub rescue> ", "boot loader"),
    ("You are in emergency mode. After logging in, type journalctl", "fstab"),
    ("Give root password for maintenance\n(or press Control-D to continue): ", "fstab"),
    ('BdsDxe: failed to load Boot0001 "UEFI QEMU HARDDISK"', "bootx64"),
    ("UEFI Interactive Shell v2.2\nShell> ", "bootx64"),
    ("Stop code: INACCESSIBLE BOOT DEVICE", "Windows"),
)
GOOD = (
    "",
    "Debian GNU/Linux 12 web ttyS0\n\nweb login: ",
    "Welcome to GRUB!\n  Booting `Debian GNU/Linux'",
    "[    3.1] systemd[1]: Reached target emergency.target - condition unmet",
    "not told: HTTP 404",
)


@pytest.mark.parametrize(("console", "word"), BAD)
def test_sign(console: str, word: str) -> None:
    """A boot that goes wrong is told in words that say what to look at."""
    assert word in answers.sign(console)


@pytest.mark.parametrize("console", GOOD)
def test_no_sign(console: str) -> None:
    """A boot that goes well tells nothing."""
    assert answers.sign(console) == ""


def test_reached() -> None:
    """A real listener answers; a port where nothing listens refuses; a place without a path is told as such, soon."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert answers.reached("127.0.0.1", port) == answers.ANSWERS
    assert answers.reached("127.0.0.1", port) == answers.REFUSES
    begun = time.monotonic()
    assert answers.reached("255.255.255.255", 22, 0.5) == answers.NO_PATH  # no route leads to a broadcast over TCP
    assert answers.reached("192.0.2.1", 22, 0.5) in set(answers.TOLD) - {answers.ANSWERS}
    assert time.monotonic() - begun < 20  # a connection without an end of its own takes minutes


def test_what_is_told_of_a_machine(tmp_path: Path) -> None:
    """A port that was asked for and refuses beside one that answers is a counterexample; silence alone is told, no more."""
    bundle = inspect(bundles.ova(tmp_path, "m", (2 * MIB,)).path)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as closed:
        good, bad = listener.getsockname()[1], closed.getsockname()[1]
        closed.close()
        here = Move("m", bundle, [], [Port(name="p", network="n", ip_address="127.0.0.1")], (good, bad))
        assert [row["check"] for row in _answering(here)] == [f"m: TCP port {bad} at 127.0.0.1"]
        assert f"127.0.0.1 port {good}: answers; 127.0.0.1 port {bad}: refuses (nothing listens" in _network(
            here, _answers([here])
        )
    away = Move("m", bundle, [], [Port(name="p", network="n", ip_address="255.255.255.255")], (22,))
    assert list(_answering(away)) == []
    assert "no path from here" in _network(away, _answers([away]))
    assert Move("m", bundle, [], []).ports == (22,)
    assert _network(Move("m", bundle, [], []), {}) == "no address known beforehand"


def test_ports_asked_for() -> None:
    """``22+443`` are two; anything else is refused."""
    assert (tcp_ports("22+443"), tcp_ports("")) == ((22, 443), ())
    for odd in ("ssh", "0", "70000", "22;23", "-1", "9" * 40):
        with pytest.raises(BadInput, match="no TCP port"):
            tcp_ports(odd)
