"""The record of a run: derived from its journal and its notebook, whoever executed it and however it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stackbook import errors
from stackbook.errors import EXIT_AWAITS_APPROVAL, EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, BadInput
from stackbook.journal import JOURNAL, Event, living, read_events
from stackbook.render.redact import Redactor
from stackbook.runbook.files import write_private

NOTEBOOK, REPORT, RECORD, LOG = "notebook.ipynb", "report.html", "run.json", "log.txt"
Record = dict[str, Any]
DECISIVE = {"unchanged", "applied", "refused", "error", "approved", "started", "done", "failed"}
AWAITING = {"PlanNotApproved", "Unsafe"}
"""Errors that leave a plan for someone to approve."""
GOOD = {"applied", "unchanged", "undone"}


def record(folder: Path) -> Record:
    """What the run in `folder` was and did, as ``run --json`` prints it; BadInput when it has no journal.

    `status` is planned, applied, unchanged, failed, interrupted or undone; running while a process works on it.
    """
    events = list(read_events(folder / JOURNAL))
    if not events or events[0]["event"] != "run":
        raise BadInput(f"{folder} holds no run", hint="stackbook runs lists the runs")
    first, attempt = events[0], last_attempt(events)
    end = _last(attempt, "end") or {}
    about = {name: first.get(name) for name in ("run", "runbook", "site", "request_id", "user", "parameters", "versions")}
    about["run"] = folder.name
    changes = _changes(events)
    made = sum(change["state"] == "done" for change in changes)
    found = {
        **about,
        "status": _status(events, made, end, folder),
        "digest": _digest(events),
        "changes": changes,
        "done": made,
        "findings": [_bare(event) for event in events if event["event"] == "finding"],
        "started": first["time"],
        "finished": end.get("time") or (None if living(folder) else events[-1]["time"]),
        "notebook": _path(folder / NOTEBOOK),
        "report": _path(folder / REPORT),
        "error": end["error"] if end else _error(attempt),
        **_proofs(events),
        "resumed": sum(event["event"] == "resumed" for event in events),
        "by": (_last(events, "approved") or {}).get("by"),
        "undone_by": (_last(events, "undone") or {}).get("by"),
        "exit_code": end.get("exit_code"),
        "cells": cells(folder / NOTEBOOK),
    }
    return dict(Redactor().values(found))


def write_record(folder: Path, redact: Redactor | None = None) -> Record:
    """Derive the record anew and write it as ``run.json``, without what `redact` knows."""
    found = dict((redact or Redactor()).values(record(folder)))
    write_private(folder / RECORD, json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    return found


def last_attempt(events: Sequence[Event]) -> list[Event]:
    """The events since the run began or was last resumed."""
    begun = max((number for number, event in enumerate(events) if event["event"] in ("run", "resumed")), default=0)
    return list(events[begun:])


def outcome(attempt: Sequence[Event]) -> tuple[str, Record | None]:
    """What an attempt came to by its journal alone: status and error; status is empty when it stopped amid its changes."""
    decided = max((number for number, event in enumerate(attempt) if event["event"] in DECISIVE), default=-1)
    if decided < 0:
        planned = _last(attempt, "plan")
        return ("planned" if planned and planned["changes"] else "unchanged"), None
    last = attempt[decided]
    error = last.get("error")
    if last["event"] in ("unchanged", "applied"):
        contradicted = _contradicted(attempt[decided:])
        return ("failed", contradicted) if contradicted else (last["event"], None)
    if last["event"] in ("refused", "error", "failed"):
        return status_of(error), error
    return "", None


def status_of(error: Record | None) -> str:
    """The status of a run that this error ended."""
    if error and error.get("type") == "KeyboardInterrupt":
        return "interrupted"
    return "planned" if error and error.get("type") in AWAITING else "failed"


def exit_code(found: Record) -> int:
    """The exit code that tells the record to a script."""
    if found.get("exit_code"):
        return int(found["exit_code"])
    if found["status"] in GOOD:
        return EXIT_DONE
    if found["status"] == "planned":
        return EXIT_AWAITS_APPROVAL
    kind = getattr(errors, (found.get("error") or {}).get("type") or "", None)
    return EXIT_BAD_INPUT if isinstance(kind, type) and issubclass(kind, BadInput) else EXIT_FAILED


def cells(notebook: Path) -> list[Record]:
    """Each code cell's `index`, `status` (completed, failed, skipped, pending) and `seconds`, where papermill left word of it."""
    try:
        listed = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    code = [(index, cell) for index, cell in enumerate(listed) if cell.get("cell_type") == "code"]
    told = [(index, cell.get("metadata", {}).get("papermill")) for index, cell in code]
    statuses = {"running": "failed"}
    return [
        {"index": index, "status": statuses.get(about["status"], about["status"]), "seconds": about.get("duration")}
        for index, about in told
        if about and "status" in about
    ]


