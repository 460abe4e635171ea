"""list, show, runs, inventory."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from argparse import Namespace
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from stackbook.errors import BadInput
from stackbook.render.text import table_text
from stackbook.runbook import catalogue, history
from stackbook.runbook.catalogue import Runbook
from stackbook.runbook.record import Record
from stackbook.runbook.summary import ending, error_text

Inventory = dict[str, list[dict[str, Any]]]
"""Kind to its rows."""


def listing(arguments: Namespace) -> None:
    """List the runbooks."""
    found = catalogue.listing()
    if arguments.json:
        _print_json([runbook.record() for runbook in found])
        return
    width = max((len(runbook.name) for runbook in found), default=0)
    room = shutil.get_terminal_size((120, 24)).columns
    for runbook in found:
        line = f"{runbook.name:{width}}  {runbook.title}"
        print(line if len(line) <= room else line[: room - 1] + "…")


def show(arguments: Namespace) -> None:
    """Show a runbook."""
    runbook = catalogue.find(arguments.runbook)
    if arguments.json:
        _print_json(runbook.record())
        return
    print(f"{runbook.title}\n\n{_unmarked(runbook.purpose)}\n")
    width = max((len(name) for name in runbook.facts), default=0)
    print("\n".join(f"  {name.capitalize():{width}}  {_unmarked(text)}" for name, text in runbook.facts.items()))
    print("\nParameters\n" + (_parameters(runbook) or "  none"))
    print(f"\nExample\n  stackbook run {runbook.name}{_example(runbook)}\n\n{runbook.path}")


def _unmarked(markdown: str) -> str:
    """Without asterisks: a terminal's letters are not bold."""
    return re.sub(r"(\*{1,2})(?=\S)(.+?)(?<=\S)\1", r"\2", markdown)


def runs(arguments: Namespace) -> None:
    """List the runs, or show one."""
    if arguments.run:
        found = history.told(history.find_run(arguments.run))
        (_print_json if arguments.json else _show_run)(found)
        return
    listed = history.history()[: max(arguments.limit, 0)]
    if arguments.json:
        _print_json(listed)
    else:
        print(table_text([_row(found) for found in listed]) if listed else f"no run in {history.runs_folder()} yet")


def inventory(arguments: Namespace) -> None:
    """Show what a site has."""
    from stackbook import connect
    from stackbook.render.frame import survey_text
    from stackbook.resources.inventory import collect
    from stackbook.ticker import Ticker

    site = connect(arguments.site, runbook="inventory")
    with redirect_stdout(sys.stderr), Ticker("inventory") as progress:
        found: Inventory = site.redactor.values(collect(site, say=progress))
    if arguments.csv:
        _write_csv(found, Path(arguments.csv))
    if arguments.json:
        _print_json(found)
    elif not arguments.csv:
        print(survey_text(found))


def _parameters(runbook: Runbook) -> str:
    """A line each, as the parameters cell declares them."""
    told = [(f"  {each.name}: {each.type} = {each.default!r}", each.help) for each in runbook.parameters]
    width = max((len(line) for line, _ in told), default=0)
    return "\n".join(f"{line:{width}}  # {text}" if text else line for line, text in told)


def _example(runbook: Runbook) -> str:
    steering = {"site", "approve", "allow_delete"}
    first = next((parameter for parameter in runbook.parameters if parameter.name not in steering), None)
    return f" -p {first.name}={first.default or 'VALUE'}" if first else ""


def _row(found: Record) -> Record:
    total = len(found["changes"])
    return {
        "run": found["run"],
        "status": found["status"],
        "site": found["site"],
        "started": found["started"][:16].replace("T", " "),
        "changes": f"{found['done']}/{total}" if total else "-",
        "digest": found["digest"] or "-",
        "by": found["user"],
    }


def _show_run(found: Record) -> None:
    print(ending(found))
    facts = {
        name: found.get(name) for name in ("site", "digest", "user", "started", "finished", "request_id", "undoes", "undone_by")
    }
    given = " ".join(f"{name}={value}" for name, value in (found["parameters"] or {}).items())
    for name, value in {**facts, "parameters": given, "notebook": found["notebook"], "report": found["report"]}.items():
        if value:
            print(f"  {name.replace('_', ' '):11} {value}")
    if found["changes"]:
        print(table_text([{name: change[name] for name in ("action", "address", "state")} for change in found["changes"]]))
    if found["error"]:
        print(error_text(found["error"]))


def _write_csv(found: Inventory, path: Path) -> None:
    columns = list(dict.fromkeys(name for rows in found.values() for row in rows for name in row))
    try:
        stream = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: can't be written: {error.strerror}", hint="name a file in a folder that exists") from None
    with stream:
        writer = csv.DictWriter(stream, ["kind", *(name for name in columns if name != "kind")])
        writer.writeheader()
        writer.writerows({**row, "kind": kind} for kind, rows in found.items() for row in rows)


def _print_json(data: Any) -> None:
    json.dump(data, sys.stdout, indent=1, ensure_ascii=False, default=str)
    print()
