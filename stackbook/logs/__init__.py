"""Logs of OpenStack's services: found, searched, parsed and put on one timeline."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackbook.logs.event import Clock, Found, HostStats, Limits, LogEvent, Skipped, Stats
    from stackbook.logs.gather import ambient, number_lines, search
    from stackbook.logs.timeline import merge, to_frame

_HOMES = {
    **dict.fromkeys(("Clock", "Found", "HostStats", "Limits", "LogEvent", "Skipped", "Stats"), "stackbook.logs.event"),
    **dict.fromkeys(("ambient", "number_lines", "search"), "stackbook.logs.gather"),
    **dict.fromkeys(("merge", "to_frame"), "stackbook.logs.timeline"),
}
__all__ = [
    "Clock",
    "Found",
    "HostStats",
    "Limits",
    "LogEvent",
    "Skipped",
    "Stats",
    "ambient",
    "merge",
    "number_lines",
    "search",
    "to_frame",
]


def __getattr__(name: str) -> Any:
    """Import a part when it is asked for: searching needs no pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stackbook.logs' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
