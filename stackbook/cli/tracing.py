"""trace."""

from __future__ import annotations

import json
import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from stackbook.config import DEFAULT_SITE
from stackbook.render.text import colours

if TYPE_CHECKING:
    from stackbook.logs.diagnosis import Diagnosis
    from stackbook.site import Site

_STAMP, _END = re.compile(r"\d{8}T\d{6}"), re.compile(r"(?:\A|-)[0-9a-f]{4}\Z")
"""How the names of runs begin and end."""


def trace(arguments: Namespace) -> None:
    """Trace each id, name, request or run."""
    from stackbook import connect
    from stackbook.ticker import Ticker

    runs = {given: _run(given) for given in arguments.ids}
    site: Site = connect(arguments.site or _site(runs.values()), runbook="trace")
    with redirect_stdout(sys.stderr), Ticker("trace") as progress:
        found = [_traced(site, given, run, arguments, progress.tell) for given, run in runs.items()]
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


def _traced(site: Site, given: str, run: dict[str, Any] | None, arguments: Namespace, progress: Any) -> Diagnosis:
    from stackbook.logs.diagnose import diagnose
    from stackbook.troubleshooting import moment

    since, until = moment(arguments.since), moment(arguments.until)
    return diagnose(site, given, since=since, until=until, run=run, ask=not arguments.logs_only, progress=progress)


def _looks_like_an_id(given: str) -> bool:
    from stackbook.logs.subject import REQUEST, UUID

    return bool(REQUEST.fullmatch(given) or UUID.fullmatch(given.lower()))


def _site(runs: Iterable[dict[str, Any] | None]) -> str:
    """The site of the first run that is traced; the sandbox where none is."""
    return next((str(run["site"]) for run in runs if run), DEFAULT_SITE)


def _run(given: str) -> dict[str, Any] | None:
    """What is known of the run that `given` names: its name, the name's begin or end, or ``last``; None where it is none."""
    from stackbook.runbook.history import LAST, find_run, folders
    from stackbook.troubleshooting import run_told

    if _looks_like_an_id(given):
        return None
    if given == LAST:
        chosen = folders()[:1]
    elif _STAMP.match(given) or _END.search(given):
        chosen = [folder for folder in folders() if folder.name.startswith(given) or folder.name.endswith(f"-{given}")]
    else:
        chosen = []
    if len(chosen) > 1:
        chosen = [find_run(given)]  # refuses a name that says not which
    return run_told(chosen[0].name) if chosen else None
