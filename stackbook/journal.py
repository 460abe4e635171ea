"""A run's folder and its write-ahead journal: one JSON object per line, flushed and fsynced before the work goes on."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from stackbook.errors import BadInput, Busy

JOURNAL = "journal.jsonl"
RUN_VARIABLE = "STACKBOOK_RUN"
"""Names the run's folder to the kernel that the runner starts."""
Event = dict[str, Any]


@dataclass
class Run:
    """One run of a runbook: its folder, its global request id, its journal."""

    folder: Path
    runbook: str
    site: str
    request_id: str
    _held: IO[str] | None = field(default=None, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The folder's name, for example ``20261123T140501-provider-vlan-3f9c``."""
        return self.folder.name

    def write(self, event: str, **details: Any) -> None:
        """Append one event; returns when it is on disk. Begins the run if nothing did."""
        if not (self.folder / JOURNAL).exists():
            self.begin()
        self._append({"event": event, **details})

    def begin(self, **more: Any) -> None:
        """Make the folder, private to its owner, and write the first event: what this run is, and `more` about it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._append({"event": "run", **self._about(), **more})
        self.hold()

    def hold(self) -> None:
        """Keep the run marked as living while this process lives; raises Busy when another process has it."""
        held = (self.folder / JOURNAL).open()
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            raise Busy(f"run {self.id} is still going on", hint="wait for it: stackbook runs") from None
        self._held = held

    def release(self) -> None:
        """No longer mark the run as living."""
        if self._held:
            self._held.close()
        self._held = None

    def events(self) -> list[Event]:
        """All events so far, oldest first; a line cut short by a crash is left out."""
        return list(read_events(self.folder / JOURNAL))

    @property
    def resumed(self) -> bool:
        """Whether this is not the run's first attempt."""
        return any(event["event"] == "resumed" for event in self.events())

    def keep(self, name: str, value: Any) -> None:
        """Write `value` as JSON to the file `name` of the run's folder, as a whole; of a run that has not begun nothing."""
        if not (self.folder / JOURNAL).exists():
            return
        draft = self.folder / f".{name}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(value, stream, ensure_ascii=False, default=str)
        os.replace(draft, self.folder / name)

    def kept(self, name: str) -> Any:
        """What was kept under `name`; None where nothing was."""
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _about(self) -> Event:
        about = {"run": self.id, "runbook": self.runbook, "site": self.site, "request_id": self.request_id}
        return {**about, "user": getpass.getuser()}

    def _append(self, event: Event) -> None:
        line = json.dumps({"time": now(), **event}, ensure_ascii=False, default=str) + "\n"
        path = self.folder / JOURNAL
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if _cut_short(descriptor):
                line = "\n" + line
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def new_run(runbook: str, site: str, runs: Path) -> Run:
    """A run of its own below `runs`; its folder is made with the first event."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    folder = runs / f"{stamp}-{runbook or 'notebook'}-{secrets.token_hex(2)}"
    return Run(folder, runbook, site, request_id=f"req-{_uuid()}")


def open_run(folder: Path) -> Run:
    """The run whose journal lies in `folder`."""
    first = next(read_events(folder / JOURNAL), None)
    if first is None:
        raise BadInput(f"{folder} holds no journal", hint="stackbook runs lists the runs")
    return Run(folder, first["runbook"], first["site"], first["request_id"])


def current_run(runbook: str, site: str, runs: Path) -> Run:
    """The run that the runner started this kernel for; else a new one."""
    folder = os.environ.get(RUN_VARIABLE)
    return open_run(Path(folder)) if folder else new_run(runbook, site, runs)


def living(folder: Path) -> bool:
    """Whether a process still works on the run in `folder`."""
    try:
        with (folder / JOURNAL).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def read_events(path: Path) -> Iterator[Event]:
    """The events of a journal, oldest first; unreadable lines (a crash in the middle of one) are left out."""
    with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def now() -> str:
    """The time in UTC as ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid() -> str:
    import uuid

    return str(uuid.uuid4())


def _cut_short(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
