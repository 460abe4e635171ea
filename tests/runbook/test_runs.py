"""Whole runs through real kernels: gate, journal, record, resume, undo."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from stackbook.errors import BadInput, StackbookError
from stackbook.runbook import history
from stackbook.runbook.catalogue import find
from stackbook.runbook.order import Consent, order
from stackbook.runbook.record import exit_code
from stackbook.runbook.run import resume, run, undo

Things = Callable[[], dict[str, Any]]


def ran(name: str, approve: str = "", **values: str) -> tuple[dict[str, Any], str]:
    """The record of a run, and what it said."""
    said = StringIO()
    found = run(order(find(name), values, Consent(approve), stream=said))
    return found, said.getvalue()


def test_plan_refuse_approve_repeat_undo(books: Path, things: Things, capfd: pytest.CaptureFixture[str]) -> None:
    """Without approval nothing changes; the wrong digest changes nothing; the right one applies; again is nothing to do; undo."""
    planned, said = ran("things", count="2")
    assert (planned["status"], exit_code(planned), planned["done"], things()) == ("planned", 2, 0, {})
    assert planned["digest"] in said and "+ fake_thing/thing0" in said
    assert planned["error"]["hint"].endswith(f"stackbook run things -p count=2 --approve {planned['digest']}")
    assert [change["address"] for change in planned["changes"]] == ["fake_thing/thing0", "fake_thing/thing1"]
    assert planned["changes"][0]["fields"]["colour"] == {"before": None, "after": "red"}

    wrong, _ = ran("things", "p-00000000", count="2")
    assert (wrong["status"], exit_code(wrong), things()) == ("planned", 2, {})
    assert "approve='p-00000000'" in wrong["error"]["what"]

    applied, said = ran("things", planned["digest"], count="2")
    assert (applied["status"], exit_code(applied), applied["done"], applied["verified"]) == ("applied", 0, 2, [])
    assert set(things()) == {"thing0", "thing1"} and applied["by"] == "digest" and applied["error"] is None
    assert "  create   fake_thing/thing0 … done in" in said

    again, _ = ran("things", planned["digest"], count="2")
    assert (again["status"], exit_code(again), again["done"]) == ("unchanged", 0, 0)

    folder = Path(applied["notebook"]).parent
    asked = undo(folder, stream=StringIO())
    assert (asked["status"], exit_code(asked), len(things())) == ("planned", 2, 2)
    assert asked["error"]["hint"].endswith(f"stackbook undo {applied['run']} --approve {asked['digest']}")
    undone = undo(folder, Consent(asked["digest"]), stream=StringIO())
    assert (undone["status"], exit_code(undone), undone["undoes"], things()) == ("undone", 0, applied["run"], {})
    marked = history.told(folder)
    assert (marked["status"], marked["undone_by"]) == ("undone", undone["run"])
    with pytest.raises(BadInput, match="nothing to resume"):
        resume(folder)


def test_the_run_folder_is_private_and_complete(books: Path) -> None:
    """A run leaves notebook, record, journal and log, all private; the record is what was returned; nothing else stays."""
    found, said = ran("things", "yes", count="1")
    folder = Path(found["notebook"]).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} - {"report.html"} == {
        "notebook.ipynb",
        "run.json",
        "journal.jsonl",
        "log.txt",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    written = json.loads((folder / "run.json").read_text())
    assert {**written, "report": None} == {**found, "report": None}
    assert (folder / "log.txt").read_text() in said
    assert found["by"] == "yes" and found["parameters"] == {"count": 1} and found["request_id"].startswith("req-")
    assert [cell["status"] for cell in found["cells"]] == ["completed"] * 7 and all(
        cell["seconds"] >= 0 for cell in found["cells"]
    )


def test_bad_input_makes_no_run(books: Path) -> None:
    """What is refused beforehand leaves no folder: unknown names, wrong types, unknown sites, options without a meaning."""
    for given, consent, site in (
        ({"cuont": "1"}, Consent(), None),
        ({"count": "many"}, Consent(), None),
        ({}, Consent(), "nowhere"),
    ):
        with pytest.raises(BadInput):
            order(find("things"), given, consent, site=site)
    for consent in (Consent("yes"), Consent(allow_delete=True)):
        with pytest.raises(BadInput, match="can't be given"):
            order(find("free"), {}, consent)
    assert not (books / "runs").exists()


def test_a_failing_cell_is_told_as_it_is(books: Path) -> None:
    """The failing cell is failed, those after it skipped, and the error is the record's."""
    found, said = ran("free", code="1 / 0")
    assert (found["status"], exit_code(found)) == ("failed", 1)
    assert found["error"]["type"] == "ZeroDivisionError" and found["error"]["what"] == "division by zero"
    assert [cell["status"] for cell in found["cells"]] == ["completed", "completed", "completed", "failed", "skipped"]
    assert "Second … failed after" in said and "Third" not in said


def test_bad_input_in_a_cell_exits_3(books: Path) -> None:
    """What stackbook refuses inside the notebook keeps its type, its parts and its exit code."""
    code = "from stackbook.errors import Refused; raise Refused('port x: taken', found=['a', 'b'], hint='look')"
    found, _ = ran("free", code=code)
    assert (found["status"], exit_code(found)) == ("failed", 3)
    assert found["error"] == {"type": "Refused", "what": "port x: taken", "found": "a; b", "hint": "look"}


def test_what_a_cloud_fails_at_can_be_traced(books: Path) -> None:
    """An error of openstacksdk that nobody turned into ours is named once, with the command that looks for its cause."""
    code = "from openstack.exceptions import HttpException; raise HttpException('500: Server Error for url: http://a/b, no')"
    found, _ = ran("free", code=code)
    what = "500: Server Error for url: http://a/b, no"
    hint = f"stackbook trace {found['run']}"
    assert found["error"] == {"type": "HttpException", "what": what, "found": None, "hint": hint}


