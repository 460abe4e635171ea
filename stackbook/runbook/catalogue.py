"""The runbooks: found by name or path, described from their first cells."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackbook.config import workspace
from stackbook.errors import BadInput
from stackbook.runbook.declarations import Parameter, declared

FOLDER = "notebooks"
SUFFIX = ".ipynb"
INJECTED = "injected-parameters"
"""papermill's tag for the cell that sets the values given."""
PARAMETER_CELLS = {"parameters": "Parameters", INJECTED: "Values given"}
Notebook = dict[str, Any]


@dataclass(frozen=True)
class Runbook:
    """A runbook notebook, as its first cells describe it."""

    name: str
    path: Path
    title: str
    purpose: str
    """One sentence."""
    facts: dict[str, str]
    """The table below the title: what it changes, what it needs, how long, impact, how to undo."""
    parameters: tuple[Parameter, ...]
    notebook: Notebook = field(repr=False, compare=False)

    @property
    def shipped(self) -> bool:
        """Whether it is the shipped one, not a copy or one of the workspace."""
        return self.path.parent == shipped_folder()

    def declares(self, name: str) -> bool:
        """Whether it has a parameter `name`."""
        return any(parameter.name == name for parameter in self.parameters)

    def default(self, name: str) -> Any:
        """The default of parameter `name`; None where it declares none."""
        return next((parameter.default for parameter in self.parameters if parameter.name == name), None)

    def record(self) -> dict[str, Any]:
        """The description as JSON."""
        about = {"name": self.name, "title": self.title, "purpose": self.purpose, **self.facts}
        return {**about, "path": str(self.path), "shipped": self.shipped, "parameters": [p.record() for p in self.parameters]}


def shipped_folder() -> Path:
    """Where the shipped runbooks are: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / FOLDER
    return inside if inside.is_dir() else package.parent / FOLDER


def folders() -> tuple[Path, ...]:
    """The folders that are searched, in order: the workspace's, then the shipped one."""
    return tuple(dict.fromkeys((workspace() / FOLDER, shipped_folder())))


def listing() -> list[Runbook]:
    """All runbooks by name; a workspace's copy hides the shipped one."""
    paths: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*" + SUFFIX)):
            paths.setdefault(path.stem, path)
    return [read(path) for _, path in sorted(paths.items())]


def find(name: str) -> Runbook:
    """The runbook `name`: in the workspace's folder, else a shipped one, else the file at that path."""
    places = [folder / (name + SUFFIX) for folder in folders()] if "/" not in name else []
    for path in [*places, Path(name)]:
        if path.is_file():
            return read(path)
    known = sorted({path.stem for folder in folders() for path in folder.glob("*" + SUFFIX)})
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "stackbook list"
    raise BadInput(f"there is no runbook {name!r}", found=", ".join(known) or None, hint=hint)


def read(path: Path) -> Runbook:
    """Describe the runbook at `path`; BadInput when it is no notebook of format 4."""
    notebook = load(path)
    title, purpose, facts = _described(_source(next(_cells(notebook, "markdown"), {})))
    source = _source(tagged(notebook, "parameters") or {})
    parameters = declared(source, f"{path.name}: parameters cell")
    return Runbook(path.stem, path.resolve(), title or path.stem, purpose, facts, parameters, notebook)


def load(path: Path) -> Notebook:
    """The notebook at `path` as JSON."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not readable as a notebook: {error}", hint="stackbook list shows the runbooks") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        raise BadInput(f"{path}: not a notebook of format 4", hint="jupyter nbconvert --to notebook --nbformat 4 converts it")
    return notebook


def tagged(notebook: Notebook, tag: str) -> Notebook | None:
    """The first code cell with `tag`."""
    return next((cell for cell in _cells(notebook, "code") if tag in cell.get("metadata", {}).get("tags", [])), None)


def titles(notebook: Notebook) -> list[str]:
    """For each cell, what it is about: its place among the parameters, else the heading above it or in it."""
    found, current = [], "Start"
    for cell in notebook["cells"]:
        lines = _source(cell).splitlines() if cell.get("cell_type") == "markdown" else []
        current = next((line.lstrip("#").strip() for line in lines if re.match(r"#{1,6} ", line)), current)
        tags = cell.get("metadata", {}).get("tags", [])
        found.append(next((title for tag, title in PARAMETER_CELLS.items() if tag in tags), current))
    return found


def _cells(notebook: Notebook, kind: str) -> Iterator[Notebook]:
    return (cell for cell in notebook["cells"] if cell.get("cell_type") == kind)


def _source(cell: Notebook) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _described(text: str) -> tuple[str, str, dict[str, str]]:
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text)]
    lines = text.splitlines()
    title = next((line.lstrip("#").strip() for line in lines if line.startswith("#")), "")
    prose = [re.sub(r"^#.*\n?", "", block).strip() for block in blocks]
    purpose = next((" ".join(block.split()) for block in prose if block and not block.startswith("|")), "")
    return title, purpose, dict(_facts(lines))


def _facts(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        parts = [part.strip() for part in line.strip().strip("|").split("|")] if line.strip().startswith("|") else []
        name = parts[0].strip("*").lower() if parts else ""
        if len(parts) > 1 and name and not set(name) <= set("-: "):
            yield name, " | ".join(parts[1:]).strip()
