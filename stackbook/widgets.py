"""A runbook as a form in JupyterLab: its parameters, a button that plans, and one that applies the plan shown.

Both buttons run the runbook as ``stackbook run`` does, so gate, journal, record and report are the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from html import escape
from typing import Any

from stackbook.config import workspace
from stackbook.journal import RUN_VARIABLE
from stackbook.render.frame import Frame, frame
from stackbook.render.html import block, change_html, error_html, line, proof
from stackbook.report.facts import badge, recorded_changes, said, undo
from stackbook.runbook.catalogue import find
from stackbook.runbook.declarations import Parameter

STEERING = ("approve", "allow_delete")
"""Parameters that the buttons set."""
LIVE = ("JPY_SESSION_NAME", "VSCODE_PID")
"""Variables that tell a notebook someone is looking at: elsewhere no button could be pressed."""
PROOFS = {"stops": "nothing in the way", "verified": "nothing left to do", "untouched": "nothing else changed"}


def form(runbook: str) -> Any:
    """The form of a runbook, such as ``form("fixed-ip")``; in a headless run, its parameters as a table."""
    live = RUN_VARIABLE not in os.environ and any(name in os.environ for name in LIVE)
    found = find(runbook)
    asked = [parameter for parameter in found.parameters if parameter.name not in STEERING]
    return Form(found.name, asked).box if live else _table(asked)


class Form:
    """Fields and buttons; what they do is run as a command of its own."""

    def __init__(self, runbook: str, parameters: list[Parameter]) -> None:
        import ipywidgets

        self.runbook, self.digest = runbook, ""
        self.defaults = {parameter.name: _text(parameter.default) for parameter in parameters}
        wide, label = ipywidgets.Layout(flex="0 0 28em"), {"description_width": "9em"}
        self.fields = {
            name: ipywidgets.Text(value=value, description=name, layout=wide, style=label, continuous_update=True)
            for name, value in self.defaults.items()
        }
        self.plan = ipywidgets.Button(description="Plan", button_style="primary")
        self.apply = ipywidgets.Button(description="Apply", disabled=True, layout=ipywidgets.Layout(width="auto"))
        self.shown = ipywidgets.HTML()
        helps = [ipywidgets.HBox([self.fields[each.name], ipywidgets.HTML(escape(each.help))]) for each in parameters]
        self.box = ipywidgets.VBox([*helps, ipywidgets.HBox([self.plan, self.apply]), self.shown])
        self.plan.on_click(lambda _: self._run(""))
        self.apply.on_click(lambda _: self._run(self.digest))
        for field in self.fields.values():
            field.observe(lambda _: self._await(""), "value")

    def _run(self, approve: str) -> None:
        """Run the runbook with the fields' values, telling its last line meanwhile; then show what its record says."""
        self._await("")
        self.plan.disabled = True
        try:
            self.shown.value = self._record(approve)
        finally:
            self.plan.disabled = False

    def _record(self, approve: str) -> str:
        lines = ["starting"]
        with tempfile.TemporaryFile("w+") as answer:
            words = self._command(approve)
            with subprocess.Popen(words, cwd=workspace(), stdout=answer, stderr=subprocess.PIPE, text=True) as running:
                for told in running.stderr or ():
                    lines.append(told.rstrip())
                    self.shown.value = block(line("note", lines[-1]))
            answer.seek(0)
            printed = answer.read()
        try:
            record = json.loads(printed)
        except ValueError:
            return error_html({"type": "The run did not start", "what": "\n".join(lines[-5:])})
        if record.get("status") == "planned":
            self._await(str(record["digest"]))
        return told_html(record)

    def _command(self, approve: str) -> list[str]:
        values = {name: field.value for name, field in self.fields.items() if field.value != self.defaults[name]}
        site = values.pop("site", self.defaults.get("site", ""))
        given = [word for name, value in values.items() for word in ("-p", f"{name}={value}")]
        consent = ["--approve", approve] if approve else []
        return [sys.executable, "-m", "stackbook", "run", self.runbook, "--json", "--site", site, *given, *consent]

    def _await(self, digest: str) -> None:
        """Offer to apply the plan `digest`; nothing when it is empty."""
        self.digest = digest
        self.apply.disabled = not digest
        self.apply.description = f"Apply {digest}".strip()
        self.apply.button_style = "warning" if digest else ""


def told_html(record: Mapping[str, Any]) -> str:
    """A record: status, changes, proofs, and how to take it back."""
    word, tone = badge(record)
    kind = {"good": "good", "bad": "bad"}.get(tone, "note")
    if record.get("error") and record.get("status") != "planned":
        return error_html(record["error"])
    head = line(kind, f"{word}: {said(record)}", str(record.get("digest") or ""))
    proofs = "".join(proof(claim, record[key]) for key, claim in PROOFS.items() if isinstance(record.get(key), list))
    back = line("note", undo(record)[1]) if record.get("done") and undo(record)[1] else ""
    return block(head, *map(change_html, recorded_changes(record)), proofs, back)


def _text(default: Any) -> str:
    return default if isinstance(default, str) else "" if default is None else json.dumps(default)


def _table(parameters: list[Parameter]) -> Frame:
    return frame([{"parameter": each.name, "default": _text(each.default), "about": each.help} for each in parameters])
