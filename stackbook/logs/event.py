"""What a search of logs gives: events, and everything that could not be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

LEVELS = ("DEBUG", "INFO", "AUDIT", "WARNING", "ERROR", "CRITICAL")
"""Levels as events carry them, lowest first; ``WARN`` reads as ``WARNING``, ``TRACE`` of old releases as ``ERROR``."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One record of a log with what belongs to it: its traceback, and the further lines of its message."""

    time: datetime | None
    """UTC, by the clock of the host that wrote it; None when the line carries no time and none could be told."""
    host: str
    service: str
    """Such as ``nova-compute``; from the file's name, the unit or the container."""
    level: str
    """One of `LEVELS`; empty when the line has no level."""
    pid: int | None
    logger: str
    global_request_id: str | None
    request_id: str | None
    user: str | None
    """Id of the user whose request it is; None in work that a service does by itself."""
    instance: str | None
    """The id of the tag ``[instance: …]``."""
    message: str
    """Without prefix and context; at most 64 KiB of it."""
    traceback: str
    """Its lines without prefixes; empty when there is none."""
    exception: str | None
    """Class of the exception raised last, with its module where the log gives it."""
    file: str
    """Path on the host; ``journal`` for journald."""
    offset: int
    """Bytes before the record's first line; in a compressed file, of its content."""
    hits: tuple[int, ...] = ()
    """Offsets of its lines that hold what was searched for."""
    flags: tuple[str, ...] = ()
    """``forged`` (looks like a record, but stands inside another one's message), ``out-of-order``, ``cut`` (longer than the
    limit), ``headless`` (a line without the head of a record), ``ambiguous-time`` (in the hour that a clock change repeats)."""
    line: int | None = None
    """Line number in the file, where it was asked for (see `stackbook.logs.number_lines`)."""

    @property
    def request_ids(self) -> tuple[str, ...]:
        """Its global and its own request id, those it has."""
        return tuple(given for given in (self.global_request_id, self.request_id) if given)

    @property
    def place(self) -> str:
        """Where it stands, as ``host:file:line``; the byte offset as ``+n`` while the line number is not known."""
        return f"{self.host}:{self.file}:{self.line if self.line is not None else f'+{self.offset}'}"

    def with_line(self, line: int) -> LogEvent:
        """The same event with its line number."""
        return replace(self, line=line)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not searched, or not to its end."""

    host: str
    what: str
    """The file; empty for the whole host."""
    reason: str
    hint: str = ""

    def row(self) -> dict[str, str]:
        """As a row of a table."""
        return {"host": self.host, "what": self.what, "reason": self.reason, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Clock:
    """A host's clock against this machine's."""

    offset: float
    """Seconds that the host's clock is ahead."""
    error: float
    """Seconds that the offset may be wrong by: half the round trip."""

    @property
    def skewed(self) -> bool:
        """Whether the difference is more than measuring explains and enough to turn events around."""
        return abs(self.offset) > self.error + 0.5


@dataclass(frozen=True, slots=True)
class HostStats:
    """What searching one host took."""

    engine: str
    """Programs that searched, such as ``rg 13.0.0``; empty when nothing was searched."""
    files: int
    """Files searched, at least in part."""
    pruned: int
    """Files left out because all of them lies outside the times asked for."""
    bytes: int
    """Bytes searched, after decompression."""
    seconds: float
    cpu: float
    """CPU seconds on the host."""
    clock: Clock | None = None
    zone: str = ""
    """The host's time zone, such as ``CET+01:00``."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a search took."""

    seconds: float = 0.0
    hosts: dict[str, HostStats] = field(default_factory=dict)

    @property
    def clocks(self) -> dict[str, Clock]:
        """The clocks of the hosts that answered."""
        return {name: found.clock for name, found in self.hosts.items() if found.clock}


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a search in order of time, and what was skipped."""

    events: list[LogEvent]
    skipped: list[Skipped]
    stats: Stats = field(default_factory=Stats)

    def __add__(self, other: Found) -> Found:
        """Both, each event once."""
        return Found(
            in_order({(event.host, event.file, event.offset): event for event in (*other.events, *self.events)}.values()),
            list(dict.fromkeys([*self.skipped, *other.skipped])),
            Stats(self.stats.seconds + other.stats.seconds, {**other.stats.hosts, **self.stats.hosts}),
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a search may read and return, on each host."""

    events_per_file: int = 5_000
    events: int = 50_000
    answer_bytes: int = 64 * 1024 * 1024
    """Of matched text, before it is parsed."""
    seconds: float = 120.0
    line_bytes: int = 64 * 1024
    """Longer lines are cut to this before any pattern sees them."""
    record_lines: int = 400
    """Lines of one traceback or message."""


def in_order(events: Iterable[LogEvent]) -> list[LogEvent]:
    """By time; what has none, or the same, stays in order of file and offset."""
    listed = sorted(events, key=lambda event: (event.host, event.file, event.offset))
    return sorted(listed, key=_when)


def _when(event: LogEvent) -> Any:
    return (0, event.time.timestamp()) if event.time else (1, 0.0)
