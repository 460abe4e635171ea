"""Exceptions in records: the class raised last, and in a chained traceback the causes before it."""

from __future__ import annotations

import re

FRAME = "Traceback (most recent call last):"
_RAISED = re.compile(r"(?P<name>(?:[A-Za-z_]\w{0,80}\.){0,8}[A-Za-z_]\w{0,80})(?::\s|:?$)")
_SUMMARY = re.compile(r": (?P<name>(?:[A-Za-z_]\w{0,60}\.){0,8}[A-Z]\w{0,80})(?::\s|$)")
_ENDINGS = (
    "Error",
    "Exception",
    "Failed",
    "Failure",
    "Timeout",
    "NotFound",
    "Refused",
    "Invalid",
    "Exists",
    "Forbidden",
    "Unauthorized",
)
_BETWEEN = re.compile(r"\n\n(?:During handling of|The above exception was)[^\n]{0,200}\n\n")


def exception(message: str, traceback: str, level: str) -> str | None:
    """The class raised last: from the traceback's last line at its margin, else from the summary that oslo.log appends."""
    for line in reversed(causes(traceback)):
        if found := _RAISED.match(line):
            return found["name"]
    if level not in ("WARNING", "ERROR", "CRITICAL"):
        return None
    named = [found["name"] for found in _SUMMARY.finditer(message[:4096])]
    return next((name for name in reversed(named) if "." in name or name.endswith(_ENDINGS)), None)


def causes(traceback: str) -> list[str]:
    """The last line of each block of a chained traceback, the deepest cause first."""
    found = []
    for block in _BETWEEN.split(traceback) if traceback else ():
        raised = [line for line in block.split("\n") if _RAISED.match(line) and not line.startswith(FRAME)]
        found += raised[-1:] if len(block.split("\n")) > len(raised) else raised[:1]
    return found
