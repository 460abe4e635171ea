"""The agent as one program text: the files that hosts run, made fit for old Pythons, with the request at its end."""

from __future__ import annotations

import ast
import json
import threading
from functools import cache
from pathlib import Path
from typing import Any

PARTS = (
    *("lines", "find", "engines", "seek", "running", "ways", "scan", "attach", "choice", "compressed", "journal"),
    *("hostclock", "counting", "agent"),
)
"""The files that hosts run, each after those it imports."""
_LOADER = """
import sys, types
def _module(name, source=""):
    module = types.ModuleType(name)
    module.__path__ = []
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    exec(compile(source, name.replace(".", "/") + ".py", "exec"), module.__dict__)
_module("stackbook")
_module("stackbook.logs")
"""

_START = "import gc\ngc.disable()\n"
"""Nothing that the agent makes refers to itself: to look for such things takes 2 ms of the 40 that it takes to start."""


def program(request: dict[str, Any]) -> str:
    """A Python program that answers `request` on its standard output."""
    with _LOCK:
        return _START + _parts() + _call(request)


def program_here(request: dict[str, Any]) -> str:
    """The same for the Python that runs this: its compiled files are there already."""
    place = str(Path(__file__).parents[2])
    return f"{_START}import sys\nsys.path.insert(0, {place!r})\nimport stackbook.logs.agent\n{_call(request)}"


def _call(request: dict[str, Any]) -> str:
    return f"import json\nsys.modules['stackbook.logs.agent'].main(json.loads({json.dumps(json.dumps(request))}))\n"


@cache
def _parts() -> str:
    folder = Path(__file__).parent
    parts = [f"_module('stackbook.logs.{name}', {_plain((folder / f'{name}.py').read_text())!r})\n" for name in PARTS]
    return _LOADER + "".join(parts)


def _plain(source: str) -> str:
    """`source` without annotations and docstrings: old Pythons can't read the first and nobody there reads the second."""
    return ast.unparse(_Plain().visit(ast.parse(source)))


_LOCK = threading.Lock()
"""Python 3.11 can't parse in two threads at once (SystemError: AST constructor recursion depth mismatch)."""
_FOR_ANNOTATIONS = ("__future__", "collections.abc", "typing")


class _Plain(ast.NodeTransformer):
    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.module in _FOR_ANNOTATIONS else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        node.body = _without_text(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.body = _without_text(node.body)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | None:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign(targets=[node.target], value=self.visit(node.value), lineno=node.lineno), node)


def _without_text(body: list[ast.stmt]) -> list[ast.stmt]:
    kept = [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return kept or [ast.Pass()]
