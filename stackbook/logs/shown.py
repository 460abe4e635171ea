"""A diagnosis for a terminal: what it is about, the timeline, each chain from symptom to cause, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stackbook.config import at_site
from stackbook.logs.clocks import clock_text
from stackbook.logs.evidence import told
from stackbook.render.values import one_line

if TYPE_CHECKING:
    from stackbook.logs.chain import Hit
    from stackbook.logs.diagnosis import Diagnosis
    from stackbook.logs.event import LogEvent
    from stackbook.logs.evidence import Evidence

Paint = Callable[[str, str], str]
TIMELINE = 24
"""Events of a timeline in a terminal."""
WIDE = 160
_COLOURS = {"bad": "31", "warn": "33", "good": "32", "quiet": "2", "strong": "1"}
_OF_LEVEL = {"CRITICAL": "bad", "ERROR": "bad", "WARNING": "warn"}


def diagnosis_text(diagnosis: Diagnosis, *, colour: bool = False, width: int = WIDE) -> str:
    """All of it, as lines no longer than `width` where they can be cut."""

    def paint(style: str, text: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if colour else text

    return "\n".join(_lines(diagnosis, paint, max(width, 80)))


def _lines(diagnosis: Diagnosis, paint: Paint, width: int) -> Iterator[str]:
    subject = diagnosis.subject
    host = f" on {subject.host}" if subject.host else ""
    style = "bad" if subject.wrong or subject.error else "strong"
    status = f"  {paint(style, subject.status)}{host}" if subject.status else ""
    yield f"{paint('strong', one_line(subject.title))}{status}"
    if subject.error:
        yield f"  {paint('bad', str(subject.error.get('type') or 'Error'))}: {one_line(subject.error_text)}"
        if (hint := str(subject.error.get("hint") or "")) and not diagnosis.causes:
            yield f"  Try: {one_line(at_site(hint, diagnosis.site))}"
    yield ""
    yield from _timeline(diagnosis, paint, width)
    yield from _causes(diagnosis, paint, width)
    if diagnosis.unknown:
        yield paint("warn", "Not explained" if diagnosis.causes else "No known cause; the nearest evidence")
        yield from (f"  {_cut(_evidence(one), width - 2)}" for one in diagnosis.unknown)
        yield ""
    if diagnosis.skipped:
        yield paint("warn", "Not read")
        yield from (
            f"  {one_line(' '.join(filter(None, (row.host, row.what))))}: {one_line(row.reason)}" for row in diagnosis.skipped
        )
        yield ""


def _timeline(diagnosis: Diagnosis, paint: Paint, width: int) -> Iterator[str]:
    shown = highlights(diagnosis)
    if not shown:
        yield (
            "No log has a line about it."
            if not diagnosis.events
            else f"{len(diagnosis.events)} lines of logs, no warning or error among them."
        )
        yield ""
        return
    yield f"{paint('strong', 'Timeline')} (UTC; {len(shown)} lines, of {len(diagnosis.events)} about it)"
    lanes = max(len(f"{event.host} {event.service}") for event in shown)
    for event in shown:
        lane = f"{event.host} {event.service}".ljust(lanes)
        head = f"  {event.time:%H:%M:%S.%f}"[:-3] if event.time else "  --:--:--.---"
        line = _cut(one_line(told(event)), max(width - lanes - 28, 30))
        yield f"{paint('quiet', head)}  {lane}  {paint(_OF_LEVEL.get(event.level, 'quiet'), event.level.ljust(8))}  {line}"
    for host, clock in diagnosis.clocks.items():
        yield f"  {paint('warn', clock_text(host, clock))}; its times above are set right"
    yield ""


def highlights(diagnosis: Diagnosis, most: int = TIMELINE) -> list[LogEvent]:
    """The events that tell most: those of the chains, then errors and warnings, each text once; in order of time."""
    from stackbook.logs.event import in_order
    from stackbook.logs.matching import matched
    from stackbook.logs.signatures import signatures
    from stackbook.logs.subject import UUID

    chained = {id(hit.evidence.event): hit.evidence.event for hit in diagnosis.chain if hit.evidence.event}
    quiet, seen, kept = signatures().quiet, set[str](), dict(chained)
    for event in diagnosis.events:
        text = f"{event.host} {event.logger} {UUID.sub('', told(event))[:120]}"
        loud = event.level in _OF_LEVEL or matched([event], signatures(), linked=True)
        if len(kept) < most and loud and text not in seen and not quiet.search(event.message):
            kept[id(event)] = event
        seen.add(text)
    return in_order(kept.values())


def raw(event: LogEvent) -> str:
    """A record as it is, after where it stands: its message, and its traceback below."""
    time = f"{event.time:%Y-%m-%d %H:%M:%S.%f}"[:-3] if event.time else "-"
    head = " ".join(filter(None, (event.place, time, event.level, event.logger, event.message.rstrip())))
    return "\n    ".join([head, *event.traceback.rstrip().splitlines()])


def _causes(diagnosis: Diagnosis, paint: Paint, width: int) -> Iterator[str]:
    if not diagnosis.causes:
        if not diagnosis.unknown:
            wrong = diagnosis.subject.wrong or diagnosis.symptom
            yield paint("warn", "No known cause, and no error in the logs.") if wrong else _nothing(diagnosis, paint)
            yield ""
        return
    for number, cause in enumerate(diagnosis.causes, 1):
        head = f"Cause {number}: " if len(diagnosis.causes) > 1 else "Cause: "
        yield (
            paint("bad", head) + paint("strong", one_line(cause.summary)) + f"  ({cause.signature}, {cause.confidence:.0%} sure)"
        )
        yield from (_step(depth, hit, paint, width) for depth, hit in enumerate(cause.path))
        for path in cause.paths[1:]:
            yield _step(len(path) - 1, path[-1], paint, width)
        yield f"  {paint('good', 'Remedy')}: {one_line(cause.remedy)}"
        if cause.runbook:
            yield f"  {paint('good', 'Try')}: {at_site(command(cause.runbook), diagnosis.site)}"
        yield ""


def _nothing(diagnosis: Diagnosis, paint: Paint) -> str:
    if diagnosis.subject.error:
        return paint("warn", "No known cause: the logs add nothing to what the run said itself.")
    told = diagnosis.events or diagnosis.subject.row
    return paint("good", "Nothing wrong found.") if told else paint("warn", "Nothing is known about it; see what was not read.")


def command(runbook: Mapping[str, Any]) -> str:
    """The command that runs a runbook with its parameters."""
    given = " ".join(f"-p {name}={shlex.quote(str(value))}" for name, value in runbook["parameters"].items())
    return f"stackbook run {runbook['name']} {given}".rstrip()


def _step(depth: int, hit: Hit, paint: Paint, width: int) -> str:
    arrow = "" if not depth else "   " * (depth - 1) + "└─ "
    where = hit.evidence.place if not hit.evidence.asked else hit.evidence.file
    return _cut(f"  {arrow}{paint('quiet', where)}  {one_line(hit.evidence.text)}", width + 8)


def _evidence(evidence: Evidence) -> str:
    time = f"{evidence.time:%H:%M:%S.%f}"[:-3] if evidence.time else ""
    return " ".join(filter(None, (time, evidence.place, evidence.level, one_line(evidence.text))))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
