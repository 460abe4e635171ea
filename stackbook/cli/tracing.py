"""trace."""

from __future__ import annotations

import json
import re
import shutil
import sys
from argparse import Namespace
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stackbook.errors import BadInput
from stackbook.render.text import colours

if TYPE_CHECKING:
    from stackbook.logs.diagnose import Diagnosis
    from stackbook.site import Site

_AGO = re.compile(r"(\d{1,6})\s*([smhd])")
_STAMP = re.compile(r"\d{8}T\d{6}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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

    request = "" if _looks_like_an_id(given) else request_of_run(given)
    since, until = moment(arguments.since), moment(arguments.until)
    return diagnose(site, given, since=since, until=until, request=request, ask=not arguments.logs_only, progress=progress)


def _looks_like_an_id(given: str) -> bool:
    from stackbook.logs.subject import REQUEST, UUID

    return bool(REQUEST.fullmatch(given) or UUID.fullmatch(given.lower()))


def request_of_run(given: str) -> str:
    """The request id of the run that `given` names: its folder's name, or ``last``; empty when it names none."""
    from stackbook.journal import open_run
    from stackbook.runbook.history import LAST, folders

    listed = folders()
    chosen = listed[:1] if given == LAST else [folder for folder in listed if folder.name == given]
    if _STAMP.match(given) and not chosen:
        chosen = [folder for folder in listed if given in folder.name]
    return open_run(chosen[0]).request_id if chosen else ""


def moment(text: str | None) -> datetime | None:
    """A time: ISO 8601 (UTC unless it names a zone), or how long ago, such as ``2h``."""
    if not text:
        return None
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no time", hint="2h, 30m, 3d, or 2026-11-23T14:05 (UTC)") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