def test_what_planning_refuses_is_in_the_journal(books: Path) -> None:
    """A refused plan leaves its reason in the journal, whoever runs the notebook, and in the record as it was raised."""
    code = (
        "from stackbook import connect, plan; from tests.fakes import FakeThing; "
        "plan([FakeThing(name='a'), FakeThing(name='a')], connect('test'))"
    )
    found, _ = ran("free", code=code)
    assert (found["status"], exit_code(found)) == ("failed", 3)
    assert found["error"]["what"] == "fake_thing/a is listed twice" and found["error"]["type"] == "BadInput"
    assert '"event": "error"' in (Path(found["notebook"]).parent / "journal.jsonl").read_text()


def test_sys_exit_0_is_an_end_not_a_failure(books: Path) -> None:
    """sys.exit(0) in a cell ends the run well: its cell is completed, those after it are skipped; another code is a failure."""
    found, _ = ran("free", code="import sys; print('enough'); sys.exit(0)")
    assert (found["status"], exit_code(found), found["error"]) == ("unchanged", 0, None)
    assert [cell["status"] for cell in found["cells"]] == ["completed"] * 4 + ["skipped"]
    assert "SystemExit" not in Path(found["notebook"]).read_text()
    failed, _ = ran("free", code="import sys; sys.exit(3)")
    assert (failed["status"], exit_code(failed), failed["error"]["type"]) == ("failed", 1, "SystemExit")


def test_values_arrive_as_typed(books: Path) -> None:
    """Every declared type arrives in the kernel as the value that was meant."""
    tricky = 'it\'s "quoted"\n\\ and {braces} $HOME `x` é\u2028'
    found, said = ran(
        "free", code=f"assert maybe == {tricky!r}", number="007", flag="yes", names="52:54:00:12:34:56,no", maybe=tricky
    )
    assert found["error"] is None and "first 7 True ['52:54:00:12:34:56', 'no']" in said


def test_secrets_reach_no_file(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password of clouds.yaml, in output, log, display, traceback, error and journal, is in no file of the run."""
    secret = "Zq7-planted/päss&word"
    (books / "clouds.yaml").write_text(f'clouds:\n  none:\n    auth: {{auth_url: "http://127.0.0.1:1", password: "{secret}"}}\n')
    monkeypatch.setenv("PLANTED", secret)
    (books / "code.py").write_text(
        "import os, sys\nfrom IPython.display import HTML, display\nsecret = os.environ['PLANTED']\n"
        "print('out', secret); print('err', secret, file=sys.stderr); print(secret[:9], end='', flush=True); print(secret[9:])\n"
        "display(HTML(f'<b>{secret}</b>')); display({'k': secret})\n"
        "print('password=hunter2-by-form')\n"
        "def deep(secret):\n    raise RuntimeError(f'with {secret}')\ndeep(secret)"
    )
    found, said = ran("free", code="exec(compile(open('code.py').read(), 'code.py', 'exec'))")
    assert found["error"]["type"] == "RuntimeError"
    folder = Path(found["notebook"]).parent
    for path in folder.iterdir():
        for text in (secret, json.dumps(secret)[1:-1], "hunter2-by-form"):
            assert text not in path.read_text(), f"{path.name} holds {text}"
    assert secret not in said and "out ***" in said
    assert "traceback" in (folder / "notebook.ipynb").read_text()


def test_secrets_stay_out_of_the_journal(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the middle of a change is journalled without the secret in its message."""
    secret = "Zq7-planted-password"
    monkeypatch.setenv("OS_PASSWORD", secret)
    (books / "things.json").mkdir()  # so that reading it fails
    (books / "things.json" / secret).touch()
    monkeypatch.setenv("FAKE_THINGS", str(books / "things.json" / secret / "x.json"))
    found, _ = ran("things", "yes")
    assert found["status"] == "failed" and found["error"]["type"] == "NotADirectoryError"
    for path in Path(found["notebook"]).parent.iterdir():
        assert secret not in path.read_text(), path.name


def test_widget_state_is_dropped(books: Path) -> None:
    """What a widget holds, such as a password that was typed, is not in the notebook's metadata."""
    found, _ = ran("free", code="import ipywidgets; w = ipywidgets.Password(value='typed-' + 'in-a-widget'); display(w)")
    text = Path(found["notebook"]).read_text()
    assert found["status"] == "unchanged" and "typed-in-a-widget" not in text and "widget-state" not in text


def test_an_interrupted_run_is_resumed(books: Path, things: Things) -> None:
    """A run that failed amid its changes goes on in its own folder: approved stays approved, nothing is made twice."""
    planned, _ = ran("things", count="3")
    store = books / "things.new"
    store.mkdir()  # where the first change wants to write a file
    failed, _ = ran("things", planned["digest"], count="3")
    assert failed["status"] == "failed" and failed["done"] == 0
    store.rmdir()
    folder = Path(failed["notebook"]).parent
    resumed = resume(folder, stream=StringIO())
    assert (resumed["run"], resumed["status"], resumed["done"], len(things())) == (failed["run"], "applied", 3, 3)
    assert (folder / "notebook-1.ipynb").exists() and resumed["digest"] == planned["digest"]
    assert resumed["error"] is None


def test_a_living_run_is_left_alone(books: Path) -> None:
    """Resuming a run that still goes on is refused."""
    from stackbook.journal import new_run

    going = new_run("free", "", books / "runs")
    going.begin(notebook=str(books / "notebooks" / "free.ipynb"))
    assert history.told(going.folder)["status"] == "running"
    with pytest.raises(StackbookError, match="still going on"):
        resume(going.folder)
