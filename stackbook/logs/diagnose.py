"""Trace a subject through the logs of a site and say why it is as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput
from stackbook.logs.asking import Answers
from stackbook.logs.chain import Hit, Path, paths, symptoms
from stackbook.logs.event import Found, LogEvent, Skipped, in_order
from stackbook.logs.evidence import Evidence, from_event, told
from stackbook.logs.findings import Case, findings
from stackbook.logs.gather import ambient, number_lines, search
from stackbook.logs.signatures import Signatures, signatures
from stackbook.logs.subject import REQUEST, UUID, Subject, moment, subjects

if TYPE_CHECKING:
    from stackbook.site import Site

BEFORE = timedelta(minutes=5)
"""How long before the first error the same hosts are looked at."""
AFTER = timedelta(seconds=5)
MOST_IDS = 40
"""Ids followed in one pass."""
MOST_UNKNOWN = 20
Progress = Callable[[str], None]


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


def diagnose(
    site: Site,
    given: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    request: str = "",
    ask: bool = True,
    known: Signatures | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """What happened to `given`, why, and what mends it.

    Args:
        site: Where.
        given: A UUID, a name, a request id or a run.
        since: Earliest time of the logs; else what the APIs say about when it began.
        until: Latest time.
        request: The request id of the run that `given` names.
        ask: Whether to ask the APIs; logs alone tell less.
        known: The signatures; else those shipped.
        progress: Called with a line of text at each step.

    Raises BadInput for a name that nothing or several things have, and for an id that neither an API nor a log knows.
    """
    say = progress or (lambda _: None)
    answers = Answers(site if ask else None)
    say(f"asking the APIs about {given}")
    subject = subjects(given, answers, request)
    return _Trace(site, subject, answers, known or signatures(), since or _since(subject), until, say).diagnosis()


class _Trace:
    """One trace on its way."""

    def __init__(
        self,
        site: Site,
        subject: Subject,
        answers: Answers,
        known: Signatures,
        since: datetime | None,
        until: datetime | None,
        say: Progress,
    ) -> None:
        self.site, self.subject, self.answers, self.known = site, subject, answers, known
        self.since, self.until, self.say = since, until, say
        self.found = Found([], [])
        self.asked: set[str] = set()

    def diagnosis(self) -> Diagnosis:
        """Search, match, ask, walk."""
        self._search([*self.subject.ids, *self.subject.requests])
        self._search(harvest(self.subject, self.found.events, self.known))
        events = [event for event in self.found.events if _ours(self.subject, event)]
        if not events and not self.subject.row and self.subject.kind in ("id", "request"):
            raise BadInput(
                f"{self.subject.given}: neither an API nor a log of site {self.site.name} knows it",
                found=[f"skipped: {row.host} {row.what}: {row.reason}" for row in self._skipped()[:5]],
                hint="check the id, and the site: --site NAME",
            )
        hits = [*self._faults(), *matched(events, self.known, linked=True)]
        if any(hit.signature.kind != "cause" for hit in hits) or any(serious(event) for event in events):
            hits += self._around(events)
        hits += findings(Case(self.subject, self.answers, hits), self.known)
        return self._concluded(events, hits)

    def _search(self, ids: Iterable[str]) -> None:
        new = [id for id in dict.fromkeys(ids) if id not in self.asked][:MOST_IDS]
        if new:
            self.asked.update(new)
            self.say(f"searching the logs of {len(self.site.hosts)} hosts for {len(new)} ids")
            self.found += search(self.site.hosts, new, since=self.since, until=self.until)

    def _around(self, events: Sequence[LogEvent]) -> list[Hit]:
        """What was logged on the same hosts at the time, by other work or none."""
        times = [event.time for event in events if event.time and serious(event)] or [
            event.time for event in events if event.time
        ]
        if not times:
            fault = moment((self.subject.row.get("fault") or {}).get("created"))
            times = [fault] if fault else []
        if not times:
            return []
        self.say("looking at what else happened there at the time")
        found = ambient(self.site.hosts, min(times) - BEFORE, max(times) + AFTER, patterns=self.known.ambient)
        seen = {(event.host, event.file, event.offset) for event in events}
        others = [event for event in found.events if (event.host, event.file, event.offset) not in seen]
        self.found = Found(self.found.events, list(dict.fromkeys([*self.found.skipped, *found.skipped])), self.found.stats)
        near = [hit for hit in matched(others, self.known, linked=False) if hit.signature.scope == "host"]
        return [hit for hit in near if not over(hit, others, max(times))]

    def _faults(self) -> list[Hit]:
        """What the APIs call the subject's failure, matched like a line of a log."""
        told = self.subject.row.get("fault") or {}
        texts = [("server fault", told.get("message"), told.get("created"), "")]
        texts += [
            ("volume message", row.get("user_message"), row.get("created_at"), "")
            for row in self.subject.related.get("messages", ())
        ]
        for action in self.subject.related.get("actions", ())[:1]:
            texts += [
                (f"instance event {one['event']}", one.get("details"), one.get("finish_time"), one.get("host"))
                for one in action.get("events") or ()
            ]
        hits = []
        for what, text, created, host in texts:
            for signature, values in self.known.matching(str(text or "")):
                evidence = Evidence(
                    str(host or ""),
                    f"API: {what}",
                    moment(created),
                    str(text),
                    values={**values, self.subject.kind: self.subject.id},
                )
                hits.append(Hit(signature, evidence))
        return hits

    def _concluded(self, events: list[LogEvent], hits: list[Hit]) -> Diagnosis:
        begun = [hit for hit in symptoms(hits) if _about(self.subject, hit)]
        ways = [path for symptom in begun for path in paths(symptom, hits)]
        ends = {path[-1].key: path for path in sorted(ways, key=lambda path: -len(path)) if path[-1].signature.kind == "cause"}
        if not ends and not self.subject.wrong:
            ends = {hit.key: (hit,) for hit in hits if hit.signature.alone}
        causes = joined(ends.values())
        known = {id(hit.evidence.event) for hit in hits if hit.evidence.event}
        unknown = unexplained(events, known, self.known)
        if not causes and (begun or self.subject.wrong):
            unknown = [*(path[-1].evidence for path in ways), *unknown]
        diagnosis = Diagnosis(self.subject, causes, events, unknown[:MOST_UNKNOWN], self._skipped(), begun[-1] if begun else None)
        return self._numbered(diagnosis)

    def _numbered(self, diagnosis: Diagnosis) -> Diagnosis:
        """With line numbers where somebody will look."""
        shown = [hit.evidence for cause in diagnosis.causes for path in cause.paths for hit in path] + diagnosis.unknown
        if diagnosis.symptom:
            shown.append(diagnosis.symptom.evidence)
        events = {id(one.event): one.event for one in shown if one.event}
        lines = {_at(event): event.line for event in number_lines(self.site.hosts, list(events.values()))}

        def numbered(evidence: Evidence) -> Evidence:
            return evidence.with_line(lines.get(_at(evidence.event))) if evidence.event else evidence

        causes = [
            Cause(
                tuple(tuple(Hit(hit.signature, numbered(hit.evidence)) for hit in path) for path in cause.paths), cause.confidence
            )
            for cause in diagnosis.causes
        ]
        symptom = diagnosis.symptom and Hit(diagnosis.symptom.signature, numbered(diagnosis.symptom.evidence))
        return replace(diagnosis, causes=causes, symptom=symptom, unknown=[numbered(one) for one in diagnosis.unknown])

    def _skipped(self) -> list[Skipped]:
        return list(dict.fromkeys([*self.answers.skipped, *self.found.skipped]))


