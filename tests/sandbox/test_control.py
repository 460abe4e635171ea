"""Sandboxes up and down, with real processes of two small fake projects."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from stackbook import sandbox
from stackbook.errors import BadInput
from stackbook.sandbox import installation, places, starting
from stackbook.sandbox.inside.openstack_sandbox import processes

if TYPE_CHECKING:
    from tests.sandbox.fake_services import Fake

pytest_plugins = ["tests.sandbox.fake_services"]


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_up_answers_and_down_leaves_no_process(fake: Fake) -> None:
    """After `up` each API answers on its recorded port; after `down` nothing of it runs, and its data is still there."""
    made = fake.up()
    assert [service.state for service in sandbox.status()] == ["ready", "ready"]
    assert all(service.memory > 1_000_000 for service in sandbox.status())
    assert all(_answers(service.port) for service in sandbox.status())
    assert urllib.request.urlopen(made.urls["fake_a"]).status == 200
    began = time.monotonic()
    sandbox.down()
    assert time.monotonic() - began < 5  # after that, what does not listen is killed
    assert processes.members(fake.home) == []
    assert {(service.state, service.pid, service.memory) for service in sandbox.status()} == {("stopped", None, 0)}
    assert (fake.home / "data" / "fake_a.made").exists()


def test_up_twice_changes_nothing(fake: Fake) -> None:
    """A second `up` keeps processes, ports, passwords and databases as they are, and has nothing to say."""
    fake.up()
    before = fake.pid("fake_a"), fake.pid("fake_b"), (fake.home / "sandbox.json").read_text()
    fake.said.clear()
    fake.up()
    assert (fake.pid("fake_a"), fake.pid("fake_b"), (fake.home / "sandbox.json").read_text()) == before
    assert fake.said == []


def test_down_and_up_keep_ports_and_data(fake: Fake) -> None:
    """State survives `down` and `up`: databases are not taken from the template again, ports stay."""
    ports = fake.up().urls
    marked = fake.home / "data" / "fake_a.made"
    marked.write_text("mine")
    sandbox.down()
    assert fake.up().urls == ports
    assert marked.read_text() == "mine"


def test_a_killed_service_is_seen_and_started_again(fake: Fake) -> None:
    """After kill -9 of one service it is `failed`; `up` starts that one and leaves the other alone."""
    fake.up()
    other = fake.pid("fake_b")
    os.kill(fake.pid("fake_a"), signal.SIGKILL)
    _until(lambda: sandbox.status()[0].state == "failed")
    assert sandbox.status()[0].pid is None
    fake.up()
    assert [service.state for service in sandbox.status()] == ["ready", "ready"]
    assert fake.pid("fake_b") == other


def test_a_service_that_dies_is_named_with_its_reason_and_log(fake: Fake) -> None:
    """SandboxFailed names the project, its last words and a log that exists."""
    fake.mode("fake_b", "die")
    with pytest.raises(sandbox.SandboxFailed) as caught:
        fake.up()
    assert "fake_b" in caught.value.what
    assert "the fake was told to die" in str(caught.value.found)
    logs = re.findall(r"/\S+", str(caught.value.hint))
    assert logs
    assert all(Path(log).exists() for log in logs)
    fake.mode("fake_b", "")
    fake.up()


def test_a_service_that_never_answers_is_named_in_time(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is over, SandboxFailed says which project gave no answer."""
    monkeypatch.setattr(starting, "PATIENCE_S", 2.5)
    fake.mode("fake_a", "slow")
    with pytest.raises(sandbox.SandboxFailed, match="fake_a: no answer within"):
        fake.up()
    assert any("waiting for" in line and "fake_a" in line for line in fake.said)
    assert sandbox.status()[0].state == "starting"


def test_down_kills_what_does_not_listen(fake: Fake) -> None:
    """A process that ignores SIGTERM is killed after the patience is over."""
    fake.mode("fake_a", "deaf")
    fake.up()
    time.sleep(0.3)
    processes.stop(fake.home, patience=0.5)
    assert processes.members(fake.home) == []


def test_down_finds_processes_without_a_record(fake: Fake) -> None:
    """A process whose record is lost, and the children of services, are found by their environment and stopped."""
    fake.mode("fake_b", "child")
    fake.up()
    _until(lambda: len(processes.members(fake.home)) == 3)
    for record in (fake.home / "run").glob("*.pid"):
        record.unlink()
    sandbox.down()
    assert processes.members(fake.home) == []


def test_up_takes_over_processes_whose_record_is_lost(fake: Fake) -> None:
    """After an `up` that was killed between starting a process and recording it, the next one takes the process over."""
    fake.up()
    pid = fake.pid("fake_a")
    (fake.home / "run" / "fake_a.pid").unlink()
    fake.up()
    assert fake.pid("fake_a") == pid


