"""Clocks of hosts that are wrong: the times of their lines are set right, and the difference is evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stackbook.logs.chain import Hit
from stackbook.logs.event import Clock, Found
from stackbook.logs.evidence import Evidence
from stackbook.logs.signatures import Signatures
from stackbook.logs.timeline import merge

WORTH_TELLING = 60.0
"""Seconds of difference that OpenStack does not put up with for long."""

RECENT = timedelta(minutes=10)
"""A clock that is right is taken to have been right for so long."""


def set_right(found: Found) -> Found:
    """The same with the times of hosts whose clock is wrong set right."""
    return replace(found, events=merge(found.events, found.stats.clocks))


def wrong(clocks: Mapping[str, Clock]) -> dict[str, Clock]:
    """Those that are wrong by more than a minute."""
    return {host: clock for host, clock in clocks.items() if clock.skewed and abs(clock.offset) > WORTH_TELLING}


def skews(clocks: Mapping[str, Clock], known: Signatures) -> Iterator[Hit]:
    """Clocks that are behind: what their hosts send looks older than it is, and is not taken."""
    for host, clock in wrong(clocks).items():
        if clock.offset < 0:
            values = {"host": host, "difference": lasting(clock)}
            yield Hit(
                known["clock-skew"], Evidence(host, "clock, compared with ours", None, clock_text(host, clock), values=values)
            )


def overruled(hit: Hit, clocks: Mapping[str, Clock], failed: datetime | None) -> bool:
    """Whether a line says that a clock is wrong which is right now: for a failure of the last minutes the clock itself counts."""
    if hit.signature.id != "clock-skew" or hit.evidence.event is None or failed is None:
        return False
    host = hit.evidence.values.get("host", "")
    return host in clocks and host not in wrong(clocks) and datetime.now(UTC) - failed < RECENT


def clock_text(host: str, clock: Clock) -> str:
    """A sentence about a clock."""
    return f"the clock of {host} is {lasting(clock)} {'behind' if clock.offset < 0 else 'ahead'}"


def lasting(clock: Clock) -> str:
    """The difference, such as ``2:05:00``."""
    return str(timedelta(seconds=round(abs(clock.offset))))
