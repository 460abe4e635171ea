"""From a symptom to its causes: step by step to what was seen earlier and explains it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stackbook.logs.evidence import Evidence, agree
from stackbook.logs.signatures import Signature

SLACK = timedelta(seconds=2)
"""How much later than its effect a cause may be logged: processes write out of order, clocks differ a little."""
DEEPEST = 12
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Hit:
    """A piece of evidence that is a case of a signature."""

    signature: Signature
    evidence: Evidence

    @property
    def time(self) -> datetime:
        """When; an API's answer, which tells how things are now, counts as later than everything."""
        return self.evidence.time or _NEVER

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """What makes two hits the same case."""
        return self.signature.id, self.concerned, tuple(sorted(self.evidence.values.items()))

    @property
    def concerned(self) -> str:
        """The host that it is about."""
        return self.evidence.values.get("host") or self.evidence.host

    @property
    def tier(self) -> int:
        """How near it is to the subject: 0 names it or is of its request, 1 an API tells it, 2 same host and time."""
        if self.evidence.asked:
            return 1
        return 0 if self.evidence.linked else 2


Path = tuple[Hit, ...]
"""From a symptom to a cause."""


def paths(symptom: Hit, hits: Sequence[Hit]) -> list[Path]:
    """Every way from `symptom` to where nothing explains any more; each end once, by its shortest way."""
    ends: dict[tuple[object, ...], Path] = {}
    for path in _ways((symptom,), hits):
        known = ends.get(path[-1].key)
        if known is None or len(path) < len(known):
            ends[path[-1].key] = path
    return list(ends.values())


def _ways(path: Path, hits: Sequence[Hit]) -> Iterator[Path]:
    further = explaining(path[-1], hits, {hit.signature.id for hit in path}) if len(path) < DEEPEST else []
    if not further:
        yield path
    for hit in further:
        yield from _ways((*path, hit), hits)


def explaining(hit: Hit, hits: Iterable[Hit], seen: set[str]) -> list[Hit]:
    """What explains `hit`, of the nearest tier that has something: per signature and host the latest that is not later.

    What leads no further than to another caller's report is kept only when nothing leads to a cause.
    """
    listed = list(hits)
    fitting = [other for other in listed if other.signature.id not in seen and _explains(other, hit)]
    for tier in (0, 1, 2):
        nearest: dict[tuple[str, str], Hit] = {}
        for other in sorted((each for each in fitting if each.tier == tier), key=lambda each: each.time):
            nearest[other.signature.id, other.concerned] = other
        if nearest:
            return _leading(list(nearest.values()), listed, seen)
    return []


def _leading(found: list[Hit], hits: list[Hit], seen: set[str]) -> list[Hit]:
    deeper = [hit for hit in found if leads_to_cause(hit, hits, seen | {each.signature.id for each in found})]
    return deeper or found


def leads_to_cause(hit: Hit, hits: Sequence[Hit], seen: set[str]) -> bool:
    """Whether `hit` is a cause, or something that explains it leads to one."""
    if hit.signature.kind == "cause":
        return True
    further = [other for other in hits if other.signature.id not in seen and _explains(other, hit)]
    return any(leads_to_cause(other, hits, seen | {other.signature.id}) for other in further)


def _explains(other: Hit, hit: Hit) -> bool:
    if other.signature.id not in hit.signature.explained_by or not agree(other.evidence.values, hit.evidence.values):
        return False
    if other.evidence.asked:
        return True
    if not hit.evidence.asked and other.time > hit.time + SLACK:
        return False
    return other.evidence.linked or other.signature.scope == "host"


def symptoms(hits: Iterable[Hit]) -> list[Hit]:
    """Where to begin: of each server or volume the last linked symptom; else the last linked relay, or all linked causes."""
    linked = [hit for hit in hits if hit.evidence.linked and not hit.signature.alone]
    for kind in ("symptom", "relay"):
        last = {_whose(hit): hit for hit in sorted((hit for hit in linked if hit.signature.kind == kind), key=_logged_last)}
        if last:
            return list(last.values())
    return list({hit.signature.id: hit for hit in linked if not hit.evidence.asked}.values())


def _whose(hit: Hit) -> str:
    return next((hit.evidence.values[name] for name in ("server", "volume") if name in hit.evidence.values), "")


def _logged_last(hit: Hit) -> tuple[bool, datetime]:
    """A log's line tells more than the API about the same."""
    return not hit.evidence.asked, hit.time
