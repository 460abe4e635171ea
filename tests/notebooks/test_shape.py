"""The shape of a runbook notebook: its parts in order, within its budget, committed clean."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.With)
MOST_CELLS, MOST_LINES = 24, 8

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[Any]:
    """The notebook's cells of one kind."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_there_are_runbooks() -> None:
    """The tests below look at something."""
    assert len(NOTEBOOKS) >= 6


@every
def test_budget(path: Path) -> None:
    """At most 24 cells; code cells of at most 8 lines; no loops, definitions or shell."""
    assert len(nbformat.read(path, as_version=4).cells) <= MOST_CELLS
    for cell in cells(path, "code"):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        assert not cell.source.lstrip().startswith(("!", "%")), cell.source
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, FORBIDDEN)], cell.source


@every
def test_as_much_prose_as_code(path: Path) -> None:
    """There are at least as many words of prose as of code."""
    prose = sum(len(cell.source.split()) for cell in cells(path, "markdown"))
    assert prose >= sum(len(cell.source.split()) for cell in cells(path, "code"))


@every
def test_committed_clean(path: Path) -> None:
    """No outputs, execution counts or run metadata."""
    book = nbformat.read(path, as_version=4)
    assert not any(cell.outputs or cell.execution_count for cell in cells(path, "code"))
    assert set(book.metadata) == {"kernelspec", "language_info"}


@every
def test_opens_with_its_table_and_parameters(path: Path) -> None:
    """The first cell has a title and the table that a reader decides by; the second holds documented parameters."""
    first, second = nbformat.read(path, as_version=4).cells[:2]
    assert first.source.startswith("# ")
    for row in ("Changes", "Needs", "Takes", "Impact", "Undo"):
        assert f"| {row} |" in first.source, row
    assert second.metadata["tags"] == ["parameters"]
    for line in second.source.splitlines():
        assert "#" in line and ":" in line.split("=")[0], f"not «name: type = default  # help»: {line}"


@every
def test_parts_in_order(path: Path) -> None:
    """A notebook that applies has the headings of the shape, in order, and ends with undo and what to do if it fails."""
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    if "## Apply" not in text:
        return
    parts = ["## Before", "## Preflight", "## Desired", "## Plan", "## Apply", "## Verify", "## Nothing else changed", "## Undo"]
    wanted = [part for part in parts if path.stem != "undo" or part in ("## Plan", "## Apply", "## Verify")]
    assert [text.find(part) for part in wanted] == sorted(text.find(part) for part in wanted)
    assert all(part in text for part in wanted)
    assert "**If it fails**" in nbformat.read(path, as_version=4).cells[-1].source
