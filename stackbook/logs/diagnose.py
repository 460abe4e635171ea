"""Trace a subject through the logs of a site and say why it is as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stackbook.errors import BadInput
from stackbook.logs.asking import Answers, Row
from stackbook.logs.chain import Hit, paths, symptoms
from stackbook.logs.clocks import overruled, set_right, skews, wrong
from stackbook.logs.diagnosis import Cause, Diagnosis, joined
from stackbook.logs.event import Found, LogEvent, Skipped
from stackbook.logs.evidence import Evidence
from stackbook.logs.findings import Case, findings
from stackbook.logs.following import about, harvest, ours, serious
from stackbook.logs.gather import ambient, number_lines, search
from stackbook.logs.matching import matched, over, told_failures, unexplained
from stackbook.logs.signatures import Signatures, signatures
from stackbook.logs.subject import Subject, moment, subjects

if TYPE_CHECKING:
    from stackbook.site import Site

BEFORE = timedelta(minutes=5)
"""How long before the first error the same hosts are looked at."""
AFTER = timedelta(seconds=5)
LONG_BEFORE = timedelta(days=7)
"""How far back a service's start is looked for, where what it told then would explain."""
MOST_IDS = 40
"""Ids followed in one pass."""
MOST_UNKNOWN = 20
Progress = Callable[[str], None]


def diagnose(
    site: Site,
    given: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    run: Row | None = None,
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
        run: Where `given` names a run, what `stackbook.troubleshooting.run_told` tells of it.
        ask: Whether to ask the APIs; logs alone tell less.
        known: The signatures; else those shipped.
        progress: Called with a line of text at each step.

    Raises BadInput for a name that nothing or several things have, and for an id that neither an API nor a log knows.
    """
    say = progress or (lambda _: None)
    answers = Answers(site if ask else None)
    say(f"asking the APIs about {given}")
    subject = subjects(given, answers, run)
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
        events = [event for event in self.found.events if ours(self.subject, event)]
        if not events and not self.subject.row and self.subject.kind in ("id", "request"):
            raise BadInput(
                f"{self.subject.given}: neither an API nor a log of site {self.site.name} knows it",
                found=[f"skipped: {row.host} {row.what}: {row.reason}" for row in self._skipped()[:5]],
                hint="check the id, and the site: --site NAME",
            )
        hits = [*told_failures(self.subject, self.known), *matched(events, self.known, linked=True)]
        hits += self._around(events, hits)
        clocks, failed = self.found.stats.clocks, max(self._times(events, hits), default=None)
        hits = [hit for hit in hits if not overruled(hit, clocks, failed)] + [*skews(clocks, self.known)]
        hits += findings(Case(self.subject, self.answers, hits), self.known)
        hits += self._standing(hits, failed)
        return self._concluded(events, hits)

    def _search(self, ids: Iterable[str]) -> None:
        new = [id for id in dict.fromkeys(ids) if id not in self.asked][:MOST_IDS]
        if new:
            self.asked.update(new)
            self.say(f"searching the logs of {len(self.site.hosts)} hosts for {len(new)} ids")
            self.found += set_right(search(self.site.hosts, new, since=self.since, until=self.until))

    def _around(self, events: Sequence[LogEvent], hits: Sequence[Hit]) -> list[Hit]:
        """What was logged on the same hosts at the time, by other work or none."""
        times = self._times(events, hits)
        if not times:
            return []
        self.say("looking at what else happened there at the time")
        begin, end, known = min(times) - BEFORE, max(times) + AFTER, self.known
        found = set_right(ambient(self.site.hosts, begin, end, patterns=known.ambient, noise=known.noise))
        seen = {(event.host, event.file, event.offset) for event in events}
        others = [event for event in found.events if (event.host, event.file, event.offset) not in seen]
        self.found = Found(self.found.events, list(dict.fromkeys([*self.found.skipped, *found.skipped])), self.found.stats)
        near = [hit for hit in matched(others, self.known, linked=False) if hit.signature.scope == "host"]
        return [hit for hit in near if not over(hit, [*events, *others], max(times))]

    def _standing(self, hits: Sequence[Hit], failed: datetime | None) -> list[Hit]:
        """What would explain a hit and is logged once, at a service's start, long before: it holds until a start goes well."""
        seen = {hit.signature.id for hit in hits}
        wanted = {
            (host, name)
            for hit in hits
            for name in hit.signature.explained_by
            if name not in seen and self.known[name].lasting
            for host in self._concerned(hit)
        }
        if not wanted or failed is None:
            return []
        self.say("looking at how services started")
        hosts = [self.site.hosts[name] for name in {host for host, _ in wanted}]
        named = [self.known[name] for name in dict.fromkeys(name for _, name in wanted)]
        patterns = [text for signature in named for text in (signature.pattern, signature.over)]
        found = set_right(ambient(hosts, failed - LONG_BEFORE, failed, levels=(), patterns=patterns))
        near = matched(found.events, self.known, linked=False)
        standing = [hit for hit in near if (hit.concerned, hit.signature.id) in wanted]
        return [hit for hit in standing if not over(hit, found.events, failed)]

    def _concerned(self, hit: Hit) -> set[str]:
        """The hosts that a hit is about: where it was logged, and those it names, such as ``compute1@lvm``."""
        named = {value.partition("@")[0] for value in hit.evidence.values.values()}
        return {hit.concerned, *named} & set(self.site.hosts)

    def _times(self, events: Sequence[LogEvent], hits: Sequence[Hit]) -> list[datetime]:
        """Those of the errors; else of all lines; where nothing failed, of the last only: a server may be years old."""
        times = [event.time for event in events if event.time]
        errors = [event.time for event in events if event.time and serious(event)]
        fault = moment((self.subject.row.get("fault") or {}).get("created") or self.subject.row.get("ended"))
        if errors or not times:
            return errors or ([fault] if fault else [])
        return times if any(hit.signature.kind != "cause" for hit in hits) else [max(times)]

    def _concluded(self, events: list[LogEvent], hits: list[Hit]) -> Diagnosis:
        begun = [hit for hit in symptoms(hits) if about(self.subject, hit)]
        ways = [path for symptom in begun for path in paths(symptom, hits)]
        ends = {path[-1].key: path for path in sorted(ways, key=lambda path: -len(path)) if path[-1].signature.kind == "cause"}
        if not ends and not self.subject.wrong:
            ends = {path[-1].key: path for hit in self._standing_alone(hits) for path in paths(hit, hits)}
        causes = joined(ends.values())
        known = {id(hit.evidence.event) for hit in hits if hit.evidence.event}
        unknown = unexplained(events, known, self.known)
        if not causes and (begun or self.subject.wrong):
            nearest = [*(path[-1] for path in ways), *self._standing_alone(hits)]
            unknown = list({(one.place, one.text): one for one in (*(hit.evidence for hit in nearest), *unknown)}.values())
        diagnosis = Diagnosis(self.subject, causes, events, unknown[:MOST_UNKNOWN], self._skipped(), begun[-1] if begun else None)
        diagnosis = replace(diagnosis, clocks=wrong(self.found.stats.clocks), site=self.site.name)
        return self._numbered(diagnosis)

    def _standing_alone(self, hits: list[Hit]) -> list[Hit]:
        """What is worth telling without a symptom; what was only seen at the time, where it was on the subject's host."""
        return [hit for hit in hits if hit.signature.alone and (hit.tier < 2 or hit.evidence.host == self.subject.host)]

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
