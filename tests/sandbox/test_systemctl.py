"""The stand-ins for commands on the sandbox's hosts, called as a runbook calls them."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from stackbook import sandbox
from stackbook.sandbox.inside.openstack_sandbox import processes

if TYPE_CHECKING:
    from tests.sandbox.fake_services import Fake

pytest_plugins = ["tests.sandbox.fake_services"]


@pytest.fixture
def running(fake: Fake) -> Fake:
    """The fakes, up: ``fake_a-api`` and ``fake_a-worker`` live with their process, ``fake_b-agent`` inside one."""
    fake.up()
    return fake


def _properties(fake: Fake, host: str, unit: str, *options: str) -> dict[str, str]:
    shown = fake.shell(host, "systemctl", "show", unit, *options)
    assert shown.returncode == 0
    return dict(line.split("=", 1) for line in shown.stdout.splitlines())


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("words", "code", "output"),
    [
        (["is-active", "fake_a-api"], 0, "active\n"),
        (["is-active", "fake_a-api.service"], 0, "active\n"),
        (["is-active", "openstack-fake_a-api"], 0, "active\n"),
        (["is-active", "--quiet", "fake_a-api"], 0, ""),
        (["is-active", "nosuch"], 4, "inactive\n"),
        (["is-active", "fake_a-api", "nosuch"], 0, "active\ninactive\n"),
        (["is-enabled", "fake_a-api"], 0, "enabled\n"),
        (["is-enabled", "nosuch"], 4, "not-found\n"),
        (["is-failed", "fake_a-api"], 1, "active\n"),
        (["daemon-reload"], 0, ""),
    ],
)
def test_questions(running: Fake, words: list[str], code: int, output: str) -> None:
    """Units are known with and without ``.service`` and RDO's prefix; exit codes are systemd's."""
    done = running.shell("controller1", "systemctl", *words)
    assert (done.returncode, done.stdout) == (code, output)


@pytest.mark.parametrize("verb", ["restart", "start", "stop"])
def test_a_unit_that_is_not_there_can_not_be_changed(running: Fake, verb: str) -> None:
    """Changing an unknown unit ends with 5 and says so; the known units of another host are unknown here."""
    for host, unit in (("controller1", "nosuch"), ("compute2", "fake_b-agent")):
        done = running.shell(host, "systemctl", verb, unit)
        assert done.returncode == 5
        assert f"{unit}.service not found" in done.stderr


def test_show_prints_properties(running: Fake) -> None:
    """`show` prints the properties asked for, in systemd's forms of time."""
    options = ["-p", "ActiveState,SubState", "--property=LoadState", "-pMainPID", "-p", "UnitFileState"]
    shown = _properties(running, "controller1", "fake_a-api", *options)
    assert shown == {
        "ActiveState": "active",
        "SubState": "running",
        "LoadState": "loaded",
        "MainPID": str(running.pid("fake_a")),
        "UnitFileState": "enabled",
    }
    when = ["-p", "ActiveEnterTimestamp", "--value"]
    ask = ["systemctl", "show", "fake_a-api", *when]
    assert re.fullmatch(r"@\d{10}\n", running.shell("controller1", *ask, "--timestamp=unix").stdout)
    fine = running.shell("controller1", *ask, "--timestamp=us+utc").stdout
    assert re.fullmatch(r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} UTC\n", fine)
    missing = _properties(running, "controller1", "nosuch", "-p", "LoadState,ActiveState")
    assert missing == {"LoadState": "not-found", "ActiveState": "inactive"}


def test_restart_of_a_unit_inside_a_process(running: Fake) -> None:
    """Restarting an agent starts it anew and leaves its process, with the units beside it, alone."""
    before = running.pid("fake_b")
    started = _properties(running, "compute1", "fake_b-agent", "--timestamp=us+utc")["ActiveEnterTimestamp"]
    done = running.shell("compute1", "systemctl", "restart", "fake_b-agent")
    assert (done.returncode, done.stderr) == (0, "")
    after = _properties(running, "compute1", "fake_b-agent", "--timestamp=us+utc")["ActiveEnterTimestamp"]
    assert after != started
    assert running.pid("fake_b") == before


def test_stop_and_start_of_a_unit_inside_a_process(running: Fake) -> None:
    """A stopped agent is inactive (exit code 3) until it is started; the API beside it goes on."""
    assert running.shell("compute1", "systemctl", "stop", "fake_b-agent").returncode == 0
    stopped = running.shell("compute1", "systemctl", "is-active", "fake_b-agent")
    assert (stopped.returncode, stopped.stdout) == (3, "inactive\n")
    assert running.shell("controller1", "systemctl", "is-active", "fake_b-api").returncode == 0
    assert running.shell("compute1", "systemctl", "start", "fake_b-agent").returncode == 0
    assert running.shell("compute1", "systemctl", "is-active", "fake_b-agent").returncode == 0


