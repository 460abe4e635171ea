"""The record, derived from journals as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stackbook.errors import BadInput
from stackbook.journal import new_run
from stackbook.runbook.record import exit_code, record

CHANGE = {"action": "create", "address": "thing/a", "fields": {}, "reversible": True, "id": None, "reason": "", "resource": {}}
PLAN = {"event": "plan", "digest": "p-1", "kept": 0, "changes": [CHANGE], "stops": []}
APPROVED = {"event": "approved", "digest": "p-1", "by": "digest", "changes": [CHANGE]}
STARTED, DONE = (
    {"event": "started", "number": 0, "change": CHANGE},
    {"event": "done", "number": 0, "address": "thing/a", "memo": {}},
)
APPLIED, VERIFIED = {"event": "applied", "digest": "p-1", "done": 1}, {"event": "verified", "left": []}
REFUSED = {"event": "refused", "error": {"type": "PlanNotApproved", "what": "not approved", "found": None, "hint": None}}
PREFLIGHT = {"event": "refused", "error": {"type": "PreflightFailed", "what": "stop", "found": None, "hint": None}}
TAKEN = {"event": "error", "error": {"type": "Refused", "what": "taken", "found": None, "hint": None}}
MADE: list[dict[str, Any]] = [PLAN, APPROVED, STARTED, DONE, APPLIED]
END = {"event": "end", "status": "failed", "error": {"type": "X", "what": "x", "found": None, "hint": None}, "exit_code": None}
FAILED = {
    "event": "failed",
    "number": 0,
    "address": "thing/a",
    "error": {"type": "HttpException", "what": "500", "found": None, "hint": None},
}


def told(folder: Path, *events: dict[str, Any], **first: Any) -> dict[str, Any]:
    """The record of a run with these events, whose process has ended."""
    run = new_run("test", "lab", folder)
    run.begin(**first)
    for event in events:
        run.write(**event)
    run.release()
    return record(run.folder)


@pytest.mark.parametrize(
    ("events", "status", "code", "done"),
    [
        ([], "unchanged", 0, 0),
        ([PLAN], "planned", 2, 0),
        ([{**PLAN, "changes": []}, {"event": "unchanged", "digest": "p-0"}], "unchanged", 0, 0),
        ([PLAN, REFUSED], "planned", 2, 0),
        ([PLAN, PREFLIGHT], "failed", 1, 0),
        ([TAKEN], "failed", 3, 0),
        ([PLAN, APPROVED], "interrupted", 1, 0),
        ([PLAN, APPROVED, STARTED], "interrupted", 1, 0),
        ([PLAN, APPROVED, STARTED, DONE], "interrupted", 1, 1),
        ([PLAN, APPROVED, STARTED, FAILED], "failed", 1, 0),
        (MADE, "applied", 0, 1),
        ([*MADE, VERIFIED], "applied", 0, 1),
        ([*MADE, {"event": "verified", "left": [{"address": "thing/a"}]}], "failed", 1, 1),
        ([*MADE, {"event": "untouched", "rows": [{"what": "gone"}]}], "failed", 1, 1),
        ([*MADE, {"event": "verified", "left": [1]}, VERIFIED], "applied", 0, 1),
        ([PLAN, REFUSED, *MADE], "applied", 0, 1),
        (
            [PLAN, APPROVED, STARTED, {"event": "resumed"}, {**PLAN, "changes": []}, {"event": "unchanged", "digest": "p-0"}],
            "applied",
            0,
            1,
        ),
        ([PLAN, APPROVED, STARTED, {"event": "resumed"}, {**PLAN, "changes": []}, REFUSED], "planned", 2, 0),
        ([*MADE, {"event": "undone", "by": "other"}], "undone", 0, 1),
        ([{**PLAN, "undoes": "other"}, *MADE[1:]], "undone", 0, 1),
        ([*MADE, END], "failed", 1, 1),
    ],
)
def test_status_follows_from_the_journal(events: list[dict[str, Any]], status: str, code: int, done: int, tmp_path: Path) -> None:
    """What a run came to is read from its events alone, under whichever program they were written."""
    found = told(tmp_path, *events)
    assert (found["status"], exit_code(found), found["done"]) == (status, code, done)


def test_the_runners_run_without_an_end_was_interrupted(tmp_path: Path) -> None:
    """The runner always writes an end: where it is missing and nobody works, the run was cut off, whatever was done."""
    assert told(tmp_path, notebook="x.ipynb")["status"] == "interrupted"
    assert told(tmp_path, *MADE, notebook="x.ipynb")["status"] == "interrupted"


def test_the_record_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    """Scripts rely on these keys."""
    found = told(tmp_path, *MADE, {"event": "finding", "level": "bad", "subject": "s", "summary": "t", "hint": "h"})
    keys = "run runbook site status digest changes done findings started finished request_id notebook report error"
    assert set(keys.split()) <= set(found)
    assert found["findings"] == [{"level": "bad", "subject": "s", "summary": "t", "hint": "h"}]
    assert (found["site"], found["digest"], found["request_id"][:4]) == ("lab", "p-1", "req-")
    json.dumps(found)


def test_changes_of_all_attempts_are_listed_once(tmp_path: Path) -> None:
    """A resumed run's record lists what was approved at first; the second plan is a part of it."""
    other = {**CHANGE, "address": "thing/b"}
    both = {**APPROVED, "changes": [CHANGE, other]}
    second = {**APPROVED, "by": "resume", "digest": "p-2", "changes": [other]}
    later: list[dict[str, Any]] = [
        {"event": "resumed"},
        {**PLAN, "digest": "p-2", "changes": [other]},
        second,
        {**STARTED, "change": other},
    ]
    found = told(tmp_path, PLAN, both, STARTED, DONE, *later, {**DONE, "address": "thing/b"}, APPLIED)
    assert [(change["address"], change["state"]) for change in found["changes"]] == [("thing/a", "done"), ("thing/b", "done")]
    assert (found["digest"], found["done"], found["status"]) == ("p-1", 2, "applied")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """A folder that holds no journal has no record."""
    with pytest.raises(BadInput, match="no run"):
        record(tmp_path)


def test_the_record_shows_no_secret_of_a_change(tmp_path: Path) -> None:
    """A connection string in a configuration file that changes: its password is not in the record."""
    fields = {"value": {"before": None, "after": "mysql+pymysql://nova:hunter2pw@controller/nova"}}
    found = told(tmp_path, {**PLAN, "changes": [{**CHANGE, "fields": fields}]})
    assert "hunter2pw" not in json.dumps(found) and "controller/nova" in json.dumps(found)


def test_the_record_says_how_often_the_run_was_resumed(tmp_path: Path) -> None:
    """What the notebook shows is then the last attempt's; the changes are those that were approved and made."""
    assert told(tmp_path, *MADE)["resumed"] == 0
    nothing: list[dict[str, Any]] = [{"event": "resumed"}, {**PLAN, "changes": []}, {"event": "unchanged", "digest": "p-0"}]
    again: list[dict[str, Any]] = [PLAN, APPROVED, STARTED, *nothing]
    found = told(tmp_path, *again)
    assert (found["resumed"], [change["address"] for change in found["changes"]]) == (1, ["thing/a"])
