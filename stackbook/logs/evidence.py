"""Evidence: a line of a log or an answer of an API, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from stackbook.logs.event import LogEvent

LONGEST = 1000
"""Characters of a text that is shown."""


@dataclass(frozen=True)
class Evidence:
    """One observation that a diagnosis rests on."""

    host: str
    """Where it was logged, or the host that an API's answer is about; empty for the whole site."""
    file: str
    """The log; for an API's answer, ``API: `` and what was asked."""
    time: datetime | None
    """UTC; of an API's answer, the time it tells of, where it has one."""
    text: str
    line: int | None = None
    service: str = ""
    level: str = ""
    linked: bool = True
    """Whether it names the subject, or is of the subject's request; else it is of the same host and time."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What it names: ``port``, ``host``, ``physnet`` and so on."""
    event: LogEvent | None = None

    @property
    def place(self) -> str:
        """Where it stands: ``host:file:line``, or the API."""
        if self.event is None:
            return self.file
        return f"{self.host}:{self.file}:{self.line or f'+{self.event.offset}'}"

    @property
    def asked(self) -> bool:
        """Whether an API told it."""
        return self.event is None

    def record(self) -> dict[str, Any]:
        """As JSON: host, file, line, time, text."""
        time = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if self.time else None
        return {"host": self.host, "file": self.file, "line": self.line, "time": time, "text": self.text}

    def with_line(self, line: int | None) -> Evidence:
        """The same with the line's number in its file."""
        return replace(self, line=line)


def from_event(event: LogEvent, *, linked: bool, values: Mapping[str, str]) -> Evidence:
    """A log's record as evidence; of its traceback, the last line."""
    return Evidence(
        host=event.host,
        file=event.file,
        time=event.time,
        text=told(event)[:LONGEST],
        line=event.line,
        service=event.service,
        level=event.level,
        linked=linked,
        values=values,
        event=event,
    )


def told(event: LogEvent) -> str:
    """What a record says: its message, and the exception that ends its traceback unless the message has it already."""
    last = event.traceback.rstrip().rpartition("\n")[2].strip()
    message = event.message.strip()
    return message if not last or last in message else f"{message}: {last}"


def agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two pieces of evidence name the same of everything that both name."""
    return all(other[name] == value for name, value in one.items() if name in other)