def test_a_taken_port_is_left(fake: Fake) -> None:
    """A port that another process took while the sandbox was down is replaced: in settings, configuration, clouds.yaml."""
    fake.up()
    sandbox.down()
    configuration = fake.configuration("fake_b")
    edited = configuration.read_text() + "# mine: 127.0.0.1:80\n"
    configuration.write_text(edited)
    old = json.loads((fake.home / "sandbox.json").read_text())["ports"]
    with socket.create_server(("127.0.0.1", old["fake_a"])):
        made = fake.up()
        new = json.loads((fake.home / "sandbox.json").read_text())["ports"]
        assert new["fake_a"] != old["fake_a"]
        assert new["fake_b"] == old["fake_b"]
        assert configuration.read_text() == edited.replace(str(old["fake_a"]), str(new["fake_a"]))
        assert (fake.home / "data" / "fake_a.url").read_text() == made.urls["fake_a"]
        assert any("is taken" in line for line in fake.said)


def test_a_move_of_ports_that_was_cut_off_is_finished(fake: Fake) -> None:
    """A kill after the new ports were recorded and before the configuration had them: the next `up` writes them."""
    fake.up()
    sandbox.down()
    path = fake.home / "sandbox.json"
    settings = json.loads(path.read_text())
    old, new = settings["ports"]["fake_a"], 19_999
    settings["ports"]["fake_a"] = new
    path.write_text(json.dumps(settings | {"moving": [[old, new]]}))
    fake.up()
    assert f"port = {new}\n" in fake.configuration("fake_a").read_text()
    assert "moving" not in path.read_text()


def test_seeds_are_planted_once(fake: Fake) -> None:
    """What a new sandbox begins with is made at its first `up` and not again."""
    for _ in range(2):
        fake.up()
        sandbox.down()
    assert (fake.home / "data" / "seeds").read_text() == "planted\n"


def test_two_sandboxes_side_by_side(fake: Fake) -> None:
    """Two sandboxes run at once on different ports with different passwords; stopping one leaves the other."""
    one, two = fake.up(), fake.up("second")
    assert set(one.urls.values()).isdisjoint(two.urls.values())
    assert sandbox.environment()["OS_PASSWORD"] != sandbox.environment("second")["OS_PASSWORD"]
    assert sandbox.names() == ["default", "second"]
    sandbox.down()
    assert [service.state for service in sandbox.status("second")] == ["ready", "ready"]


