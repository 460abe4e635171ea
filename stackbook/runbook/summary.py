"""A record as a person reads it on the terminal."""

from __future__ import annotations

from pathlib import Path

from stackbook.journal import JOURNAL, Event, read_events
from stackbook.plans import Change, Plan
from stackbook.render.text import plan_text
from stackbook.runbook.record import Record

ENDINGS = {
    "planned": "nothing was changed",
    "applied": "all changes made",
    "unchanged": "nothing to do",
    "undone": "taken back",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "still going on",
}


def summary(found: Record, code: int, folder: Path) -> str:
    """The plan where it awaits approval, the error, what the run came to, and where its files are."""
    lines = []
    planned = [event for event in read_events(folder / JOURNAL) if event["event"] == "plan"]
    if found["status"] == "planned" and planned:
        lines += ["", plan({**planned[-1], "site": found["site"]})]
    if error := found["error"]:
        lines += ["", error_text(error)]
    lines += ["", f"{found['run']}: {ending(found)}" + (f" (exit code {code})" if code else "")]
    lines += [f"  {name:9}{found[name]}" for name in ("report", "notebook") if found.get(name)][:1]
    return "\n".join(lines)


def plan(event: Event) -> str:
    """A journal's plan as a diff, with its digest."""
    return plan_text(Plan(event["site"], tuple(map(Change.revive, event["changes"])), kept=event["kept"]))


def error_text(error: Record) -> str:
    """The error in the form in which all errors read."""
    lines = [f"{error['type']}: {error['what']}"]
    if error.get("found") not in (None, "", [], {}):
        listed = error["found"]
        lines.append("  Found: " + ("; ".join(map(str, listed)) if isinstance(listed, list) else str(listed)))
    if error.get("hint"):
        lines.append(f"  Try: {error['hint']}")
    return "\n".join(lines)


def ending(found: Record) -> str:
    """What the run came to, with its counts."""
    total = len(found["changes"])
    told = ENDINGS[found["status"]]
    if found["status"] in ("failed", "interrupted") and total:
        told += f" after {found['done']} of {total} changes"
    elif found["status"] in ("applied", "undone"):
        told = f"{found['status']}, {found['done']} of {total} changes"
    return told
