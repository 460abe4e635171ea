"""fleet run: one runbook on many sites."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from typing import Any

from stackbook.cli.words import shared
from stackbook.render.text import table_text
from stackbook.runbook.catalogue import find
from stackbook.runbook.fleet import APPROVES, Fleet, exit_code, row, sites
from stackbook.runbook.history import runs_folder


def run(arguments: Namespace) -> int:
    """Run a runbook on many sites; the exit code of the worst."""
    find(arguments.runbook)
    fleet = Fleet(sites(arguments.sites), shared(arguments), _say)
    found = fleet.run([APPROVES] if arguments.yes else arguments.approve)
    records = list(found.values())
    if arguments.json:
        print(json.dumps({"runbook": arguments.runbook, "sites": records}, ensure_ascii=False, default=str))
    else:
        _tell(records, arguments)
    return exit_code(records)


def _tell(records: list[dict[str, Any]], arguments: Namespace) -> None:
    print("\n" + table_text([row(record) for record in records]))
    if waiting := [record["digest"] for record in records if record["status"] == "planned"]:
        approve = [word for digest in waiting for word in ("--approve", digest)]
        line = ["stackbook", "fleet", "run", *shared(arguments), "--sites", ",".join(arguments.sites), *approve]
        print(f"\n  Read the plans above, then  {shlex.join(line)}")
    print(f"\n  {runs_folder() / 'index.html'}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