def _at(event: LogEvent) -> tuple[str, str, int]:
    return event.host, event.file, event.offset


def _since(subject: Subject) -> datetime | None:
    """When the last thing that was done to the subject began; else when it was made."""
    actions = subject.related.get("actions") or [{}]
    begun = moment(actions[0].get("start_time")) if subject.wrong else None
    begun = begun or subject.begun
    return begun - timedelta(minutes=1) if begun else None


def matched(events: Iterable[LogEvent], known: Signatures, *, linked: bool) -> list[Hit]:
    """Each event with each signature that it is a case of."""
    hits = []
    for event in events:
        for signature, values in known.matching(told(event)):
            evidence = from_event(event, linked=linked, values={**_implied(event), **values})
            hits.append(Hit(signature, evidence))
    return hits


def over(hit: Hit, events: Iterable[LogEvent], until: datetime) -> bool:
    """Whether what `hit` tells had come to an end on its host before `until`."""
    if not hit.signature.over or hit.evidence.time is None:
        return False
    ending = re.compile(hit.signature.over)
    same = (event for event in events if (event.host, event.service) == (hit.evidence.host, hit.evidence.service))
    return any(event.time and hit.evidence.time < event.time < until and ending.search(event.message) for event in same)


def _implied(event: LogEvent) -> dict[str, str]:
    """What a record names without a word: the server by its tag, the host by the service that logs it."""
    implied = {"server": event.instance} if event.instance else {}
    if event.service == "nova-compute" or event.service.endswith("-agent"):
        implied["host"] = event.host
    return implied


def harvest(subject: Subject, events: Iterable[LogEvent], known: Signatures) -> list[str]:
    """Further ids to search for: requests that worked on the subject, and ports, volumes, images that its failures name.

    Requests that only read (GET) are left out, and so are a service's own periodic ones.
    """
    found: list[str] = []
    for event in events:
        if not _ours(subject, event) or not acts(event):
            continue
        found += [id for id in event.request_ids if REQUEST.fullmatch(id)]
        for _, values in known.matching(told(event)):
            found += [values[name] for name in ("port", "volume") if UUID.fullmatch(values.get(name, ""))]
    return list(dict.fromkeys(found))


def acts(event: LogEvent) -> bool:
    """Whether the record is of a request that changes something: of a user's request, and no GET."""
    return bool(event.global_request_id or event.instance or serious(event)) and not re.search(
        r'"?(?:GET|HEAD) /|GET: /', event.message[:300]
    )


def serious(event: LogEvent) -> bool:
    """Whether it tells of a failure."""
    return event.level in ("ERROR", "CRITICAL")


def _ours(subject: Subject, event: LogEvent) -> bool:
    """Whether the record is about the subject, and not about another server of the same request."""
    return subject.kind != "server" or event.instance in (None, "", subject.id) or subject.id in event.message


def _about(subject: Subject, hit: Hit) -> bool:
    return hit.evidence.values.get(subject.kind, subject.id) == subject.id


def unexplained(events: Iterable[LogEvent], known: set[int], signatures: Signatures) -> list[Evidence]:
    """Errors that no signature knows, each text once, the last first."""
    found: dict[str, Evidence] = {}
    for event in in_order(events):
        text = told(event)
        if serious(event) and id(event) not in known and not signatures.quiet.search(text):
            found[f"{event.logger} {UUID.sub('', text)[:200]}"] = from_event(event, linked=True, values={})
    return list(reversed(found.values()))


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