def test_two_ups_at_once_make_one_sandbox(fake: Fake) -> None:
    """Two processes that call `up` at the same moment wait for each other and end with the same processes."""
    script = (
        "import pathlib, sys; from stackbook import sandbox; from stackbook.sandbox.recipe import Recipe\n"
        "inside, lock = map(pathlib.Path, sys.argv[1:])\n"
        "sandbox.up(recipe=Recipe(('fake_a', 'fake_b'), inside=inside, lock=lock))\n"
        "print([service.pid for service in sandbox.status()])"
    )
    command = [sys.executable, "-c", script, str(fake.recipe.inside), str(fake.recipe.lock)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [process.communicate(timeout=60)[0].splitlines()[-1] for process in both]
    assert ends[0] == ends[1]
    assert len(processes.members(fake.home)) == 2


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3])
def test_a_killed_up_is_finished_by_the_next(fake: Fake, delay: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any moment of its first run, `up` is continued by the next one."""
    monkeypatch.setenv("STACKBOOK_CACHE", str(tmp_path / "cache"))
    script = (
        "import pathlib, sys; from stackbook import sandbox; from stackbook.sandbox.recipe import Recipe\n"
        "print('imported', flush=True); inside, lock = map(pathlib.Path, sys.argv[1:])\n"
        "sandbox.up(recipe=Recipe(('fake_a', 'fake_b'), inside=inside, lock=lock))"
    )
    command = [sys.executable, "-c", script, str(fake.recipe.inside), str(fake.recipe.lock)]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert killed.stdout
    killed.stdout.readline()
    time.sleep(delay)
    killed.kill()
    killed.communicate()
    fake.up()
    assert [service.state for service in sandbox.status()] == ["ready", "ready"]
    sandbox.down()
    assert processes.members(fake.home) == []


def test_a_failed_template_is_made_by_the_next_up(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template whose making failed is not used, its log is named, and the next `up` makes it."""
    monkeypatch.setenv("STACKBOOK_CACHE", str(tmp_path / "cache"))
    fake.mode("fake_b", "no-template")
    with pytest.raises(sandbox.SandboxFailed, match="databases of fake_b") as caught:
        fake.up()
    assert "told to fail" in str(caught.value.found)
    fake.mode("fake_b", "")
    fake.up()


def test_what_a_killed_up_left_is_cleared_away(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-made folders of a killed `up` are removed by the next one that makes something, and what fills them is ended."""
    monkeypatch.setenv("STACKBOOK_CACHE", str(tmp_path / "cache"))
    left = places.private(installation.folder(fake.recipe) / ".template-of-another-version.x1")
    filling = subprocess.Popen(["sleep", "60"], env={processes.MARK: str(left)})
    try:
        fake.up()
        assert filling.wait(5) == -signal.SIGTERM
        assert not left.exists()
    finally:
        filling.kill()


def test_the_template_is_made_once(fake: Fake) -> None:
    """A second sandbox copies the template of the first: the databases were made at the same moment."""
    fake.up()
    fake.up("second")
    made = [(places.home(name) / "data" / "fake_a.made").read_text() for name in sandbox.names()]
    assert made[0] == made[1]


def test_an_interpreter_that_is_gone_is_made_again(fake: Fake) -> None:
    """When the Python from which the environment was made is gone, the environment is made anew."""
    fake.up()
    sandbox.down()
    interpreter = installation.python(fake.recipe)
    interpreter.unlink()
    interpreter.symlink_to("/nowhere/python")
    fake.up()


def test_everything_is_private(fake: Fake) -> None:
    """No folder of a sandbox can be entered by others, no file with a password or a key can be read by them."""
    made = fake.up()
    for folder in (places.homes(), fake.home, fake.home / "run", fake.home / "hosts", installation.folder(fake.recipe)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in (made.clouds_file, fake.home / "sandbox.json", *(fake.home / "run").glob("*.*"), *fake.home.rglob("*.conf")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_clients_find_their_way(fake: Fake) -> None:
    """clouds.yaml and the variables name the same address, user and password."""
    made = fake.up("second")
    variables = sandbox.environment("second")
    text = sandbox.clouds_yaml("second")
    cloud = yaml.safe_load(text)["clouds"][made.cloud]
    assert made.clouds_file.read_text() == text
    assert cloud["auth"]["password"] == variables["OS_PASSWORD"]
    assert cloud["auth"]["auth_url"] == variables["OS_AUTH_URL"]
    assert cloud["identity_api_version"] == variables["OS_IDENTITY_API_VERSION"]


def test_restart_of_one_project(fake: Fake) -> None:
    """Restarting one project gives it a new process and leaves the other alone; an unknown one is refused."""
    fake.up()
    before = fake.pid("fake_a"), fake.pid("fake_b")
    sandbox.restart("default", "fake_a", fake.said.append, fake.recipe)
    assert fake.pid("fake_a") != before[0]
    assert fake.pid("fake_b") == before[1]
    with pytest.raises(BadInput, match="no project 'heat'"):
        sandbox.restart("default", "heat", fake.said.append, fake.recipe)


def test_reset_removes_all_of_one_sandbox(fake: Fake) -> None:
    """`reset` stops and removes the sandbox; another one stays, and the name can be used again."""
    fake.up()
    fake.up("second")
    sandbox.reset()
    assert sandbox.names() == ["second"]
    assert processes.members(fake.home) == []
    assert not [path for path in places.homes().iterdir() if "gone" in path.name]
    fake.up()


@pytest.mark.parametrize("verb", ["up", "down"])
def test_a_folder_removed_by_hand(fake: Fake, verb: str) -> None:
    """After someone removed the folder of a running sandbox, `down` ends its processes, and `up` makes a new one."""
    fake.up()
    before = {one.pid for one in processes.members(fake.home)}
    shutil.rmtree(fake.home)
    if verb == "up":
        fake.up()
        assert len(processes.members(fake.home)) == 2
    else:
        sandbox.down()
        assert processes.members(fake.home) == []
    assert before.isdisjoint(one.pid for one in processes.members(fake.home))


def test_other_versions_are_refused(fake: Fake) -> None:
    """A sandbox made for other versions of the services is not started on the new ones; the way out is named."""
    fake.up()
    sandbox.down()
    fake.recipe.lock.write_text("# other packages\n")
    with pytest.raises(sandbox.SandboxFailed, match="other versions") as caught:
        fake.up()
    assert "reset" in str(caught.value.hint)


def test_no_sandbox_says_how_to_make_one(fake: Fake) -> None:
    """Asking about a sandbox that was never made names the command that makes it; names can't leave the folder."""
    with pytest.raises(sandbox.NoSandbox) as caught:
        sandbox.status("nine")
    assert "up --name nine" in str(caught.value.hint)
    for bad in ("..", "a/b", "", "Default", "-x"):
        with pytest.raises(BadInput):
            places.home(bad)


def test_the_callers_variables_stay_outside(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services don't see the caller's proxies, OS_* variables or Python settings."""
    for name in ("http_proxy", "OS_CLOUD", "PYTHONHOME_X", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fake.up()
    seen = Path(f"/proc/{fake.pid('fake_a')}/environ").read_text()
    assert "http_proxy" not in seen
    assert "OS_CLOUD" not in seen
    assert "BYTECODE" not in seen


def test_logs_are_listed(fake: Fake) -> None:
    """`logs` lists what the services wrote on each host and what their processes printed."""
    fake.up()
    log = fake.home / "hosts" / "compute1" / "var" / "log" / "fake_b" / "agent.log"
    log.parent.mkdir(parents=True)
    log.touch()
    assert log in sandbox.logs(host="compute1")
    assert sandbox.logs(project="fake_b") == [log, fake.home / "run" / "fake_b.out"]