def test_a_unit_that_does_not_start_fails(running: Fake) -> None:
    """An agent whose configuration is broken fails to restart: exit code 1, the reason, state failed."""
    configuration = running.configuration("fake_b")
    configuration.write_text(configuration.read_text() + "broken\n")
    done = running.shell("compute1", "systemctl", "restart", "fake_b-agent")
    assert done.returncode == 1
    assert "the configuration is broken" in done.stderr
    assert running.shell("compute1", "systemctl", "is-failed", "fake_b-agent").returncode == 0
    status = running.shell("compute1", "systemctl", "status", "fake_b-agent")
    assert status.returncode == 3
    assert "failed" in status.stdout


def test_restart_of_a_process(running: Fake) -> None:
    """Restarting a service that is a process makes one new process, also when two of its units are named."""
    before, other = running.pid("fake_a"), running.pid("fake_b")
    done = running.shell("controller1", "systemctl", "restart", "fake_a-api", "fake_a-worker")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.pid("fake_a") != before
    assert running.pid("fake_b") == other
    assert processes.state(running.home, "fake_a") == "ready"
    assert len(processes.members(running.home, ["fake_a"])) == 1


def test_stop_and_start_of_a_process(running: Fake) -> None:
    """Stopping a process makes all its units inactive; starting one of them brings it back."""
    assert running.shell("controller1", "systemctl", "stop", "fake_a-api").returncode == 0
    assert running.shell("controller1", "systemctl", "is-active", "fake_a-worker").returncode == 3
    assert _properties(running, "controller1", "fake_a-api", "-p", "MainPID") == {"MainPID": "0"}
    assert running.shell("controller1", "systemctl", "start", "fake_a-api").returncode == 0
    assert running.shell("controller1", "systemctl", "is-active", "fake_a-worker").returncode == 0


def test_a_killed_service_is_failed(running: Fake) -> None:
    """After kill -9 the service is failed, and restarting it helps; agents in that process come back too."""
    os.kill(running.pid("fake_b"), signal.SIGKILL)
    _until(lambda: processes.running(running.home, "fake_b") is None)
    assert running.shell("controller1", "systemctl", "is-active", "fake_b-api").stdout == "failed\n"
    assert running.shell("compute1", "systemctl", "is-active", "fake_b-agent").stdout == "failed\n"
    assert running.shell("controller1", "systemctl", "restart", "fake_b-api").returncode == 0
    assert running.shell("compute1", "systemctl", "is-active", "fake_b-agent").stdout == "active\n"


def test_a_lasting_unit_keeps_what_it_read(running: Fake) -> None:
    """It reads its file when it is restarted itself and when its host is rebooted, not when its process is restarted."""
    read = running.home / "data" / "fake_b.read"
    configuration = running.home / "hosts/compute2/etc/fake_b/lasting.conf"

    def started() -> str:
        return _properties(running, "compute2", "fake_b-lasting", "--timestamp=us+utc")["ActiveEnterTimestamp"]

    before = started()
    configuration.write_text("second")
    assert running.shell("controller1", "systemctl", "restart", "fake_b-api").returncode == 0
    assert (read.read_text(), started()) == ("first", before)
    assert running.shell("compute2", "systemctl", "restart", "fake_b-lasting").returncode == 0
    assert read.read_text() == "second"
    assert started() > before
    configuration.write_text("third")
    sandbox.down(progress=running.said.append)
    assert running.shell("compute2", "systemctl", "is-active", "fake_b-lasting").stdout == "inactive\n"
    running.up()
    assert read.read_text() == "third"


def test_lists(running: Fake) -> None:
    """`list-units` prints a table or JSON of this host's units only; inactive ones with --all."""
    everything = ["systemctl", "list-units", "--type=service", "--all"]
    rows = json.loads(running.shell("controller1", *everything, "--output=json").stdout)
    assert [row["unit"] for row in rows] == [
        "fake_a-api.service", "fake_a-worker.service", "fake_b-api.service", "fake_b-worker.service",
    ]  # fmt: skip
    assert {row["active"] for row in rows} == {"active"}
    plain = running.shell("compute1", *everything, "--plain", "--no-legend", "--no-pager").stdout
    assert plain.split()[:4] == ["fake_b-agent.service", "loaded", "active", "running"]
    running.shell("compute1", "systemctl", "stop", "fake_b-agent")
    assert running.shell("compute1", "systemctl", "list-units", "--no-legend").stdout == ""
    assert "inactive dead" in running.shell("compute1", *everything, "fake_b*").stdout
    assert "fake_a" not in running.shell("compute1", "systemctl", "list-unit-files").stdout


def test_status_of_an_unknown_unit(running: Fake) -> None:
    """`status` of what is not there ends with 4 and says so; an unknown verb is refused."""
    done = running.shell("compute1", "systemctl", "status", "nosuch")
    assert done.returncode == 4
    assert "could not be found" in done.stderr
    assert running.shell("compute1", "systemctl", "explode").returncode == 1


def test_hostname(running: Fake) -> None:
    """Each host knows its name."""
    assert running.shell("compute1", "hostname").stdout == "compute1\n"
    assert running.shell("controller1", "hostname", "-f").stdout == "controller1\n"
    assert running.shell("controller1", "hostname", "new-name").returncode == 1
