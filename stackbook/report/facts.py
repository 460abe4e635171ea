"""What a run's record says, in the words of a report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackbook.plans import Change
from stackbook.render.redact import Redactor
from stackbook.report.parameters import Parameter

Record = Mapping[str, Any]
STATUSES = {
    "planned": ("Awaits approval", "wait"),
    "applied": ("Applied", "good"),
    "unchanged": ("Nothing to do", "good"),
    "failed": ("Failed", "bad"),
    "interrupted": ("Interrupted", "warn"),
    "undone": ("Undone", "past"),
    "running": ("Running", "wait"),
}
"""Status to the words of its badge and the tone of the card's edge."""
BY_HAND = "Run cell by cell: prose and outputs are in the notebook; the plan and its proofs below are from the run’s journal."


@dataclass(frozen=True)
class Fact:
    """One entry of the strip of facts."""

    name: str
    value: str
    kind: str = ""
    """``code`` for digests and ids, ``time`` for a moment."""
    machine: str = ""
    """The moment as ISO 8601."""


def read_record(folder: Path) -> dict[str, Any]:
    """The run's record without secrets; status ``unknown`` and an error that says why, where it can't be read."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if isinstance(record, dict):
            return dict(Redactor().values(record))
        why = "run.json holds no record"
    except FileNotFoundError:
        why = "run.json is not there"
    except (OSError, ValueError) as error:
        why = f"run.json can't be read: {error}"
    hint = f"stackbook runs {shlex.quote(folder.name)}"
    return {"run": folder.name, "status": "unknown", "error": {"type": "Record", "what": why, "found": None, "hint": hint}}


def badge(record: Record) -> tuple[str, str]:
    """The words of the status badge, and its tone."""
    status = str(record.get("status") or "unknown")
    if status == "unchanged" and not record.get("digest"):
        return ("Findings", "warn") if record.get("findings") else ("Done", "good")
    return STATUSES.get(status, ("Unknown", "past"))


def strip(record: Record) -> list[Fact]:
    """Site, who, when, how long, digest, request id: those that are known."""
    started = moment(record.get("started"))
    facts = [
        Fact("Site", _text(record.get("site"))),
        Fact("Who", _who(record)),
        Fact("When", said_moment(started), "time", started.isoformat() if started else ""),
        Fact("Took", duration(record)),
        Fact("Plan", _text(record.get("digest")), "code"),
        Fact("Request id", _text(record.get("request_id")), "code"),
    ]
    return [fact for fact in facts if fact.value]


def said(record: Record) -> str:
    """One sentence: what happened."""
    changes, done = len(record.get("changes") or ()), count(record.get("done"))
    things = f"{changes} change{'s' if changes != 1 else ''}"
    match record.get("status"):
        case "planned":
            return f"{things} planned; nothing was changed."
        case "applied":
            so_already = f", {changes - done} were so already" if done < changes else ""
            made = f"{done} of {things}" if done == changes else f"{done} change{'s' if done != 1 else ''}"
            return f"{made} made{so_already}{_checked(record)}."
        case "unchanged":
            return f"The site is as it should be{_checked(record)}." if record.get("digest") else _found(record)
        case "failed" | "interrupted" if changes:
            return f"{done} of {things} made before the run ended."
        case "undone" if record.get("undoes"):
            return f"{done} of {things} made: run {record['undoes']} is taken back{_checked(record)}."
        case "undone":
            by = record.get("undone_by")
            return f"Its {things} were taken back{f' by {by}' if by else ''}."
    return ""


def next_step(record: Record, parameters: Sequence[Parameter]) -> tuple[str, str]:
    """What to do next and the exact command; empty when there is nothing to do."""
    run, status = str(record.get("run") or ""), record.get("status")
    if status == "planned" and record.get("digest") and by_hand(record):
        return "To apply it, set in the notebook’s parameters cell and run its cells again", f'approve = "{record["digest"]}"'
    if status == "planned" and record.get("digest"):
        return "To apply it", command(record, parameters, approve=str(record["digest"]))
    if status in ("failed", "interrupted") and _made(record):
        return "To go on where it stopped", f"stackbook resume {shlex.quote(run)}"
    return "", ""


def by_hand(record: Record) -> bool:
    """Whether the notebook was run cell by cell (JupyterLab, papermill, nbval): its parameters are then in no record."""
    return "parameters" in record and record["parameters"] is None and not record.get("notebook")


def resumed(record: Record) -> str:
    """That the run was resumed, and what its page shows for that reason; empty for one that was not, or changed nothing."""
    times = count(record.get("resumed"))
    if not times or not record.get("changes"):
        return ""
    again = "once" if times == 1 else f"{times} times"
    return f"This run was resumed {again}. Here is all that was approved; the cells below show what was left at the last attempt."


def undo(record: Record) -> tuple[str, str]:
    """How to take the run back: a sentence, and the exact command where there is one."""
    run = str(record.get("run") or "")
    if record.get("undone_by"):
        return f"This run was taken back by {record['undone_by']}.", ""
    lasting = [str(change.get("address")) for change in _changes(record) if change.get("reversible") is False and _begun(change)]
    if not _made(record):
        return "Nothing was changed: there is nothing to undo.", ""
    rest = f" It can’t bring back {', '.join(lasting)}." if lasting else ""
    return f"Undoing is a plan too: it is shown first, and applied with its digest.{rest}", f"stackbook undo {shlex.quote(run)}"


def command(record: Record, parameters: Sequence[Parameter], approve: str) -> str:
    """The command line that runs this again and approves its plan."""
    consent = ["--approve", approve, *(["--allow-delete"] if _unsafe(record) else [])]
    if record.get("undoes"):
        return shlex.join(["stackbook", "undo", str(record["undoes"]), *consent])
    words = ["stackbook", "run", str(record.get("runbook") or "")]
    for parameter in parameters:
        if parameter.given and parameter.name != "site":
            value = parameter.value if isinstance(parameter.value, str) else json.dumps(parameter.value)
            words += ["-p", f"{parameter.name}={value}"]
    return shlex.join([*words, *(["--site", str(record["site"])] if record.get("site") else []), *consent])


def duration(record: Record) -> str:
    """How long it took, for people: ``0.8 s``, ``2 min 5 s``, ``1 h 3 min``."""
    started, finished = moment(record.get("started")), moment(record.get("finished"))
    return said_seconds((finished - started).total_seconds()) if started and finished else ""


def said_seconds(seconds: float) -> str:
    """A duration for people."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(value: Any) -> datetime | None:
    """A time of the record; None where there is none or it is not one."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def said_moment(value: datetime | None) -> str:
    """A time for people, in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if value else ""


