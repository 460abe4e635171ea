"""The index page over all runs, newest first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stackbook.render.values import shown
from stackbook.report import facts
from stackbook.report.page import NAME, render, save

INDEX = "index.html"
Key = tuple[str, ...]
"""Site, runbook, digest."""


@dataclass(frozen=True)
class Listed:
    """One run in the index."""

    name: str
    record: Mapping[str, Any]
    badge: tuple[str, str]
    when: str
    machine: str
    took: str
    made: str
    """``3 of 3``; empty for a run without changes."""
    given: str
    """Its parameters."""
    why: str
    """Why it came to no more; or which run its plan was approved for."""
    report: str
    """Its page relative to the index; empty when there is none."""
    notebook: str


def write_index(runs: Path) -> Path:
    """Write ``index.html`` over the run folders in `runs`: status, runbook, site, who, when, duration, digest, links."""
    runs = Path(runs)
    runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    listed = sorted((_listed(folder) for folder in runs.iterdir() if _run(folder)), key=lambda run: run.name, reverse=True)
    approved = defaultdict[Key, list[Listed]](list)
    for run in reversed(listed):
        if _begun(run):
            approved[_plan(run)].append(run)
    listed = [_approved(run, approved) for run in listed]
    counts = Counter(run.badge for run in listed)
    return save(runs / INDEX, render("index.html.j2", runs=listed, counts=counts.most_common()))


def _run(folder: Path) -> bool:
    return (
        folder.is_dir()
        and not folder.name.startswith(".")
        and any((folder / name).exists() for name in ("run.json", "journal.jsonl"))
    )


def _listed(folder: Path) -> Listed:
    record = facts.read_record(folder)
    started = facts.moment(record.get("started"))
    changes, done = facts.count(record.get("changes")), facts.count(record.get("done"))
    return Listed(
        name=folder.name,
        record=record,
        badge=facts.badge(record),
        when=facts.said_moment(started).removesuffix(" UTC"),
        machine=started.isoformat() if started else "",
        took=facts.duration(record),
        made=f"{done} of {changes}" if changes else "",
        why=str((record.get("error") or {}).get("what") or ""),
        given=", ".join(f"{name}={shown(value)}" for name, value in _parameters(record)),
        report=_link(folder, NAME),
        notebook=_link(folder, "notebook.ipynb"),
    )


def _approved(run: Listed, approved: Mapping[Key, list[Listed]]) -> Listed:
    """The run, no longer awaiting an approval that was given since: a later run had the same plan for the same site."""
    then = next((other for other in approved.get(_plan(run), ()) if other.name > run.name), None)
    if not _awaits(run) or then is None:
        return run
    return replace(run, badge=("Approved", "past"), why=f"its plan was approved and run as {then.name}")


def _awaits(run: Listed) -> bool:
    return run.record.get("status") == "planned"


def _begun(run: Listed) -> bool:
    """Whether its plan was approved: it was made, or in part; one that preflight stopped, say, was not."""
    begun = any(word != "not begun" for word, _, _ in facts.states(run.record))
    return begun or run.record.get("status") in ("applied", "undone")


def _plan(run: Listed) -> Key:
    return tuple(str(run.record.get(name)) for name in ("site", "runbook", "digest"))


def _parameters(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    given = record.get("parameters")
    if isinstance(given, Mapping):
        yield from ((str(name), value) for name, value in given.items() if name not in ("site", "approve"))


def _link(folder: Path, name: str) -> str:
    return f"{quote(folder.name, safe='')}/{name}" if (folder / name).is_file() else ""
