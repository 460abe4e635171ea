"""Pictures of a diagnosis as SVG that follows light and dark: the timeline, and the chain from symptom to cause."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from stackbook.render.values import one_line

if TYPE_CHECKING:
    from stackbook.logs.diagnosis import Diagnosis
    from stackbook.logs.event import LogEvent

MOST_EVENTS = 3000
COLOURS = {"quiet": "#8a8f98", "WARNING": "#c98a00", "ERROR": "#cf3a3a", "CRITICAL": "#cf3a3a"}
BOX, GAP, WIDE = 62, 26, 820
LONGEST = 130
"""Characters of a line in a box."""
AFTERWARDS = timedelta(seconds=5)
"""How long after the last warning or error a timeline ends: who looks at a failure asks again and again."""
_EDGE = {"symptom": "#c98a00", "relay": "#8a8f98", "cause": "#cf3a3a"}


@dataclass(frozen=True)
class Picture:
    """An SVG picture, with a line that says what it shows."""

    svg: str
    alt: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.alt


def timeline(diagnosis: Diagnosis) -> Picture:
    """Every event of a diagnosis in time: a lane for each service on each host, warnings and errors marked."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    events = _until_the_end(diagnosis.events)
    lanes = sorted({_lane(event) for event in events}, reverse=True)
    alt = f"Timeline of {diagnosis.subject.title}: {len(events)} events of {len(lanes)} services"
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "stackbook", "font.size": 9}):
        figure = Figure(figsize=(9, 1.1 + 0.28 * max(len(lanes), 1)), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        for level, colour in COLOURS.items():
            own = [event for event in events if (event.level if event.level in COLOURS else "quiet") == level]
            size, sign = (16, "|") if level == "quiet" else (22, "o")
            moments: list[Any] = [event.time for event in own]
            axes.scatter(moments, [lanes.index(_lane(event)) for event in own], s=size, c=colour, marker=sign)
        axes.set_yticks(range(len(lanes)), lanes)
        axes.set_ylim(-0.7, len(lanes) - 0.3)
        axes.grid(axis="y", alpha=0.25)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.set_xlabel("time (UTC); amber: warnings, red: errors")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(stream.getvalue(), alt)


def _until_the_end(events: list[LogEvent]) -> list[LogEvent]:
    """Events with a time, without what was asked about the failure later."""
    timed = [event for event in events if event.time]
    loud = [event.time for event in timed if event.time and event.level in COLOURS]
    end = max(loud) + AFTERWARDS if loud else None
    return [event for event in timed if end is None or (event.time and event.time <= end)][-MOST_EVENTS:]


def _lane(event: LogEvent) -> str:
    return f"{event.service} on {event.host}"


def chain(diagnosis: Diagnosis) -> Picture:
    """The way from the symptom down to each cause: a box for each step, with where it stands."""
    ways = [[*cause.path] for cause in diagnosis.causes] or ([[diagnosis.symptom]] if diagnosis.symptom else [])
    parts, top = [], 4
    for way in ways:
        for number, hit in enumerate(way):
            if number:
                line = f"M 20 {top - GAP} v {GAP - 5} m -4 -5 l 4 5 l 4 -5"
                parts.append(f'<path d="{line}" fill="none" stroke="#8a8f98" stroke-width="1.5"/>')
            title = f"{hit.signature.kind}: {hit.signature.id}"
            parts.append(_box(top, title, (hit.evidence.place, hit.evidence.text), _EDGE[hit.signature.kind]))
            top += BOX + GAP
    alt = f"{len(ways)} chains from symptom to cause of {diagnosis.subject.title}"
    high = max(top - GAP + 4, 20)
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{high}" viewBox="0 0 {WIDE} {high}"'
    return Picture(f'{frame} font-family="system-ui, sans-serif" fill="black">{"".join(parts)}</svg>', alt)


def _box(top: int, title: str, lines: tuple[str, str], edge: str) -> str:
    texts = [f'<text x="14" y="{top + 19}" font-size="13" font-weight="600">{escape(title)}</text>']
    for number, (line, colour) in enumerate(zip(lines, ("#8a8f98", "black"), strict=True)):
        text = one_line(line)
        text = escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
        texts.append(f'<text x="14" y="{top + 36 + 16 * number}" font-size="11" fill="{colour}">{text}</text>')
    frame = f'x="4" y="{top}" width="{WIDE - 8}" height="{BOX}" rx="6"'
    return f'<rect {frame} fill="none" stroke="{edge}" stroke-width="1.5"/>{"".join(texts)}'
