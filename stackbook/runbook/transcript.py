"""The executed notebook: what each cell did, saved after each as a whole, without secrets."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from stackbook.runbook.catalogue import INJECTED, titles
from stackbook.runbook.progress import Progress, lasting
from stackbook.runbook.record import AWAITING

Cell = Any
Redact = Callable[[str], str]
IDS_SINCE = (4, 5)
"""The notebook format that gives each cell an id."""
PENDING, RUNNING, COMPLETED, FAILED, SKIPPED = "pending", "running", "completed", "failed", "skipped"


class Transcript:
    """The notebook while it runs; stands where papermill has its execution manager.

    Each code cell's status is under ``metadata.papermill.status``: pending, running, completed, failed, or skipped when the
    run ended before it.
    """

    def __init__(self, nb: Any, save: Callable[[str], None], redact: Redact, progress: Progress) -> None:
        self.nb = nb
        self._save = save
        self._redact = functools.lru_cache(maxsize=4096)(redact)  # most of a notebook is as it was at the save before
        self._progress = progress
        self._titles = titles(nb)

    def begin(self) -> None:
        """Forget earlier outputs, mark every code cell pending, save."""
        self.nb.metadata.pop("widgets", None)
        self.nb.metadata.papermill = {"start_time": _now(), "end_time": None, "exception": None}
        for cell in self.nb.cells:
            cell.metadata.pop("papermill", None)
            if cell.cell_type == "code":
                cell.update(outputs=[], execution_count=None)
                cell.metadata.papermill = {
                    "status": PENDING,
                    "start_time": None,
                    "end_time": None,
                    "duration": None,
                    "exception": None,
                }
        self.save()

    def cell_start(self, cell: Cell, cell_index: int) -> None:
        """Mark the cell running, save, show its title."""
        cell.metadata.papermill.update(status=RUNNING, start_time=_now())
        self.save()
        self._progress.begin(self._titles[cell_index])

    def output(self, text: str) -> None:
        """Show what the running cell printed."""
        self._progress.output(text)

    def cell_exception(self, cell: Cell, cell_index: int, exception: BaseException | None = None) -> None:
        """Mark the cell failed."""
        cell.metadata.papermill.update(status=FAILED, exception=True)
        self.nb.metadata.papermill.exception = True

    def cell_complete(self, cell: Cell, cell_index: int) -> None:
        """Mark the cell completed if it did not fail, without its secrets; save."""
        about = cell.metadata.papermill
        cell.outputs = merged(cell.outputs)
        if about.status == RUNNING:
            about.update(status=COMPLETED, exception=False)
        about.end_time = _now()
        about.duration = (datetime.fromisoformat(about.end_time) - datetime.fromisoformat(about.start_time)).total_seconds()
        self._progress.end(_how(cell, about))
        self.save()

    def finish(self) -> None:
        """Mark what was not reached as skipped; save."""
        for cell in self.nb.cells:
            about = cell.metadata.get("papermill")
            if about and about.status == PENDING:
                about.status = SKIPPED
        self.nb.metadata.papermill.end_time = _now()
        self.save()

    def autosave_cell(self) -> None:
        """Nothing: a running cell's outputs are saved when it ends; until then the log has its lines."""

    def save(self) -> None:
        """Save the notebook as it is now."""
        self._save(json.dumps(clean(self.nb, self._redact), indent=1, ensure_ascii=False) + "\n")


def failure(cell: Cell) -> Any:
    """The error output of a failed cell; None where there is none."""
    return next((output for output in cell.outputs if output.output_type == "error"), None)


def node(notebook: dict[str, Any], parameters: str) -> Any:
    """`notebook` as papermill works on it, with a cell of `parameters` after its parameters cell; the original stays."""
    from nbformat import from_dict, v4

    made: Any = from_dict(copy.deepcopy(notebook))
    made.cells = [cell for cell in made.cells if INJECTED not in cell.metadata.get("tags", [])]
    for cell in made.cells:
        cell.source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
    if parameters:
        tagged = (number for number, cell in enumerate(made.cells, 1) if "parameters" in cell.metadata.get("tags", []))
        added: Any = v4.new_code_cell(parameters, metadata={"tags": [INJECTED]})
        if (made.nbformat, made.nbformat_minor) < IDS_SINCE:
            del added["id"]
        made.cells.insert(next(tagged, 0), added)
    return made


def merged(outputs: list[Any]) -> list[Any]:
    """`outputs` with adjacent pieces of one stream joined, so that no secret is torn apart, and only what lasts of them.

    Overwritten lines are left out, and those that only told how far something was. nbclient has an option for joining,
    which takes 18 s for a line of 100 kB.
    """
    found: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    for output in found:
        if output.output_type == "stream":
            lines = output.text.replace("\r\n", "\n").split("\n")
            output.text = lasting("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))
    return [output for output in found if output.output_type != "stream" or output.text]


def clean(value: Any, redact: Redact, kind: str = "") -> Any:
    """`value` with every text redacted; pictures, which are long and hold none, as they are."""
    if isinstance(value, str):
        return value if kind.startswith("image/") and kind != "image/svg+xml" else redact(value)
    if isinstance(value, dict):
        return {name: clean(item, redact, name) for name, item in value.items()}
    if isinstance(value, list):
        return [clean(item, redact, kind) for item in value]
    return value


def _how(cell: Cell, about: Any) -> str:
    error = failure(cell)
    if about.status == COMPLETED:
        return f"{about.duration:.1f} s"
    return "awaits approval" if error and error.ename in AWAITING else f"failed after {about.duration:.1f} s"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
