"""The layers of the package: imports go strictly downwards."""

from __future__ import annotations

import ast
from pathlib import Path

import stackbook

PACKAGE = Path(stackbook.__file__).parent
LAYERS = [
    {"errors", "ticker"},
    {"plans", "config", "journal", "ini", "services"},
    {"interfaces", "packstack"},
    {"hosts", "cloud", "options", "render", "secrets"},
    {"site", "proof", "migration", "backups", "units"},
    {"resources", "logs"},
    {"persistence"},
    {"engine", "pictures", "vlans"},
    {"checks", "desired", "installing", "moves", "report", "restarts", "storage", "tables", "troubleshooting"},
    {"health", "hostfacts"},
    {"runbook", "sandbox"},
    {"cli", "widgets"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path: Path) -> set[str]:
    """The parts of stackbook that a file imports when it runs; imports for type checking only do not count."""
    found: set[str] = set()
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            skipped.update(child for statement in node.body for child in ast.walk(statement))
        if node not in skipped and isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stackbook."):
            found.add(node.module.split(".")[1])
    return found


def test_imports_go_strictly_downwards() -> None:
    """No file imports from its own layer (its own package apart) or from one above."""
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part == "__init__" or "inside" in path.parts:
            continue
        assert part in LEVEL, f"{path.relative_to(PACKAGE)} belongs to no layer: add it to LAYERS"
        wrong += [
            f"{path.name} ({part}) imports {other}" for other in imports(path) if other != part and LEVEL[other] >= LEVEL[part]
        ]
    assert not wrong


def test_the_sandbox_services_import_nothing_of_the_rest() -> None:
    """The code inside the sandbox's environment imports nothing from stackbook."""
    for path in (PACKAGE / "sandbox" / "inside").rglob("*.py"):
        assert not imports(path), path
