"""report, publish."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from stackbook.report.index import write_index
from stackbook.report.page import write
from stackbook.runbook import history
from stackbook.runbook.record import REPORT, write_record

READABLE, OPEN = 0o644, 0o755


def report(arguments: Namespace) -> None:
    """Make a run's page, or the page over all runs, and print its path."""
    if arguments.index:
        page = write_index(history.runs_folder())
    else:
        folder = history.find_run(arguments.run)
        write_record(folder)
        page = write(folder)
    if arguments.open:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    print(page)


def publish(arguments: Namespace) -> None:
    """Copy all pages, readable for everyone: they hold no secrets, and the rest of a run's folder stays private."""
    target = Path(arguments.folder)
    index = write_index(history.runs_folder())
    target.mkdir(parents=True, exist_ok=True)
    _copy(index, target / index.name)
    published = [folder for folder in history.folders() if (folder / REPORT).is_file()]
    for folder in published:
        (target / folder.name).mkdir(exist_ok=True)
        (target / folder.name).chmod(OPEN)
        _copy(folder / REPORT, target / folder.name / REPORT)
    print(f"{len(published)} pages and their index: {target / index.name}")


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(READABLE)
