"""Entries of journald are searched where journalctl has them, binary fields too."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

from stackbook.logs import ambient, search
from tests.logs.trees import REQUEST, SERVER, host

MOMENT = datetime(2026, 11, 23, 14, 20, 53, 481000, UTC)


def entry(message: bytes, **fields: bytes) -> bytes:
    """An entry in journald's export form; what has newlines or colours is written with its length."""
    micro = b"%d" % round(MOMENT.timestamp() * 1e6)
    given = {
        "__REALTIME_TIMESTAMP": micro,
        "_PID": b"24675",
        "_SYSTEMD_UNIT": b"devstack@n-cpu.service",
        **fields,
        "MESSAGE": message,
    }
    lines = []
    for name, value in given.items():
        binary = b"\n" in value or b"\x1b" in value
        lines.append(name.encode() + (b"\n" + struct.pack("<Q", len(value)) if binary else b"=") + value + b"\n")
    return b"".join(lines) + b"\n"


def journalctl(root: Path, entries: bytes, complaint: str = "") -> None:
    """A journalctl of the host at `root` that answers with `entries`."""
    (root / "usr/bin").mkdir(parents=True)
    (root / "entries").write_bytes(entries)
    program = root / "usr/bin/journalctl"
    program.write_text(f"#!/bin/sh\ncat {root}/entries\n[ -z '{complaint}' ] || echo '{complaint}' >&2\n")
    program.chmod(0o755)


def test_entries_of_devstack_are_found(tmp_path: Path) -> None:
    """A coloured message without time, whose traceback with blank lines is a field, becomes a whole event; others are left."""
    coloured = b"\x1b[01;31mERROR nova.compute.manager [\x1b[01;36mNone %s \x1b[00;36madmin admin] [instance: %s] failed\x1b[00m"
    traceback = b"Traceback (most recent call last):\n  x\n\nnova.exception.BuildAbortException: no"
    hit = entry(coloured % (REQUEST.encode(), SERVER.encode()), EXCEPTION_TEXT=traceback, PRIORITY=b"3")
    journalctl(tmp_path, entry(b"INFO nova [-] other") + hit + entry(b"INFO nova [-] more"), "some files were not opened")
    found = search([host(tmp_path)], [REQUEST])
    (event,) = found.events
    assert (event.time, event.service, event.level, event.pid) == (MOMENT, "nova-compute", "ERROR", 24675)
    assert (event.request_id, event.instance, event.message) == (REQUEST, SERVER, "failed")
    assert event.exception == "nova.exception.BuildAbortException"
    assert event.place.startswith("compute1:journal:")
    assert [(row.what, row.reason) for row in found.skipped] == [("journal", "some files were not opened")]


def test_ambient_reads_priorities(tmp_path: Path) -> None:
    """Warnings and errors of the journal are ambient, also where only the priority says so."""
    written = ((b"no level in this", b"4"), (b"ERROR nova [-] an error", b"3"), (b"INFO nova [-] fine", b"6"))
    journalctl(tmp_path, b"".join(entry(message, PRIORITY=priority) for message, priority in written))
    found = ambient([host(tmp_path)], MOMENT, None)
    assert {(event.level, event.message) for event in found.events} == {("WARNING", "no level in this"), ("ERROR", "an error")}


def test_systemd_speaks_of_a_service(tmp_path: Path) -> None:
    """What systemd says of a unit is told of that unit's service, not of systemd's own scope."""
    said = entry(
        b"Failed to start nova-scheduler.service", PRIORITY=b"3", _SYSTEMD_UNIT=b"init.scope", UNIT=b"nova-scheduler.service"
    )
    journalctl(tmp_path, said)
    (event,) = ambient([host(tmp_path)], MOMENT, None).events
    assert (event.service, event.message) == ("nova-scheduler", "Failed to start nova-scheduler.service")
