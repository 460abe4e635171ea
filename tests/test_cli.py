"""The command line: light, documented, and clear when something is wrong."""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackbook.cli import main, reference
from stackbook.cli.parser import parser
from stackbook.config import at_site
from stackbook.journal import new_run
from stackbook.runbook import catalogue

ROOT = Path(__file__).parents[1]
COMMANDS = [command.prog.removeprefix("stackbook ") for command in reference.commands(parser())]
CONTRACT = [
    "init",
    "doctor",
    "list",
    "show",
    "run",
    "runs",
    "resume",
    "undo",
    "report",
    "publish",
    "inventory",
    "trace",
    "schedule add",
    "schedule list",
    "schedule remove",
    "fleet run",
    "jupyter",
]
SANDBOX = [f"sandbox {verb}" for verb in ("up", "down", "status", "reset", "env", "logs", "faults", "break", "heal")]
WITHOUT_DATA = {"init", "jupyter", "report", "publish", "schedule add", "schedule remove", "sandbox down", "sandbox reset"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; nothing of this user's settings is seen."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "STACKBOOK_SANDBOX_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    return tmp_path


Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Calls a command in this process; exit code, standard output, standard error."""

    def call(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, *capsys.readouterr()

    return call


def test_the_commands_are_those_of_the_contract() -> None:
    """Every promised command exists, and no command is listed whose feature does not exist."""
    assert sorted(COMMANDS) == sorted([*CONTRACT, *SANDBOX])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, said: Said) -> None:
    """--help tells the purpose and shows an example that parses; --json is there where a command returns data."""
    code, out, _ = said(*command.split(), "--help")
    assert code == 0 and "example:" in out
    assert ("--json" in out) == (command not in WITHOUT_DATA)
    for line in out.split("example:")[1].splitlines():
        if line.strip().startswith("stackbook "):
            parser().parse_args(shlex.split(line)[1:])


def test_the_reference_page_is_current() -> None:
    """docs/reference/cli.md has every command and option as the parser has them; `make docs` makes it."""
    assert (ROOT / "docs" / "reference" / "cli.md").read_text() == reference.page()


def test_help_is_light() -> None:
    """``stackbook --help`` needs at most 0.3 s of CPU and imports nothing heavy."""
    heavy = ["pandas", "openstack", "papermill", "jupyter_client", "nbformat", "IPython", "yaml", "requests", "matplotlib"]
    told = f"import atexit, sys; atexit.register(lambda: print([name for name in {heavy} if name in sys.modules]))"
    code = f"{told}; from stackbook.cli import main; main(['--help'])"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.stdout.strip().endswith("[]"), result.stdout[-200:]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 0.3


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["run"],
        ["run", "x", "--nothing"],
        ["run", "x", "--approve", "p-1", "--yes"],
        ["run", "x", "--timeout", "-3"],
        ["sandbox"],
    ],
)
def test_wrong_usage_exits_3(words: list[str], said: Said) -> None:
    """What does not parse is bad input, not exit code 2, which means that changes await approval."""
    code, out, err = said(*words)
    assert (code, out) == (3, "") and err.startswith("BadInput: ") and "Try: " in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trace", "web", "--tail", "3"], "BadInput: stackbook trace takes no --tail 3\n  Try: stackbook trace --help"),
        (["sandbox", "break", "dhcp-off", "dhcp-on"], "Try: stackbook sandbox break --help"),
        (["run", "provider-vlam"], "did you mean provider-vlan?"),
        (["show", "nothing-like-it"], "stackbook list"),
        (["runs", "nothing"], "stackbook runs"),
        (["resume", "last"], "no run in"),
        (["undo", "x"], "no run"),
        (["run", "undo", "-p", "runn=x"], "did you mean run?"),
        (["run", "undo", "--params", "missing.yaml"], "missing.yaml"),
        (["run", "undo", "-p", "password=x"], "no parameter 'password'"),
        (["sandbox", "status"], "stackbook sandbox up"),
        (["run", "inventory"], "stackbook sandbox up"),
        (["run", "inventory", "--site", "nowhere"], "stackbook.toml"),
    ],
)
def test_bad_input_says_what_to_try(words: list[str], expected: str, place: Path, said: Said) -> None:
    """Bad input: exit code 3 (1 for a sandbox that is not there), one clear message with a next step, no traceback, no run."""
    code, out, err = said(*words)
    assert code in (1, 3) and expected in err and "Traceback" not in out + err
    assert not (place / "runs").exists()


def test_bad_input_as_json(place: Path, said: Said) -> None:
    """With --json, a refusal is an object too: status failed and the error's parts."""
    code, out, err = said("run", "inventory", "--site", "nowhere", "--json")
    found = json.loads(out)
    assert (code, found["status"], found["runbook"]) == (3, "failed", "inventory")
    assert "nowhere" in found["error"]["what"] and found["error"]["hint"] and "BadInput" in err


def test_an_unexpected_error_is_one_line_and_a_private_file(place: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw: one line, and the path of the traceback, in which no password is left."""
    monkeypatch.setenv("OS_PASSWORD", "planted-password")

    def broken(*_: Any) -> None:
        raise RuntimeError("something with planted-password\nsecond line")

    monkeypatch.setattr(catalogue, "listing", broken)
    code, _, err = said("list")
    path = Path(err.splitlines()[-1].split()[-1])
    assert code == 1 and len(err.splitlines()) == 2 and "Traceback" not in err
    assert "RuntimeError" in path.read_text() and path.stat().st_mode & 0o077 == 0
    assert "planted-password" not in path.read_text() + err


def test_a_reader_that_has_seen_enough(place: Path) -> None:
    """A closed pipe is no error: ``stackbook list | head -1``."""
    command = f"{sys.executable} -m stackbook show provider-vlan | head -1; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_terminal_without_our_characters(place: Path) -> None:
    """In a terminal of another encoding, what it can't show becomes a question mark, and nothing fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "stackbook", "show", "undo"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (0, "") and "Undo a run" in result.stdout


def test_runs_that_cannot_be_written(place: Path, said: Said) -> None:
    """Where runs/ can't be made, the run is refused before it begins."""
    (place / "runs").write_text("a file")
    (place / "one.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    code, _, err = said("run", "./one.ipynb")
    assert code == 3 and "can't be written" in err


def test_list_and_show(place: Path, said: Said) -> None:
    """List has a line per runbook; show has purpose, parameters with default and help, and how to undo."""
    code, out, _ = said("list")
    assert code == 0 and len(out.splitlines()) == len(list(catalogue.shipped_folder().glob("*.ipynb")))
    code, out, _ = said("show", "provider-vlan")
    assert code == 0 and "vlan: int = " in out and "Undo" in out and "# VLAN" in out
    assert "the volume goes with what was written to it\n" in said("show", "first-server")[1]
    shown = json.loads(said("show", "provider-vlan", "--json")[1])
    assert {"name": "approve", "type": "str", "default": ""}.items() <= shown["parameters"][-1].items() or shown["parameters"]


def test_init_keeps_what_was_edited(place: Path, said: Said) -> None:
    """A workspace gets settings, copies and runs/; again it keeps edited files, renews old copies, and says which."""
    code, out, _ = said("init", "ws")
    books = place / "ws" / "notebooks"
    assert code == 0 and (place / "ws" / "runs").stat().st_mode & 0o777 == 0o700
    assert {path.name for path in books.glob("*.ipynb")} == {path.name for path in catalogue.shipped_folder().glob("*.ipynb")}
    assert "made     notebooks/undo.ipynb" in out
    (books / "undo.ipynb").write_text("edited")
    (place / "ws" / "stackbook.toml").write_text("# edited\n")
    (books / "inventory.ipynb").unlink()
    code, out, _ = said("init", "ws")
    assert code == 0 and (books / "undo.ipynb").read_text() == "edited" and (books / "inventory.ipynb").exists()
    assert (place / "ws" / "stackbook.toml").read_text() == "# edited\n"
    assert "kept     notebooks/undo.ipynb (edited;" in out and "current  notebooks/fixed-ip.ipynb" in out


def test_init_renews_an_old_copy(place: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that nobody edited follows the shipped runbook."""
    shipped = place / "shipped"
    shipped.mkdir()
    (shipped / "one.ipynb").write_text("old")
    monkeypatch.setattr("stackbook.cli.workspace.shipped_folder", lambda: shipped)
    said("init", "ws")
    (shipped / "one.ipynb").write_text("new")
    assert "updated  notebooks/one.ipynb" in said("init", "ws")[1]
    assert (place / "ws" / "notebooks" / "one.ipynb").read_text() == "new"


def test_the_template_names_the_sandbox(place: Path, said: Said) -> None:
    """The settings that init makes are valid, and hold the sandbox alone."""
    import tomllib

    said("init")
    assert tomllib.loads((place / "stackbook.toml").read_text()) == {"sites": {"sandbox": {"layout": "sandbox"}}}


def test_doctor_gives_each_finding_a_next_step(place: Path, said: Said) -> None:
    """Doctor looks at Python, packages, workspace, runs and sites; what is not well has a next step."""
    code, out, _ = said("doctor", "--json")
    found = {finding["subject"]: finding for finding in json.loads(out)}
    assert {"python", "papermill", "workspace", "runs", "site sandbox"} <= set(found)
    assert all(finding["hint"] for finding in found.values() if finding["level"] != "ok")
    assert found["site sandbox"]["hint"] == "stackbook sandbox up" and code == 0


def test_doctor_names_a_cloud_out_of_reach(place: Path, said: Said) -> None:
    """A site whose cloud does not answer is bad, with its reason; exit code 1."""
    (place / "stackbook.toml").write_text('[sites.lab]\ncloud = "lab"\n')
    auth = "auth: {auth_url: 'http://127.0.0.1:9/v3', username: a, password: planted-pw, project_name: p}"
    (place / "clouds.yaml").write_text(f"clouds:\n  lab:\n    {auth}\n")
    code, out, _ = said("doctor", "--site", "lab")
    assert code == 1 and "bad   site lab: " in out and "Try: " in out and "planted-pw" not in out


def test_a_workspace_without_runs(place: Path, said: Said) -> None:
    """Runs says that there are none yet."""
    assert "no run in" in said("runs")[1] and json.loads(said("runs", "--json")[1]) == []


def test_a_run_is_traced_on_its_own_site(place: Path, said: Said) -> None:
    """By ``last``, its name, or the name's end; what is no run is looked for in the sandbox, or where --site says."""
    run = new_run("fixed-ip", "office", place / "runs")
    run.begin()
    for name in ("last", run.id, run.id[:15], run.id.partition("-")[2], run.id[-4:]):
        code, _, err = said("trace", name)
        assert code == 3 and "'office'" in err, (name, err)
    assert "'office'" not in said("trace", "web")[2]
    assert "'lab'" in said("trace", "last", "--site", "lab")[2]
    new_run("fixed-ip", "office", place / "runs").begin()
    same = place / "runs" / f"{run.id[:15]}-other-0000"
    same.mkdir()
    (same / "journal.jsonl").write_bytes((run.folder / "journal.jsonl").read_bytes())
    code, _, err = said("trace", run.id[:15])
    assert code == 3 and "runs match" in err and same.name in err and run.id in err
    assert "'office'" in said("trace", run.id)[2]


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("stackbook trace req-1", "stackbook trace req-1 --site my lab"),
        ("stackbook run health", "stackbook run health --site my lab"),
        ("stackbook run health --site other", "stackbook run health --site other"),
        ("stackbook runs", "stackbook runs"),
        ("read its log", "read its log"),
    ],
)
def test_commands_in_hints_name_their_site(hint: str, told: str) -> None:
    """What is to be typed works on the site that it is about; on the default one as it is."""
    assert at_site(hint, "my lab") == told.replace("my lab", "'my lab'")
    assert at_site(hint, "sandbox") == at_site(hint, "") == hint
