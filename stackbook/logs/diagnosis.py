"""What a trace concludes: causes with their chains and remedies, what is not explained, and what was not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stackbook.logs.chain import Hit, Path
from stackbook.logs.event import Clock, LogEvent, Skipped
from stackbook.logs.evidence import Evidence
from stackbook.logs.subject import Subject


@dataclass(frozen=True)
class Cause:
    """A cause, how sure it is, and what mends it."""

    paths: tuple[Path, ...]
    """Each from a symptom to a case of the cause: one for each host, pool or port that it concerns."""
    confidence: float

    @property
    def path(self) -> Path:
        """The first of them."""
        return self.paths[0]

    @property
    def hit(self) -> Hit:
        """The cause itself."""
        return self.path[-1]

    @property
    def signature(self) -> str:
        """Its signature's id."""
        return self.hit.signature.id

    @cached_property
    def values(self) -> dict[str, str]:
        """What the evidence names, the cause's own last; what its cases differ in, one after the other."""
        found = {name: value for hit in self.path for name, value in hit.evidence.values.items()}
        for name in self.hit.evidence.values:
            listed = dict.fromkeys(path[-1].evidence.values.get(name, "") for path in self.paths)
            found[name] = ", ".join(sorted(filter(None, listed)))
        return found

    @property
    def summary(self) -> str:
        """One line about this case."""
        return self.hit.signature.summarized(self.values)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.hit.signature.advice(self.values)

    @property
    def runbook(self) -> dict[str, Any] | None:
        """The runbook that mends it, with its parameters."""
        runbook = self.hit.signature.runbook
        return runbook.filled(self.values) if runbook else None

    @property
    def evidence(self) -> list[Hit]:
        """All that it rests on, the cause first."""
        return list({hit.key: hit for path in self.paths for hit in reversed(path)}.values())

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "signature": self.signature,
            "summary": self.summary,
            "confidence": self.confidence,
            "evidence": [hit.evidence.record() for hit in self.evidence],
            "remedy": self.remedy,
            "runbook": self.runbook,
        }


@dataclass(frozen=True)
class Diagnosis:
    """What happened to a subject, why, and what is not known."""

    subject: Subject
    causes: list[Cause]
    events: list[LogEvent]
    """What names the subject or is of its requests, in order of time."""
    unknown: list[Evidence]
    """Errors that no signature explains, the nearest evidence where no cause is known."""
    skipped: list[Skipped] = field(default_factory=list)
    symptom: Hit | None = None
    clocks: dict[str, Clock] = field(default_factory=dict)
    """Hosts whose clock is wrong; the times of their events are set right."""
    site: str = ""
    """The site's name, for commands that mend it."""

    @property
    def chain(self) -> list[Hit]:
        """From the symptom to every cause, each step once."""
        steps = {hit.key: hit for cause in self.causes for path in cause.paths for hit in path}
        if not steps and self.symptom:
            return [self.symptom]
        return list(steps.values())

    def record(self) -> dict[str, Any]:
        """As JSON, with the keys of the command line's contract."""
        return {
            "subject": self.subject.record(),
            "causes": [cause.record() for cause in self.causes],
            "chain": [step(hit) for hit in self.chain],
            "events": len(self.events),
            "unknown": [evidence.record() for evidence in self.unknown],
            "skipped": [row.row() for row in self.skipped],
        }

    def __repr__(self) -> str:
        from stackbook.logs.shown import diagnosis_text

        return diagnosis_text(self)


def step(hit: Hit) -> dict[str, Any]:
    """A step of a chain as JSON."""
    return {"signature": hit.signature.id, "kind": hit.signature.kind, "meaning": hit.signature.meaning, **hit.evidence.record()}


def joined(ends: Iterable[Path]) -> list[Cause]:
    """The ways to one signature as one cause; the surest first."""
    alike: dict[str, list[Path]] = {}
    for path in ends:
        alike.setdefault(path[-1].signature.id, []).append(path)
    made = [Cause(tuple(sorted(ways, key=lambda way: way[-1].concerned)), max(map(confidence, ways))) for ways in alike.values()]
    return sorted(made, key=lambda cause: -cause.confidence)


def confidence(path: Path) -> float:
    """How sure a cause is, from 0 to 1: all steps name the subject; an API agrees; or it was only near."""
    if len(path) == 1:
        return 0.6 if path[0].evidence.asked else 0.9
    tiers = {hit.tier for hit in path[1:]}
    logged = any(not hit.evidence.asked for hit in path)
    if 2 in tiers:
        return 0.6
    if 1 in tiers:
        return 0.9 if logged else 0.7
    return 0.95
