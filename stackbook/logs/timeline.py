"""Events of several hosts on one timeline, and as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from stackbook.logs.event import Clock, LogEvent, in_order

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = tuple(item.name for item in fields(LogEvent))


def merge(events: Iterable[LogEvent], clocks: Mapping[str, Clock] | None = None) -> list[LogEvent]:
    """The events in order of time, with the times of hosts whose clock is wrong set right.

    Args:
        events: Of any hosts.
        clocks: The hosts' clocks as measured (``found.stats.clocks``); a difference within what measuring explains is left alone.
    """
    ahead = {name: timedelta(seconds=clock.offset) for name, clock in (clocks or {}).items() if clock.skewed}
    return in_order(
        replace(event, time=event.time - ahead[event.host]) if event.time and event.host in ahead else event for event in events
    )


def to_frame(events: Iterable[LogEvent]) -> pd.DataFrame:
    """A row for each event; columns as the fields of `LogEvent`, ``time`` in UTC."""
    import pandas as pd

    rows = [[getattr(event, name) for name in COLUMNS] for event in events]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame.astype({"pid": "Int64", "line": "Int64"})
