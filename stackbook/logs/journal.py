"""Entries of journald that services of OpenStack wrote.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only. It reads journalctl's export
form, not its JSON: there a message with colours, as DevStack's have, is a list of numbers in which nothing can be found.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import IO

from stackbook.logs.engines import which
from stackbook.logs.find import PROJECTS

UNITS = ("devstack@*", *(prefix + project + "*" for project in PROJECTS for prefix in ("", "openstack-")))
FIELDS = (
    *("MESSAGE", "PRIORITY", "LOGGER_NAME", "LOGGER_LEVEL", "EXCEPTION_TEXT", "EXCEPTION_INFO", "REQUEST_ID"),
    *("SYSLOG_IDENTIFIER", "_PID", "_SYSTEMD_UNIT", "UNIT", "_HOSTNAME", "CONTAINER_NAME", "CODE_FUNC"),
)
_READ = 256 * 1024


def journal_entries(
    root: str, strings: Sequence[str], since: float | None, until: float | None, deadline: float
) -> Iterator[dict[str, str] | str]:
    """Entries that hold one of `strings`, or all, as dicts; a text is a reason why some are missing."""
    program = which("journalctl", "" if root == "/" else os.path.join(root, "usr/bin"))
    if not program or (root == "/" and not _journal_exists()):
        return
    command = [program, "--no-pager", "-q", "-o", "export"]
    command += [option for unit in UNITS for option in ("-u", unit)]
    command += ["--since", f"@{int(since)}"] if since is not None else []
    command += ["--until", f"@{int(until) + 1}"] if until is not None else []
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    needles = [string.encode("utf-8", "surrogateescape") for string in strings]
    try:
        for fields in entries(process.stdout):  # type: ignore[arg-type]
            if time.monotonic() > deadline:
                yield "the time limit was reached before its end"
                return
            if not needles or any(needle in value for needle in needles for value in fields.values()):
                yield {name: value.decode("utf-8", "surrogateescape") for name, value in fields.items()}
    finally:
        process.kill()
        said = process.stderr.read(500)  # type: ignore[union-attr]
        process.wait()
    if said.strip():
        yield said.decode("utf-8", "replace").strip()


def _journal_exists() -> bool:
    return any(os.path.isdir(folder) for folder in ("/var/log/journal", "/run/log/journal"))


def entries(stream: IO[bytes]) -> Iterator[dict[str, bytes]]:
    """The entries of journald's export form: ``NAME=text``, or ``NAME``, a length in 8 bytes, and as many bytes."""
    fields: dict[str, bytes] = {}
    wanted = {name.encode() for name in (*FIELDS, "__CURSOR", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP")}
    while True:
        line = stream.readline()
        if line in (b"", b"\n"):
            if fields:
                yield fields
                fields = {}
            if not line:
                return
            continue
        name, equals, value = line.rstrip(b"\n").partition(b"=")
        if not equals:
            size = int.from_bytes(stream.read(8), "little")
            value = stream.read(size)
            stream.read(1)
        if name in wanted:
            fields[name.decode()] = value[: 64 * 1024]
