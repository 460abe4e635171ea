"""The runs of a workspace: found by id, listed newest first."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from stackbook.config import workspace
from stackbook.errors import BadInput
from stackbook.journal import JOURNAL
from stackbook.runbook.record import RECORD, Record, record

LAST = "last"
"""Names the newest run."""


def runs_folder() -> Path:
    """The workspace's ``runs/``."""
    return workspace() / "runs"


def folders() -> list[Path]:
    """The folders of all runs, newest first."""
    return sorted((path.parent for path in runs_folder().glob(f"*/{JOURNAL}")), key=lambda folder: folder.name, reverse=True)


def find_run(name: str) -> Path:
    """The folder of the run `name`: its id, the end of it, a path, or ``last``; BadInput when none or several match."""
    if "/" in name and (Path(name) / JOURNAL).is_file():
        return Path(name).resolve()
    found = folders()
    matching = (
        found[:1]
        if name == LAST
        else [folder for folder in found if folder.name == name] or [folder for folder in found if folder.name.endswith(name)]
    )
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise BadInput(f"run {name!r} is ambiguous", found=[folder.name for folder in matching[:5]], hint="give the whole id")
    raise BadInput(f"there is no run {name!r} in {runs_folder()}", hint="stackbook runs")


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
