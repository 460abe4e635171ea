"""The cells of an executed notebook as a report shows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackbook.render.redact import redact
from stackbook.report.outputs import AWAITING, Outputs
from stackbook.report.parameters import DECLARED, INJECTED, source, tagged
from stackbook.report.prose import Heading, code, headings, prose

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """One cell: prose, or code with its outputs."""

    prose: str = ""
    headings: tuple[Heading, ...] = ()
    code: str = ""
    outputs: tuple[str, ...] = field(default=(), repr=False)
    status: str = ""
    """``completed``, ``failed``, ``awaiting`` approval, ``skipped``, ``interrupted``, or empty when nothing is known."""
    seconds: float | None = None


def read_cells(path: Path) -> tuple[list[Cell], str]:
    """The cells of a notebook, and why there are none where it can't be read."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        return [cell for cell in notebook["cells"] if isinstance(cell, Mapping)], ""
    except FileNotFoundError:
        return [], f"{path.name} is not in this run's folder: what follows is from its record"
    except OSError as error:
        return [], f"{path.name} can't be read ({error.strerror}): what follows is from the run's record"
    except (ValueError, KeyError, TypeError):
        return [], f"{path.name} is cut short or no notebook: what follows is from the run's record"


def views(cells: Sequence[Cell], recorded: Iterable[Any]) -> list[View]:
    """The cells to show: parameters have a table of their own; what was not reached is there, and said to be."""
    outputs = Outputs()
    known = {entry["index"]: entry for entry in recorded if isinstance(entry, Mapping) and isinstance(entry.get("index"), int)}
    reached = any(_status(cell, known.get(index, {})) in ("completed", "failed", "awaiting") for index, cell in enumerate(cells))
    return [
        view for index, cell in enumerate(cells) if (view := _view(cell, index, known.get(index, {}), outputs, reached=reached))
    ]


def _view(cell: Cell, index: int, known: Mapping[str, Any], outputs: Outputs, *, reached: bool) -> View | None:
    kind = cell.get("cell_type")
    if kind == "markdown":
        html = prose(redact(source(cell)), index, cell.get("attachments"))
        return View(prose=html, headings=tuple(headings(html))) if html.strip() else None
    if kind != "code":
        return None
    status = _status(cell, known)
    if status not in ("failed", "interrupted") and (tagged(cell, DECLARED) or tagged(cell, INJECTED)):
        return None
    shown = tuple(outputs.html([output for output in cell.get("outputs") or () if isinstance(output, Mapping)]))
    if not source(cell).strip() and not shown:
        return None
    if not status and reached:
        status = "skipped"
    return View(code=code(redact(source(cell)).strip("\n")), outputs=shown, status=status, seconds=_seconds(cell, known))


def _status(cell: Cell, known: Mapping[str, Any]) -> str:
    """What is certain: an error output failed, a missing execution count was not run; then what was recorded."""
    errors = [
        output for output in cell.get("outputs") or () if isinstance(output, Mapping) and output.get("output_type") == "error"
    ]
    if errors:
        return "awaiting" if errors[-1].get("ename") in AWAITING else "failed"
    said = str(known.get("status") or _papermill(cell).get("status") or "")
    if said == "completed" and cell.get("execution_count") is None and cell.get("cell_type") == "code" and "status" not in known:
        return "skipped"
    if said in ("pending", "skipped"):
        return "skipped"
    if said == "running":
        return "interrupted"
    return said or ("completed" if cell.get("execution_count") else "")


def _seconds(cell: Cell, known: Mapping[str, Any]) -> float | None:
    found = known.get("seconds", _papermill(cell).get("duration"))
    return float(found) if isinstance(found, (int, float)) else None


def _papermill(cell: Cell) -> Mapping[str, Any]:
    metadata = cell.get("metadata")
    about = metadata.get("papermill") if isinstance(metadata, Mapping) else None
    return about if isinstance(about, Mapping) else {}
