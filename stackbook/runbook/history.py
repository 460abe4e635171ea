"""The runs of a workspace: found by id, listed newest first."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from stackbook import site
from stackbook.config import workspace
from stackbook.errors import BadInput
from stackbook.journal import JOURNAL, read_events
from stackbook.runbook.record import RECORD, Record, record

SECOND = len("20261123T140501")
LAST = "last"
"""Names the newest run."""


def runs_folder() -> Path:
    """The workspace's ``runs/``."""
    return workspace() / "runs"


def folders() -> list[Path]:
    """The folders of all runs, newest first."""
    journals = runs_folder().glob(f"*/{JOURNAL}")
    return sorted((path.parent for path in journals), key=lambda folder: (folder.name[:SECOND], _begun(folder)), reverse=True)


def _begun(folder: Path) -> str:
    """When the first line was written: names tell the second only."""
    return str(next(read_events(folder / JOURNAL), {}).get("time", ""))


def find_run(name: str) -> Path:
    """The folder of the run `name`: its id, an unambiguous part of it, a path, or ``last``; BadInput when it is not one."""
    if name != LAST:
        return site.find_run(name).folder.resolve()
    newest = folders()[:1]
    if not newest:
        raise BadInput(f"there is no run in {runs_folder()} yet", hint="stackbook run RUNBOOK")
    return newest[0]


def told(folder: Path) -> Record:
    """The record of the run in `folder`: as written, or derived anew where its journal went on since."""
    with suppress(OSError, ValueError):
        written = folder / RECORD
        if written.stat().st_mtime_ns >= (folder / JOURNAL).stat().st_mtime_ns:
            return dict(json.loads(written.read_text(encoding="utf-8")))
    return record(folder)


def history() -> list[Record]:
    """The records of all runs, newest first."""
    return [told(folder) for folder in folders()]