def count(value: Any) -> int:
    """A number of things: given as a number, or as the list of them."""
    return len(value) if isinstance(value, (list, tuple, dict)) else int(value) if isinstance(value, (int, float)) else 0


def _unsafe(record: Record) -> bool:
    error = record.get("error")
    return isinstance(error, Mapping) and error.get("type") == "Unsafe"


def states(record: Record) -> list[tuple[str, str, str]]:
    """How far a run came that did not come to its end: word, tone and address of each change."""
    if record.get("status") not in ("failed", "interrupted") or not any("state" in change for change in _changes(record)):
        return []
    words = {
        "done": ("made", "good"),
        "failed": ("failed", "bad"),
        "started": ("begun", "warn"),
        "planned": ("not begun", "past"),
    }
    return [
        (*words.get(str(change.get("state")), ("unknown", "past")), str(change.get("address"))) for change in _changes(record)
    ]


def recorded_changes(record: Record) -> list[Change]:
    """The record's changes as a plan shows them; unreadable ones are left out."""
    return [change for entry in _changes(record) if (change := _change(entry)) is not None]


def _change(entry: Record) -> Change | None:
    fields = {str(name): pair for name, pair in (entry.get("fields") or {}).items() if isinstance(pair, Mapping)}
    before, after = ({name: pair.get(side) for name, pair in fields.items()} for side in ("before", "after"))
    if entry.get("action") not in ("create", "update", "replace", "delete"):
        return None
    lasting = entry.get("reversible") is False
    address, reason = str(entry.get("address")), str(entry.get("reason") or "")
    said = {str(name): str(words) for name, words in (entry.get("said") or {}).items()}
    return Change(entry["action"], {}, address, before, after, not lasting, reason=reason, said=said)


def _found(record: Record) -> str:
    number = len(record.get("findings") or ())
    return f"{number} finding{'s' if number != 1 else ''}." if number else ""


def _made(record: Record) -> bool:
    return count(record.get("done")) > 0


def _changes(record: Record) -> list[Record]:
    return [change for change in record.get("changes") or () if isinstance(change, Mapping)]


def _begun(change: Record) -> bool:
    return bool(change.get("state", "done") != "planned")


def _checked(record: Record) -> str:
    """What the proofs said; nothing where they were not asked."""
    held = [words for key, words in (("verified", "verified"), ("untouched", "nothing else changed")) if _held(record.get(key))]
    return f"; {' and '.join(held)}" if held else ""


def _held(value: Any) -> bool:
    return value is True or value == []


def _who(record: Record) -> str:
    by = {"yes": ", approved in advance", "--yes": ", approved in advance"}.get(str(record.get("by")), "")
    return f"{_text(record.get('user'))}{by}" if record.get("user") else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
