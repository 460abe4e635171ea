"""Schedules as units of systemd: what is written, checked with systemd's own programs; tests/guest has one that runs them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stackbook.config import HostSettings
from stackbook.errors import BadInput
from stackbook.hosts import HostFailed, LocalHost
from stackbook.runbook.schedules import NOTE, SYSTEM, Schedule, Schedules, where
from tests.runbook.conftest import Command

AT = "Mon..Fri 06:00"
BAD_INPUT = 3
ODD = ["100%", "$HOME", 'a "quoted" word', "back\\slash", "it's", "ü", "", "a;b", "#"]
FAKE_SYSTEMCTL = """#!/bin/sh
# Stands in for systemctl on a machine where systemd does not run; says what that says
echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2
exit 1
"""


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    """A host whose systemctl finds no systemd."""
    program = tmp_path / "usr/bin/systemctl"
    program.parent.mkdir(parents=True)
    program.write_text(FAKE_SYSTEMCTL)
    program.chmod(0o755)
    return LocalHost(HostSettings("here", root=str(tmp_path)))


def schedule(name: str = "health", at: str = AT, *words: str) -> Schedule:
    """A schedule of this Python."""
    return Schedule(name, at, [sys.executable, "-m", "stackbook", "run", "health", *words], "/srv/my cloud")


@pytest.mark.parametrize("folder", [SYSTEM, "/home/operator/.config/systemd/user"])
def test_systemd_reads_the_units(folder: str, host: LocalHost, tmp_path: Path) -> None:
    """Not a complaint from ``systemd-analyze verify``, with words of every kind."""
    files = Schedules(host, folder).files(schedule("health", AT, *ODD))
    for path, text in files.items():
        (tmp_path / Path(path).name).write_text(text.replace("WorkingDirectory=/srv/my cloud", f"WorkingDirectory={tmp_path}"))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / Path(path).name) for path in files)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    )
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "stackbook-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    assert ("User=root" in "".join(files.values())) == (folder == SYSTEM)


def test_when_it_runs_first_is_told_before_anything_is_written(host: LocalHost, tmp_path: Path) -> None:
    """As systemd computes it."""
    assert schedule_first(host).startswith(("Mon", "Tue", "Wed", "Thu", "Fri"))
    assert not (tmp_path / "etc").exists()


def schedule_first(host: LocalHost) -> str:
    """When the schedule would run first."""
    return Schedules(host).check(schedule())


@pytest.mark.parametrize("at", ["every day", "25:00", ""])
def test_times_that_systemd_does_not_read(at: str, host: LocalHost) -> None:
    """Refused in systemd's words, with an example."""
    with pytest.raises(BadInput, match="--at") as caught:
        Schedules(host).check(schedule("health", at))
    assert "Mon..Fri 06:00" in str(caught.value.hint)


def test_a_name_that_another_has(host: LocalHost, tmp_path: Path) -> None:
    """Refused; the same again is no other."""
    for path, text in Schedules(host).files(schedule()).items():
        host.write(path, text.encode())
    assert schedule_first(host)
    with pytest.raises(BadInput, match="exists already, and is another one"):
        Schedules(host).check(schedule("health", "07:00"))


@pytest.mark.parametrize("name", ["", "a b", "../x", "A", "x/y"])
def test_names_that_are_no_units(name: str) -> None:
    """Refused before they become a path."""
    with pytest.raises(BadInput, match="expected small letters"):
        schedule(name)


def test_a_word_that_would_become_a_line(host: LocalHost) -> None:
    """A newline would add settings to the unit."""
    with pytest.raises(BadInput, match="control character"):
        schedule("health", AT, "-p", "x=1\nUser=root")


def test_what_cannot_be_started_leaves_nothing(host: LocalHost, tmp_path: Path) -> None:
    """Where systemd does not run it says so, gives the line for cron, and no file stays."""
    with pytest.raises(HostFailed, match="can't be started") as caught:
        Schedules(host).add(schedule())
    line = str(caught.value.hint).partition(": ")[2]
    assert shlex.split(line) == ["cd", "/srv/my cloud", "&&", sys.executable, "-m", "stackbook", "run", "health"]
    assert list((tmp_path / "etc/systemd/system").iterdir()) == []


def test_only_our_own_are_listed_and_removed(host: LocalHost, tmp_path: Path) -> None:
    """A unit of that name which someone else wrote is none of ours."""
    folder = tmp_path / "etc/systemd/system"
    schedules = Schedules(host)
    for path, text in schedules.files(schedule()).items():
        host.write(str(path), text.encode())
    (folder / "stackbook-other.timer").write_text("[Timer]\nOnCalendar=daily\n")
    mine = Schedules(LocalHost(HostSettings("here")), str(folder))
    (row,) = mine.all()
    assert (row["name"], row["at"], row["command"]) == ("health", AT, "stackbook run health")
    with pytest.raises(BadInput, match="no schedule 'other'"):
        mine.remove("other")
    assert NOTE not in (folder / "stackbook-other.timer").read_text()


def test_whose_units() -> None:
    """Root's are the system's; everyone else has their own."""
    assert where(0, Path("/root")) == SYSTEM
    assert where(1000, Path("/home/a")) == "/home/a/.config/systemd/user"


def test_the_command_shows_what_it_would_write(stackbook: Command, books: Path, tmp_path: Path) -> None:
    """Files, command and first time; what would fail each time is refused now: an unknown site, a wrong value, OS_* variables."""
    done = stackbook("schedule", "add", "things", "-p", "count=2", "--at", "06:00", "--yes", "--dry-run")
    assert done.returncode == 0, done.stderr
    command = f"ExecStart={sys.executable} -m stackbook run things -p count=2 --yes"
    for said in (command, f"WorkingDirectory={books}", "OnCalendar=06:00", "nothing was written; it would run first: "):
        assert said in done.stdout
    for words in (["-p", "count=many"], ["--site", "nowhere"], ["--site", "envvars"]):
        refused = stackbook("schedule", "add", "things", *words, "--at", "06:00")
        assert (refused.returncode, refused.stdout) == (BAD_INPUT, ""), refused.stderr
        assert "Try:" in refused.stderr
