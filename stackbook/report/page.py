"""The report of one run: a single file that asks nothing of anyone and runs no script."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stackbook.render.html import callout, change_html, finding, found_list, proof, style
from stackbook.render.values import one_line, shown, visible
from stackbook.report import facts
from stackbook.report.cells import View, read_cells, views
from stackbook.report.outputs import AWAITING
from stackbook.report.parameters import Parameter, parameters
from stackbook.report.prose import Heading, plain

HERE = Path(__file__).parent
NAME = "report.html"
WORDS = {"failed": "failed", "awaiting": "awaits approval", "skipped": "not run", "interrupted": "interrupted"}
"""A cell's status in words, where it did not just complete."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_DARK = re.compile(r"[^{}]*\.sb-dark \.sb \{([^}]*)\}")


def write(folder: Path) -> Path:
    """Write the report of the run in `folder` from its ``run.json`` and ``notebook.ipynb``; returns the page's path.

    A missing or broken part is said on the page; the rest is shown. The file is replaced as a whole, private to its owner.
    """
    folder = Path(folder)
    record = facts.read_record(folder)
    cells, missing = read_cells(folder / "notebook.ipynb")
    asked = parameters(cells, _mapping(record.get("parameters")))
    shown_cells = views(cells, record.get("cells") or ())
    title, shown_cells = _title(shown_cells, record)
    view = {
        "record": record,
        "title": title,
        "badge": facts.badge(record),
        "facts": facts.strip(record),
        "said": facts.said(record),
        "next": facts.next_step(record, asked),
        "error": _error(record),
        "findings": _findings(record),
        "parameters": asked,
        "cells": shown_cells,
        "missing": facts.BY_HAND if missing and facts.by_hand(record) else missing or facts.resumed(record),
        "recorded": _recorded(record) if missing else _resumed(record),
        "states": facts.states(record),
        "contents": _contents(shown_cells),
        "skipped": _skipped(shown_cells),
        "undo": facts.undo(record),
        "versions": _mapping(record.get("versions")),
    }
    return save(folder / NAME, render("page.html.j2", **view))


def render(template: str, **view: Any) -> str:
    """A template of ours filled in; what is not Markup is escaped."""
    css = Markup(stylesheet())  # noqa: S704 - our own files, nothing of a run
    return _environment().get_template(template).render(policy=POLICY, words=WORDS, css=css, **view)


def save(path: Path, content: str) -> Path:
    """Replace the file at `path` as a whole or not at all; it is private to its owner."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


@cache
def stylesheet() -> str:
    """The page's styles: its own, those of outputs, and the dark colours of outputs for pages that are dark."""
    outputs = style()
    dark = _DARK.search(outputs)
    own = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", (HERE / "page.css").read_text(encoding="utf-8"), flags=re.DOTALL))
    return f"{outputs} {own} @media screen and (prefers-color-scheme: dark) {{ .rp .sb {{{dark[1] if dark else ''}}} }}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        value=lambda value: visible(shown(value)),
        line=lambda value: one_line(str(value)),
        seconds=facts.said_seconds,
        html=Markup,
    )
    return environment


def _title(cells: Sequence[View], record: Mapping[str, Any]) -> tuple[str, list[View]]:
    """The notebook's first heading, taken out of its prose; else the runbook's name."""
    for index, view in enumerate(cells[:3]):
        if view.headings and view.headings[0].level == 1:
            rest = re.sub(r"<h1\b[^>]*>.*?</h1>\s*", "", view.prose, count=1, flags=re.DOTALL)
            return view.headings[0].title, [*cells[:index], View(prose=rest, headings=view.headings[1:]), *cells[index + 1 :]]
    return str(record.get("runbook") or record.get("run") or "Run"), list(cells)


def _contents(cells: Sequence[View]) -> list[tuple[Heading, str]]:
    """The headings up to the third level, each with the status of the code below it that matters most."""
    entries: list[tuple[Heading, str]] = []
    for view in cells:
        entries += [(heading, "") for heading in view.headings if heading.level <= 3]
        if entries and view.status in WORDS and not entries[-1][1]:
            entries[-1] = (entries[-1][0], view.status)
    return entries


def _skipped(cells: Sequence[View]) -> list[str]:
    """What was not run, by its heading."""
    found, title = [], ""
    for view in cells:
        title = view.headings[-1].title if view.headings else title
        if view.status == "skipped":
            found.append(title or plain(view.code).split("\n")[0])
    return list(dict.fromkeys(found))


def _error(record: Mapping[str, Any]) -> str:
    """The error that ended the run, for the card; that a plan was not approved yet, the card says anyway."""
    error = _mapping(record.get("error"))
    if not error or error.get("what") == f"plan {record.get('digest')} is not approved":
        return ""
    kind = "warn" if error.get("type") in AWAITING else "bad"
    told = callout(kind, error.get("type") or "Error", error.get("what"), found_list(error.get("found")), error.get("hint"))
    return f'<div class="sb">{told}</div>'


def _recorded(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Plan and proofs from the record, for a run whose notebook can't be shown: anchor, title and HTML of each."""
    changes = "".join(map(change_html, facts.recorded_changes(record)))
    claims = {"stops": "nothing in the way", "verified": "nothing left to do", "untouched": "nothing else changed"}
    proofs = "".join(proof(claim, record[key]) for key, claim in claims.items() if isinstance(record.get(key), list))
    parts = [("recorded-plan", "Plan", changes), ("recorded-proofs", "Proofs", proofs)]
    return [(anchor, title, f'<div class="sb">{html}</div>') for anchor, title, html in parts if html]


def _resumed(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a resumed run was approved for: the plan among its cells is that of the last attempt, what was left then."""
    if not facts.resumed(record):
        return []
    whole = all(change.get("state") == "done" for change in record["changes"])
    html = "".join(map(change_html, facts.recorded_changes(record)))
    return [("recorded-plan", "Approved and made" if whole else "Approved", f'<div class="sb">{html}</div>')]


def _findings(record: Mapping[str, Any]) -> str:
    listed = [item for item in record.get("findings") or () if isinstance(item, Mapping)]
    return f'<div class="sb">{"".join(map(finding, listed))}</div>' if listed else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


__all__ = ["Parameter", "render", "save", "stylesheet", "write"]
