"""How a run ended: told from what stopped it, what failed, and what its journal says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackbook.config import at_site
from stackbook.errors import StackbookError
from stackbook.journal import Run
from stackbook.runbook.record import AWAITING, Record, last_attempt, outcome, status_of
from stackbook.runbook.stopping import Stop
from stackbook.runbook.transcript import FAILED, Transcript, failure

if TYPE_CHECKING:
    from stackbook.runbook.order import Order

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ended:
    """The last event of an attempt."""

    status: str
    error: Record | None = None
    exit_code: int | None = None
    """Set where the status alone does not tell it: after a signal."""

    def record(self) -> Record:
        """The details of the ``end`` event."""
        return {"status": self.status, "error": self.error, "exit_code": self.exit_code}


def ended(run: Run, stop: Stop, transcript: Transcript | None, stumble: Exception | None, order: Order) -> Ended:
    """The end of the attempt; `stumble` is what kept the notebook from being executed to its end."""
    attempt = last_attempt(run.events())
    status, error = outcome(attempt)
    if stop.exit_code:
        return Ended("interrupted", _stopped(f"stopped by {stop.reason}", run), stop.exit_code)
    if stop.reason:
        return Ended("failed", _stopped(f"not done within its {order.timeout:g} s (--timeout)", run))
    if stumble:
        return Ended("failed", _told(stumble))
    cell = _failed_cell(transcript)
    if cell is not None:
        found = _sited(_same(error, cell) or _cell_error(cell, run), run)
        return Ended(status_of(found), _advised(found, run, order))
    if status == "planned" and not error:
        return Ended(status)
    return Ended(status or "failed", error)


def _sited(error: Record, run: Run) -> Record:
    """The error whose hint, where it is a command, names the run's site."""
    return {**error, "hint": at_site(error["hint"], run.site)} if error.get("hint") else error


def _stopped(what: str, run: Run) -> Record:
    return {"type": "Stopped", "what": what, "found": None, "hint": f"stackbook resume {run.id}"}


def _told(stumble: Exception) -> Record:
    if isinstance(stumble, StackbookError):
        return stumble.record()
    return {"type": type(stumble).__name__, "what": str(stumble)[:2000] or "no message", "found": None, "hint": None}


def _failed_cell(transcript: Transcript | None) -> Any:
    cells = transcript.nb.cells if transcript else []
    return next((cell for cell in cells if (cell.metadata.get("papermill") or {}).get("status") == FAILED), None)


def _same(error: Record | None, cell: Any) -> Record | None:
    """The journal's error when it is the one that failed the cell: it has more to tell."""
    output = failure(cell)
    return error if error and output and error.get("type") == output.ename else None


def _cell_error(cell: Any, run: Run) -> Record:
    """The error as the cell shows it; what stackbook raised is taken apart again, and a cloud's failure can be traced."""
    output = failure(cell)
    if output is None:
        return {"type": "CellFailed", "what": "a cell failed without saying why", "found": None, "hint": None}
    lines = ANSI.sub("", output.evalue).splitlines() or [""]
    parts = {name: _after(lines, f"  {name}: ") for name in ("Found", "Try")}
    what = "\n".join(line for line in lines if not line.startswith(("  Found: ", "  Try: "))).removeprefix(f"{output.ename}: ")
    hint = parts["Try"] or (f"stackbook trace {run.id}" if _FOR_URL in what else None)
    return {"type": output.ename, "what": what or output.ename, "found": parts["Found"], "hint": hint}


_FOR_URL = " Error for url: "
"""Stands in what openstacksdk says when an API does not do what it was asked."""


def _after(lines: list[str], start: str) -> str | None:
    return next((line.removeprefix(start) for line in lines if line.startswith(start)), None)


def _advised(error: Record, run: Run, order: Order) -> Record:
    """The error with the exact command that would approve the plan."""
    if error.get("type") not in AWAITING or not order.command:
        return error
    digest = next((event["digest"] for event in reversed(run.events()) if event["event"] == "plan"), "DIGEST")
    more = " --allow-delete" if error["type"] == "Unsafe" else ""
    return {**error, "hint": f"read the plan above, then  {order.command} --approve {digest}{more}"}
