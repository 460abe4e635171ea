"""One finding of an answer file."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def row(level: str, option: str, found: str, hint: str) -> Row:
    """A finding as a row: level (error, warning, note), option, what was found, the next step."""
    return {"level": level, "option": option, "found": found, "hint": hint}
