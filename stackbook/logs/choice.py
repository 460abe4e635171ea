"""What a request wants: records that hold some strings, or those of some levels or patterns.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import re
from typing import Any

from stackbook.logs.attach import Record
from stackbook.logs.engines import normal

_JSON_LEVEL = re.compile(rb'"level(?:name)?": ?"([A-Z]+)"')
_PRIORITIES = {"0": b"CRITICAL", "1": b"CRITICAL", "2": b"CRITICAL", "3": b"ERROR", "4": b"WARNING"}
_OTHER_NAMES = {
    "WARNING": ("WARN", "warning", "warn"),
    "ERROR": ("TRACE", "error", "ERR"),
    "CRITICAL": ("critical", "EMER", "fatal"),
}


class Choice:
    """Which records are wanted."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.levels = {level.encode() for level in request.get("levels", ())}
        self.patterns = [re.compile(pattern) for pattern in request.get("patterns", ())]
        self.noise = re.compile("|".join(request.get("noise", ())) or r"(?!)")
        """What is in records that are never wanted: a limit shall not be used up by them."""
        self.every = not self.levels and not self.patterns
        """Whether holding one of the strings is enough."""
        self.strings = normal([*request.get("ids", ()), *self._level_names(), *request.get("literals", ())])
        """What to look for; every record that is wanted has one of them."""

    def keeps(self, record: Record) -> bool:
        """Whether the record is wanted."""
        if self.every:
            return True
        head = record.first.head
        level = head.level if head else b""
        if head and head.form == "json":
            found = _JSON_LEVEL.search(record.first.text)
            level = found.group(1) if found else b""
        lines = [record.first, *record.others[-3:]]
        if self.noise.search(record.first.text.decode("utf-8", "replace")):
            return False
        return level in self.levels or any(self._matches(line.text.decode("utf-8", "replace")) for line in lines)

    def keeps_entry(self, entry: dict[str, str]) -> bool:
        """Whether an entry of journald is wanted."""
        level = entry.get("LOGGER_LEVEL", "").encode() or _PRIORITIES.get(entry.get("PRIORITY", ""), b"")
        said = entry.get("MESSAGE", "")
        return self.every or ((level in self.levels or self._matches(said)) and not self.noise.search(said))

    def _matches(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in self.patterns)

    def _level_names(self) -> list[str]:
        """The levels as they stand in lines: between spaces, as JSON, and as neighbouring programs write them."""
        found = []
        for level in sorted(name.decode() for name in self.levels):
            found += [f" {level} ", f'"{level}"', f"[{level}]"]
            others = _OTHER_NAMES.get(level, ())
            found += [form for name in others for form in (f" {name} ", f"[{name}]", f"|{name}|", f":{name}]")]
        return found
