"""What a service prints, kept as its host's journald would: Python's logging complains there when it can't write a log.

A host's entries are in ``/run/log/journal/entries``, in journald's export form; its ``journalctl`` prints them.
"""

from __future__ import annotations

import logging
import os
import struct
import time
import traceback
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path

from openstack_sandbox import clock

FILE = "run/log/journal/entries"


class LogFile(WatchedFileHandler):
    """A service's log file; when it can't be written, the service goes on, and its host's journal has the complaint."""

    def __init__(self, path: Path, root: Path) -> None:
        super().__init__(path, delay=True)
        self._root = root

    def handleError(self, record: logging.LogRecord) -> None:
        """Complain as logging itself does; what could not be written is given up, and the file opened anew next time."""
        stream, self.stream = self.stream, None  # type: ignore[assignment]  # as before its first record
        if stream is not None:
            with suppress(OSError):
                stream.close()
        text = f"--- Logging error ---\n{traceback.format_exc()}Message: {record.msg!r}"
        add(self._root, Path(self.baseFilename).stem, text)


def add(root: Path, service: str, text: str) -> None:
    """Add what `service` of the host with the root folder `root` printed, an entry for each line."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = round((time.time() + clock.ahead(root)) * 1_000_000)
    fields = {
        "__REALTIME_TIMESTAMP": stamp, "_HOSTNAME": root.name, "_PID": os.getpid(), "PRIORITY": 6,
        "SYSLOG_IDENTIFIER": service, "_SYSTEMD_UNIT": f"{service}.service",
    }  # fmt: skip
    head = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    entries = b"".join(head + _message(line) + b"\n" for line in text.splitlines() if line.strip())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(entries)


def _message(line: str) -> bytes:
    content = line.encode()
    return b"MESSAGE\n" + struct.pack("<Q", len(content)) + content + b"\n"
