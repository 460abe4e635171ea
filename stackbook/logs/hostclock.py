"""What a host takes for the time, where that is wrong.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import time
from typing import Any

STARTING = 30.0
"""Seconds that it may take until this program runs, on a host with much to do."""


def clock_ahead(told: str) -> float:
    """Seconds that the host's ``date`` is ahead of what this process takes for the time: 0 wherever they are the same clock."""
    try:
        ahead = float(told) - time.time()
    except ValueError:  # no date, or one without parts of a second
        return 0.0
    return ahead if abs(ahead) > STARTING else 0.0


def by_clock(request: dict[str, Any], now: float) -> tuple[float | None, float | None]:
    """The times asked for, by this host's clock: one that is wrong by more than a slow start explains moves them along."""
    ahead = now - request.get("asked", now)
    if abs(ahead) <= STARTING:
        return request.get("since"), request.get("until")
    since, until = request.get("since"), request.get("until")
    return since and since + ahead - STARTING, until and until + ahead + STARTING
