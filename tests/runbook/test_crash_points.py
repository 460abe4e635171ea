"""kill -9 at every journal line of a ten-change run, then resume: no duplicate, nothing lost, the record true.

The engine runs in a forked child that kills itself at the n-th line: before it is written, in the middle of it, after it.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackbook import connect
from stackbook.engine import apply, plan, plan_undo, verify
from stackbook.errors import PlanNotApproved
from stackbook.journal import JOURNAL, RUN_VARIABLE, Event, Run, new_run, open_run, read_events
from stackbook.runbook.record import record
from tests.fakes import FakeThing, keep, things
from tests.killing import killed

CHANGES = 10
LINES = 3 + 2 * CHANGES + 2
"""run, plan, approved; started and done of each change; applied, verified."""
OLD = {"id": "id-old", "size": 1, "colour": "grey"}


def desired() -> list[FakeThing]:
    """Nine things to make and one to change."""
    return [FakeThing(name="old", size=2), *(FakeThing(name=f"new{n}", size=n) for n in range(CHANGES - 1))]


def work(folder: Path, approve: str) -> None:
    """What the cells of a runbook do."""
    os.environ[RUN_VARIABLE] = str(folder)
    site = connect("test", runbook="ten")
    planned = plan(desired(), site)
    apply(planned, site, approve=approve)
    verify(planned, site)


def begun(books: Path) -> Path:
    """The folder of a new run; the site as it is before."""
    keep({"old": OLD})
    run = new_run("ten", "test", books / "runs")
    run.begin(notebook=str(books / "notebooks" / "things.ipynb"))
    return run.folder


def killed_at(line: int, when: str, act: Callable[[], None]) -> bool:
    """Call `act` in a child that dies at its `line`-th journal line; whether it died."""

    def armed() -> None:
        _die_at(line, when)
        act()

    return killed(armed)


def _die_at(line: int, when: str) -> None:
    write, written = Run._append, 0

    def append(self: Run, event: Event) -> None:
        nonlocal written
        written += 1
        if written == line and when != "after":
            if when == "amid":
                with (self.folder / JOURNAL).open("a") as stream:
                    stream.write(json.dumps(event)[:20])
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, event)
        if written == line:
            os.kill(os.getpid(), signal.SIGKILL)

    Run._append = append  # type: ignore[method-assign]


def resumed(folder: Path, approve: str) -> None:
    """Resume as the runner does; approve again only what was not approved before."""
    open_run(folder).write("resumed")
    try:
        work(folder, "")
    except PlanNotApproved:
        work(folder, approve)
    open_run(folder).write("end", status="applied", error=None)


@pytest.mark.parametrize("when", ["before", "amid", "after"])
@pytest.mark.parametrize("line", range(1, LINES))
def test_a_run_killed_at_any_line_is_resumed(line: int, when: str, books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed anywhere and resumed, the site is as desired, each change once, and the record says ten of ten."""
    monkeypatch.setenv(RUN_VARIABLE, "")
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing that the system has
    folder = begun(books)
    assert killed_at(line, when, lambda: work(folder, "yes"))
    found = record(folder)
    made = sum(name != "old" for name in things()) + (things()["old"]["size"] == 2)
    assert found["status"] == "interrupted"
    assert found["done"] <= made <= found["done"] + 1
    before = len(list(read_events(folder / JOURNAL)))

    resumed(folder, "yes")

    assert things() == {
        **{f"new{n}": {"id": f"id-new{n}", "size": n, "colour": None} for n in range(9)},
        "old": {**OLD, "size": 2},
    }
    found = record(folder)
    assert (found["status"], found["done"], len(found["changes"])) == ("applied", CHANGES, CHANGES)
    assert {change["state"] for change in found["changes"]} == {"done"}
    events = list(read_events(folder / JOURNAL))
    assert len(events) > before and _once(events)

    monkeypatch.setenv(RUN_VARIABLE, "")
    site = connect("test", runbook="undo")
    apply(plan_undo(open_run(folder), site), site, approve="yes")
    assert things() == {"old": OLD}
    assert record(folder)["status"] == "undone"


def _once(events: list[dict[str, Any]]) -> bool:
    addresses = [event["address"] for event in events if event["event"] == "done"]
    return len(addresses) == len(set(addresses))


def test_the_lines_are_all_there_are(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that nobody kills writes as many lines as the loop above kills at."""
    monkeypatch.setenv(RUN_VARIABLE, "")
    folder = begun(books)
    assert not killed_at(LINES, "after", lambda: work(folder, "yes"))
    assert len(list(read_events(folder / JOURNAL))) == LINES