def _status(events: Sequence[Event], made: int, end: Event, folder: Path) -> str:
    if _last(events, "undone"):
        return "undone"
    found = end.get("status") or outcome(last_attempt(events))[0]
    alive = not end and living(folder)
    by_runner = "notebook" in events[0]
    if not end and (by_runner or not found):
        return "running" if alive else "interrupted"
    if found == "unchanged" and made:
        found = "applied"
    return "undone" if found == "applied" and (_last(events, "plan") or {}).get("undoes") else found


def _changes(events: Iterable[Event]) -> list[Record]:
    """The changes that were approved, each once, else those of the last plan; each with its state."""
    listed = list(events)
    approved = [change for event in listed if event["event"] == "approved" for change in event["changes"]]
    planned = (_last(listed, "plan") or {}).get("changes", [])
    states: dict[tuple[str, str], str] = {}
    addresses: dict[str, str] = {}
    for event in listed:
        if event["event"] == "started":
            addresses[event["change"]["address"]] = event["change"]["action"]
            states[event["change"]["action"], event["change"]["address"]] = "started"
        elif event["event"] in ("done", "failed"):
            states[addresses.get(event["address"], ""), event["address"]] = event["event"]
    if outcome(last_attempt(listed))[0] in ("applied", "unchanged"):
        # cut off between the change and its journal line: planned again, there was nothing left to do
        states = {key: "done" if state in ("started", "failed") else state for key, state in states.items()}
    unique = {(change["action"], change["address"]): change for change in reversed(approved or planned)}
    return [_change(change, states.get(key, "planned")) for key, change in reversed(unique.items())]


def _change(change: Record, state: str) -> Record:
    kept = {name: change.get(name) for name in ("action", "address", "fields", "reversible", "id", "reason", "said")}
    return {**kept, "state": state}


def _digest(events: Sequence[Event]) -> str | None:
    approved = [event for event in events if event["event"] == "approved" and event["by"] != "resume"]
    found = approved[-1:] or [event for event in events if event["event"] == "plan"][-1:]
    return found[0]["digest"] if found else None


def _proofs(events: Sequence[Event]) -> Record:
    planned = _last(events, "plan") or {}
    verified, untouched = _last(events, "verified"), _last(events, "untouched")
    return {
        "kept": planned.get("kept"),
        "stops": planned.get("stops", []),
        "undoes": planned.get("undoes"),
        "verified": verified["left"] if verified else None,
        "untouched": untouched["rows"] if untouched else None,
    }


def _contradicted(later: Sequence[Event]) -> Record | None:
    """The error of a proof that did not hold after the changes were made."""
    left, rows = (_last(later, "verified") or {}).get("left"), (_last(later, "untouched") or {}).get("rows")
    for what, found in (("something is left to do", left), ("something else changed", rows)):
        if found:
            return {"type": "ProofFailed", "what": f"{what}: {len(found)} counterexample(s)", "found": found[:5], "hint": None}
    return None


def _error(attempt: Sequence[Event]) -> Record | None:
    return outcome(attempt)[1]


def _last(events: Sequence[Event], name: str) -> Event | None:
    return next((event for event in reversed(events) if event["event"] == name), None)


def _bare(event: Event) -> Record:
    return {name: value for name, value in event.items() if name not in ("event", "time")}


def _path(path: Path) -> str | None:
    return str(path) if path.exists() else None
