"""Reads what stestr prints while tests run, and counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

SERVICES = ("identity", "image", "network", "volume", "compute")

_LINE = re.compile(
    r"^\{\d+\} (?P<name>.+?)(?: \[(?P<seconds>[\d.]+)s\])? \.\.\. (?P<outcome>ok|FAILED|SKIPPED)(?:: (?P<reason>.*))?$"
)
_PLACE = re.compile(r"\btempest\.(?:api|scenario)\.(\w+)")


@dataclass(frozen=True)
class Result:
    """How one test ended."""

    name: str
    """Its full name; ``setUpClass (...)`` for a class that was skipped or failed as a whole."""
    outcome: str
    """``ok``, ``FAILED`` or ``SKIPPED``."""
    seconds: float
    reason: str = ""
    """Why it was skipped."""

    @property
    def service(self) -> str:
        """The service whose API it tests; ``other`` when its name tells none."""
        found = _PLACE.search(self.name)
        return found[1] if found and found[1] in SERVICES else "other"


@dataclass
class Counts:
    """All results so far."""

    results: list[Result] = field(default_factory=list)

    def of(self, outcome: str, service: str | None = None) -> int:
        """How many ended with `outcome`, in all or for one service."""
        return sum(1 for one in self.results if one.outcome == outcome and service in (None, one.service))

    @property
    def failed(self) -> list[str]:
        """The names of those that failed."""
        return [one.name for one in self.results if one.outcome == "FAILED"]

    @property
    def share(self) -> float:
        """Which part of those that ran passed; 0 when none ran."""
        ran = self.of("ok") + self.of("FAILED")
        return self.of("ok") / ran if ran else 0.0

    def table(self) -> Iterable[str]:
        """A line per service and one for all."""
        yield f"{'':10}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"
        for service in (*SERVICES, "other", None):
            chosen = [one for one in self.results if service in (None, one.service)]
            if chosen:
                numbers = [self.of(outcome, service) for outcome in ("ok", "FAILED", "SKIPPED")]
                spent = sum(one.seconds for one in chosen)
                yield f"{service or 'all':10}{numbers[0]:>8}{numbers[1]:>8}{numbers[2]:>9}{spent:>9.0f}"

    def skips(self) -> Iterable[str]:
        """A line per reason for skipping, the commonest first."""
        reasons = Counter(one.reason for one in self.results if one.outcome == "SKIPPED")
        return (f"{count:5}  {reason}" for reason, count in reasons.most_common())


def parse(line: str) -> Result | None:
    """The result that a line of stestr's output tells, if any."""
    found = _LINE.match(line.rstrip())
    return Result(found["name"], found["outcome"], float(found["seconds"] or 0), found["reason"] or "") if found else None
