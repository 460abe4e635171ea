"""The parameters of a run: name, value, default and help, read from the notebook and the record."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = Mapping[str, Any]
DECLARED, INJECTED = "parameters", "injected-parameters"
_COMMENT = re.compile(r"[^#'\"]*(?:(?:'[^']*'|\"[^\"]*\")[^#'\"]*)*#\s*(.*)")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a run."""

    name: str
    value: Any
    default: Any = None
    help: str = ""
    declared: bool = True

    @property
    def given(self) -> bool:
        """Whether its value is not the default."""
        return not self.declared or bool(self.value != self.default)


def parameters(cells: Sequence[Cell], recorded: Mapping[str, Any]) -> list[Parameter]:
    """The run's parameters: declared in the notebook, overridden by the injected cell, then by the record."""
    declared = {name: (value, help) for cell in cells if tagged(cell, DECLARED) for name, value, help in _assigned(cell)}
    injected = {name: value for cell in cells if tagged(cell, INJECTED) for name, value, _ in _assigned(cell)}
    values = {**{name: value for name, (value, _) in declared.items()}, **injected, **recorded}
    known = [name for name in values if name != "approve"]
    return [
        Parameter(name, values[name], *declared.get(name, (None, "")), declared=name in declared or not declared)
        for name in known
    ]


def tagged(cell: Cell, tag: str) -> bool:
    """Whether a cell has `tag`."""
    metadata = cell.get("metadata")
    return isinstance(metadata, Mapping) and tag in (metadata.get("tags") or ())


def source(cell: Cell) -> str:
    """A cell's source; notebooks may keep it as a list of lines."""
    raw = cell.get("source")
    return "".join(map(str, raw)) if isinstance(raw, list) else str(raw or "")


def _assigned(cell: Cell) -> Iterator[tuple[str, Any, str]]:
    lines = source(cell).splitlines()
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError):
        return
    for node in body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and value is not None:
            yield target.id, _literal(value), _comment(lines[(node.end_lineno or node.lineno) - 1])


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _comment(line: str) -> str:
    found = _COMMENT.fullmatch(line)
    return found[1].strip() if found else ""
