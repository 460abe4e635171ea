"""A code cell's outputs as harmless HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import count
from typing import Any

from stackbook.render.html import callout, found_list
from stackbook.render.redact import redact
from stackbook.render.svg import inline
from stackbook.render.values import visible
from stackbook.report.clean import PICTURE, clean
from stackbook.report.frames import aligned
from stackbook.report.prose import prose

Output = Mapping[str, Any]
MANY_LINES = 30
"""Lines of printed text above which the rest is folded away."""
MOST_TEXT = 400_000
"""Characters of one output's text that a report holds."""
AWAITING = ("PlanNotApproved", "Unsafe")
_ANSI = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[@-Z\\-_])")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_NEXT = {"  Found: ": "found", "  Try: ": "hint"}


class Outputs:
    """Writes outputs; pictures are numbered over the whole page, so that their ids differ."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def html(self, outputs: Sequence[Output]) -> list[str]:
        """Each output as HTML; what can't be shown is said."""
        return [html for output in outputs if (html := self._one(output))]

    def _one(self, output: Output) -> str:
        kind = output.get("output_type")
        if kind == "stream":
            return printed(joined(output.get("text")), "stderr" if output.get("name") == "stderr" else "stdout")
        if kind == "error":
            return error(output)
        data = output.get("data")
        return self._shown(data, output.get("metadata") or {}) if isinstance(data, Mapping) else ""

    def _shown(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
        if "image/svg+xml" in data and (picture := inline(joined(data["image/svg+xml"]), next(self._numbers), _alt(metadata))):
            return f'<figure class="rp-figure">{picture}</figure>'
        if "text/html" in data:
            return f'<div class="rp-html">{aligned(clean(redact(joined(data["text/html"])[: MOST_TEXT * 10])))}</div>'
        if "text/markdown" in data:
            return f'<div class="rp-prose">{prose(redact(joined(data["text/markdown"])), 0)}</div>'
        for kind in _PICTURES:
            source = f"data:{kind};base64,{joined(data.get(kind))}".replace("\n", "")
            if kind in data and PICTURE.fullmatch(source):
                alt = escape(_alt(metadata, kind) or "figure")
                return f'<figure class="rp-figure rp-raster"><img src="{source}" alt="{alt}"></figure>'
        return printed(joined(data["text/plain"]), "stdout") if "text/plain" in data else _unshown(data)


def printed(text: str, stream: str) -> str:
    """Printed text: no colours, no markup; its end folded away where it is long."""
    lines = safe(text).strip("\n").split("\n")
    if lines == [""]:
        return ""
    head, rest = "\n".join(lines[:MANY_LINES]), lines[MANY_LINES:]
    more = (
        f"<details><summary>{len(rest):,} more lines</summary><pre>{escape(chr(10).join(rest))}</pre></details>" if rest else ""
    )
    return f'<div class="rp-text rp-{stream}"><pre>{escape(head)}</pre>{more}</div>'


def error(output: Output) -> str:
    """An error as a callout: what, found, one next step; the traceback of an unforeseen one folded below."""
    name, said = safe(str(output.get("ename", "Error"))), safe(str(output.get("evalue", "")))
    trace = [safe(str(line)) for line in output.get("traceback") or ()]
    kind = "warn" if name in AWAITING else "bad"
    if len(trace) == 1 and trace[0].startswith(f"{name}:"):
        what, found, hint = parts(said)
        return f'<div class="sb">{callout(kind, name, what, found_list(found), hint)}</div>'
    folded = f"<details><summary>Traceback</summary><pre>{escape(chr(10).join(trace))}</pre></details>" if trace else ""
    return f'<div class="sb">{callout(kind, name, said or "no message", folded, None)}</div>'


def parts(message: str) -> tuple[str, list[str], str]:
    """What, found and hint of a StackbookError's message."""
    told: dict[str, list[str]] = {"what": [], "found": [], "hint": []}
    current = "what"
    for line in message.split("\n"):
        mark = next((mark for mark in _NEXT if line.startswith(mark)), "")
        current = _NEXT.get(mark, current)
        told[current].append(line.removeprefix(mark))
    return "\n".join(told["what"]), "\n".join(told["found"]).split("; ") if told["found"] else [], "\n".join(told["hint"])


def safe(text: str) -> str:
    """`text` without colours, secrets and characters that are not for reading; overwritten lines as last written."""
    lines = _ANSI.sub("", text[:MOST_TEXT]).replace("\r\n", "\n").split("\n")
    cut = f"\n… {len(text) - MOST_TEXT:,} more characters" if len(text) > MOST_TEXT else ""
    return visible(redact("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))) + cut


def joined(text: Any) -> str:
    """Text that a notebook may hold as a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text or "")


def _alt(metadata: Mapping[str, Any], kind: str = "image/svg+xml") -> str:
    about = metadata.get(kind)
    said = about.get("alt") if isinstance(about, Mapping) else None
    return str(said or metadata.get("alt") or "")


def _unshown(data: Mapping[str, Any]) -> str:
    kinds: Iterator[str] = (escape(visible(str(kind))) for kind in data)
    return f'<div class="rp-note">an output of type {", ".join(kinds)} is in the notebook</div>' if data else ""
