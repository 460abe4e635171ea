"""OpenStack operations as Jupyter runbooks that plan, apply, verify and undo."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "connect": "stackbook.site",
    "Absent": "stackbook.plans",
    "apply": "stackbook.engine",
    "find_run": "stackbook.site",
    "plan": "stackbook.engine",
    "plan_undo": "stackbook.engine",
    "verify": "stackbook.engine",
    "preflight": "stackbook.tables",
    "proofs": "stackbook.proof",
    "prove": "stackbook.checks",
    "survey": "stackbook.tables",
    "untouched": "stackbook.tables",
    "what_runs": "stackbook.tables",
    "StackbookError": "stackbook.errors",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what a notebook asks for when it asks: ``stackbook --help`` pays for none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stackbook' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
