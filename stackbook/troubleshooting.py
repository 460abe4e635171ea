"""Troubleshooting for notebooks: trace what is named, or all that is in ERROR; what follows, worst first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stackbook.config import at_site, workspace
from stackbook.errors import BadInput
from stackbook.journal import JOURNAL, open_run
from stackbook.logs.asking import Answers, Row
from stackbook.logs.diagnose import diagnose
from stackbook.logs.diagnosis import Cause, Diagnosis
from stackbook.logs.shown import command, highlights, raw
from stackbook.pictures import Picture, chain, timeline
from stackbook.render.frame import Frame, frame

if TYPE_CHECKING:
    from stackbook.logs.chain import Hit
    from stackbook.site import Site

__all__ = ["Diagnoses", "moment", "run_told", "trace"]
MOST = 5
"""Things in ERROR that are traced when none is named."""
LINES = 100
"""Records of a subject that are shown as they are."""
_AGO = re.compile(r"(\d{1,6})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RUN = re.compile(r"[\w.-]+")


class Diagnoses(list[Diagnosis]):
    """Diagnoses of several subjects, with their secrets masked wherever they are shown."""

    def __init__(self, found: list[Diagnosis], site: Site) -> None:
        super().__init__(found)
        self._redact = site.redactor

    @property
    def findings(self) -> Frame:
        """A row for each cause and each error without one: level, summary, remedy, runbook, subject; worst first."""
        columns = ("level", "summary", "hint", "sure", "runbook", "subject")
        return frame(self._redact.values([{name: row[name] for name in columns} for row in self.rows()]))

    def rows(self) -> list[dict[str, Any]]:
        """The findings as plain rows."""
        return [row for diagnosis in self for row in _rows(diagnosis)]

    @property
    def timelines(self) -> list[Picture]:
        """A picture of each."""
        return [Picture(self._redact(made.svg), made.alt) for made in map(timeline, self)]

    @property
    def chains(self) -> list[Picture]:
        """From symptom to cause, a picture of each."""
        return [Picture(self._redact(made.svg), made.alt) for made in map(chain, self)]

    @property
    def evidence(self) -> Frame:
        """Every step of every chain: what it says, and the host, file, line and time where that stands."""
        steps = [{**self._subject(one), **_step(hit)} for one in self for hit in one.chain]
        return frame(self._redact.values(steps))

    @property
    def lines(self) -> str:
        """The records of the logs that tell most, as they are: those of the chains, errors and warnings; in order of time."""
        return self._redact("\n".join(raw(event) for one in self for event in highlights(one, LINES)))

    @property
    def skipped(self) -> Frame:
        """What could not be read, and why."""
        return frame([row.row() for row in dict.fromkeys(row for one in self for row in one.skipped)])

    def _subject(self, one: Diagnosis) -> dict[str, str]:
        return {"subject": one.subject.name or one.subject.id} if len(self) > 1 else {}

    def __repr__(self) -> str:
        return self._redact("\n".join(map(repr, self))) if self else "nothing to trace: no server and no volume is in ERROR"


def _step(hit: Hit) -> dict[str, Any]:
    told = hit.evidence.record()
    time = f"{hit.evidence.time:%H:%M:%S.%f}"[:-3] if hit.evidence.time else None
    at = {name: None if told[name] in (None, "") else str(told[name]) for name in ("host", "file", "line")}
    return {"step": hit.signature.id, "says": told["text"], "time": time, **at}


def _rows(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """A row for each cause; without one, for what a run said itself, or for the nearest evidence."""
    about = {"subject": diagnosis.subject.title, "sure": "", "runbook": "", "command": ""}
    if diagnosis.causes:
        return [{**about, **_cause(cause, diagnosis.site)} for cause in diagnosis.causes]
    if error := diagnosis.subject.error:
        return [{**about, "level": "error", "summary": diagnosis.subject.error_text, "hint": error.get("hint") or ""}]
    return [{**about, "level": "unknown", "summary": one.text[:300], "hint": one.place} for one in diagnosis.unknown[:3]]


def _cause(cause: Cause, site: str) -> dict[str, Any]:
    mends = {"runbook": cause.runbook["name"], "command": at_site(command(cause.runbook), site)} if cause.runbook else {}
    return {"level": "error", "summary": cause.summary, "sure": f"{cause.confidence:.0%}", "hint": cause.remedy, **mends}


def trace(site: Site, subject: str = "", since: str = "") -> Diagnoses:
    """Diagnose `subject` (a UUID, name, request id or run); without one, everything that is in ERROR, at most 5.

    Each finding is written to the run's journal. `since` is a time, or how long ago, such as ``2h``.
    """
    found = diagnosed(site, [subject] if subject else in_error(site), since)
    for row in site.redactor.values(found.rows()):
        site.run.write("finding", **{name: row[name] for name in ("level", "subject", "summary", "hint")})
    return found


def diagnosed(site: Site, subjects: Sequence[str], since: str = "") -> Diagnoses:
    """The diagnosis of each of the subjects."""
    begin = moment(since)
    return Diagnoses([diagnose(site, one, since=begin, run=run_told(one), progress=_quietly) for one in subjects], site)


def in_error(site: Site) -> list[str]:
    """Ids of servers and volumes in ERROR, the newest first, at most 5."""
    answers = Answers(site)
    servers = answers.rows("compute", "/servers/detail?all_tenants=True&status=ERROR&limit=50", "servers")
    volumes = answers.rows("block_storage", "/volumes/detail?all_tenants=True&status=error&limit=50", "volumes")
    rows = [*((row["created"], row["id"]) for row in servers), *((row["created_at"], row["id"]) for row in volumes)]
    return [id for _, id in sorted(rows, reverse=True)][:MOST]


def run_told(given: str) -> Row | None:
    """What the journal tells of the run whose folder in this workspace is called `given`; None when there is none."""
    folder = workspace() / "runs" / given
    if not (_RUN.fullmatch(given) and "-" in given and (folder / JOURNAL).is_file()):
        return None
    run = open_run(folder)
    events = run.events()
    known = {"run": run.id, "runbook": run.runbook, "site": run.site, "request_id": run.request_id, "created": events[0]["time"]}
    ended = events[-1] if events[-1]["event"] == "end" else {}
    return {**known, "status": ended.get("status", ""), "error": ended.get("error"), "ended": ended.get("time")}


def moment(text: str | None) -> datetime | None:
    """A time: ISO 8601 (UTC unless it names a zone), or how long ago, such as ``2h``; None for an empty text."""
    if not text:
        return None
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no time", hint="2h, 30m, 3d, or 2026-11-23T14:05 (UTC)") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _quietly(text: str) -> None:
    """A notebook shows its cells' progress itself."""
