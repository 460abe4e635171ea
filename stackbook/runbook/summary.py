"""A record as a person reads it on the terminal."""

from __future__ import annotations

from pathlib import Path

from stackbook.journal import JOURNAL, Event, read_events
from stackbook.plans import Change, Plan
from stackbook.render.text import plan_text
from stackbook.runbook.progress import Progress
from stackbook.runbook.record import Record

ENDINGS = {
    "planned": "nothing was changed",
    "applied": "applied",
    "unchanged": "nothing to do",
    "undone": "undone",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "still going on",
}


def tell(found: Record, folder: Path, progress: Progress) -> None:
    """Say what the run came to: the plan where it awaits approval, the error, and where its files are."""
    planned = [event for event in read_events(folder / JOURNAL) if event["event"] == "plan"]
    if found["status"] == "planned" and planned:
        progress.say("\n" + plan({**planned[-1], "site": found["site"]}))
    if found["error"]:
        progress.say("\n" + error_text(found["error"]), error=True)
    progress.say("\n" + ending(found))
    progress.say(f"  {found['report'] or found['notebook'] or folder}")


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
    """What the run came to, with its counts, and its id."""
    total, told = len(found["changes"]), ENDINGS[found["status"]]
    if found["undone_by"]:
        return f"{found['run']}: undone by {found['undone_by']}"
    if found["status"] == "unchanged" and not found["digest"]:
        told = "done, nothing was changed"
    if found["status"] in ("failed", "interrupted") and total:
        told += f" after {found['done']} of {total} changes"
    elif found["status"] in ("applied", "undone"):
        told += f", {_counted(found['done'], total)}"
        told += "; nothing left to do" if found["verified"] == [] else ""
    return f"{found['run']}: {told}"


def _counted(done: int, total: int) -> str:
    made = f"{done} change{'' if done == 1 else 's'} made"
    return f"{made}, {total - done} no longer needed" if total > done else made
