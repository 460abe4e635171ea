"""trace."""

from __future__ import annotations

import json
import re
import shutil
import sys
from argparse import Namespace
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from stackbook.render.text import colours

if TYPE_CHECKING:
    from stackbook.logs.diagnosis import Diagnosis
    from stackbook.site import Site

_STAMP = re.compile(r"\d{8}T\d{6}")


def trace(arguments: Namespace) -> None:
    """Trace each id, name, request or run."""
    from stackbook import connect
    from stackbook.resources.waiting import Ticker

    site: Site = connect(arguments.site, runbook="trace")
    progress = Ticker("trace")
    with redirect_stdout(sys.stderr):
        found = [_traced(site, given, arguments, progress.tell) for given in dict.fromkeys(arguments.ids)]
        progress.close()
    if arguments.json:
        print(json.dumps(site.redactor.values(combined(found)), indent=1, ensure_ascii=False, default=str))
        return
    from stackbook.logs.shown import diagnosis_text

    width = shutil.get_terminal_size((160, 24)).columns
    for diagnosis in found:
        print(site.redactor(diagnosis_text(diagnosis, colour=colours(), width=width)))


def combined(found: list[Diagnosis]) -> dict[str, Any]:
    """The records of several diagnoses as one: each cause once, ``subject`` a list when there are several."""
    records = [diagnosis.record() for diagnosis in found]
    if len(records) == 1:
        return records[0]
    merged: dict[str, Any] = {"subject": [record["subject"] for record in records]}
    for key in ("causes", "chain", "unknown", "skipped"):
        rows = {json.dumps(row, sort_keys=True, default=str): row for record in records for row in record[key]}
        merged[key] = list(rows.values())
    merged["events"] = sum(record["events"] for record in records)
    return merged


def _traced(site: Site, given: str, arguments: Namespace, progress: Any) -> Diagnosis:
    from stackbook.logs.diagnose import diagnose
    from stackbook.troubleshooting import moment

    run = None if _looks_like_an_id(given) else _run(given)
    since, until = moment(arguments.since), moment(arguments.until)
    return diagnose(site, given, since=since, until=until, run=run, ask=not arguments.logs_only, progress=progress)


def _looks_like_an_id(given: str) -> bool:
    from stackbook.logs.subject import REQUEST, UUID

    return bool(REQUEST.fullmatch(given) or UUID.fullmatch(given.lower()))


def _run(given: str) -> dict[str, Any] | None:
    """What is known of the run that `given` names: its folder, the beginning of its name, or ``last``; None where it is none."""
    from stackbook.runbook.history import LAST, folders
    from stackbook.troubleshooting import run_told

    listed = folders() if given == LAST or _STAMP.match(given) else []
    chosen = listed[:1] if given == LAST else [folder for folder in listed if given in folder.name]
    return run_told(chosen[0].name) if chosen else None
