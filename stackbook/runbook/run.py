"""Runs: start, resume and undo one; its folder then tells what happened."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import stackbook
from stackbook.config import site_settings
from stackbook.errors import BadInput, Busy, StackbookError
from stackbook.journal import RUN_VARIABLE, Run, living, new_run, open_run, read_events
from stackbook.render.redact import Redactor
from stackbook.runbook import history
from stackbook.runbook.catalogue import find, read
from stackbook.runbook.ending import Ended, ended
from stackbook.runbook.files import write_private
from stackbook.runbook.launch import spare
from stackbook.runbook.order import NONE, Consent, Order, order, texts
from stackbook.runbook.parameters import Values, checked, injected
from stackbook.runbook.process import Kernel
from stackbook.runbook.progress import Progress
from stackbook.runbook.record import GOOD, LOG, NOTEBOOK, Record, record, write_record
from stackbook.runbook.stopping import Stop
from stackbook.runbook.summary import tell
from stackbook.secrets import known_secrets


def run(wanted: Order) -> Record:
    """Execute a runbook in a run of its own and return its record."""
    started = new_run(wanted.runbook.name, wanted.site, history.runs_folder())
    with _held(started):
        _begin(started, wanted)
        return execute(started, wanted)


def _begin(started: Run, wanted: Order) -> None:
    try:
        started.begin(notebook=str(wanted.runbook.path), parameters=_kept(wanted.values), versions=versions())
    except OSError as error:
        raise BadInput(f"{started.folder.parent}: can't be written: {error.strerror}", hint="stackbook doctor") from None


def resume(folder: Path, consent: Consent = NONE, *, timeout: float | None = None, stream: Any = None) -> Record:
    """Execute the run's runbook again, with its parameters and in its folder: what is done falls out of the plan.

    Changes that were approved stay approved; `consent` approves a plan that never was. Raises BadInput when the run came
    to its end, Busy while it goes on.
    """
    before = record(folder)
    if before["status"] in GOOD:
        raise BadInput(
            f"run {folder.name} is {before['status']}: there is nothing to resume", hint=f"stackbook runs {folder.name}"
        )
    first = next(read_events(folder / "journal.jsonl"))
    runbook = read(Path(first["notebook"])) if "notebook" in first else find(first["runbook"])
    values = checked({**texts(first.get("parameters") or {}), **consent.given()}, runbook.parameters, runbook.name)
    continued = open_run(folder)
    with _held(continued):
        continued.hold()
        _keep_notebook(folder)
        continued.write("resumed", user=first.get("user"))
        return execute(continued, Order(runbook, values, timeout, f"stackbook resume {folder.name}", stream))


def undo(folder: Path, consent: Consent = NONE, *, timeout: float | None = None, stream: Any = None) -> Record:
    """Run the undo runbook on the run in `folder`; the plan that takes it back needs approval as every plan does."""
    if living(folder):
        raise Busy(f"run {folder.name} is still going on", hint="wait for it: stackbook runs")
    before = record(folder)
    wanted = order(find("undo"), {"run": folder.name}, consent, site=before["site"] or None, timeout=timeout)
    made = run(Order(wanted.runbook, wanted.values, timeout, f"stackbook undo {folder.name}", stream))
    if made["status"] == "undone":
        write_record(folder)
        _report(folder)
    return made


def execute(current: Run, wanted: Order) -> Record:
    """Execute the runbook under `current`, which has begun and is held; write notebook, log, record and report."""
    settings = None
    with suppress(StackbookError):
        settings = site_settings(wanted.site) if wanted.site else None
    redact = Redactor(known_secrets(settings))
    progress = Progress(current.folder / LOG, redact, wanted.stream)
    end = _executed(current, wanted, redact, progress)
    current.write("end", **redact.values(end.record()))
    found = write_record(current.folder, redact)
    if report := _report(current.folder):
        found["report"] = str(report)
    tell(found, current.folder, progress)
    return found


def _executed(current: Run, wanted: Order, redact: Redactor, progress: Progress) -> Ended:
    """Execute the notebook; whatever happens, say how it ended."""
    kernel = Kernel({RUN_VARIABLE: str(current.folder)})
    stop = Stop(kernel)
    transcript = failure = None
    try:
        with stop.watching(wanted.timeout):
            spare()
            # imported while the kernel starts: neither waits for the other
            from stackbook.runbook.kernel import RunbookEngine
            from stackbook.runbook.transcript import Transcript, node

            nb = node(wanted.runbook.notebook, injected(wanted.values) if wanted.values else "")
            transcript = Transcript(nb, lambda text: write_private(current.folder / NOTEBOOK, text), redact, progress)
            RunbookEngine.execute_notebook(nb, transcript=transcript, stop=stop)
    except Exception as error:
        failure = error
    finally:
        kernel.stop()
    return ended(current, stop, transcript, failure, wanted)


def versions() -> dict[str, str]:
    """The versions that a run's result depends on."""
    found = {"stackbook": stackbook.__version__, "python": platform.python_version()}
    for name in ("openstacksdk", "papermill"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


@contextmanager
def _held(current: Run) -> Iterator[None]:
    """Whatever is written meanwhile is its owner's alone; afterwards the run is free for others."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
        current.release()


def _kept(values: Values) -> Values:
    """The values as the record keeps them; approvals are in the journal, with what they approved."""
    return {name: value for name, value in values.items() if name != "approve"}


def _keep_notebook(folder: Path) -> None:
    """Move the notebook of the attempt before out of the way: notebook-1.ipynb, then -2."""
    number = 1 + sum(1 for _ in folder.glob("notebook-*.ipynb"))
    with suppress(FileNotFoundError):
        (folder / NOTEBOOK).rename(folder / f"notebook-{number}.ipynb")


def _report(folder: Path) -> Path | None:
    """Write the run's page and the index over all runs; a page that can't be made does not fail the run."""
    try:
        from stackbook.report.index import write_index
        from stackbook.report.page import write

        page = write(folder)
        write_index(folder.parent)
    except Exception as error:
        print(f"no report: {type(error).__name__}: {error}; try: stackbook report {folder.name}", file=sys.stderr)
        return None
    return Path(page)
