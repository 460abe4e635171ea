"""Small stand-ins for the services, run by the sandbox's own code from `up` to `systemctl`; a pytest plugin."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stackbook import sandbox
from stackbook.sandbox import control, places
from stackbook.sandbox.inside.openstack_sandbox import processes
from stackbook.sandbox.recipe import REAL, Recipe

_SERVICE = """
import http.server, json, pathlib, signal, subprocess, sys, threading, time
from openstack_sandbox import frame

ME = "@PROJECT@"

def mode():
    path = pathlib.Path(__file__).with_name(ME + ".mode")
    return path.read_text() if path.exists() else ""

def patch():
    pass

def configure(home):
    text = f"[DEFAULT]\\nport = {home.port(ME)}\\n[peer]\\nurl = {home.url('fake_a')}/v3\\nother = http://127.0.0.1:9/\\n"
    frame.write(home.etc(ME) / "fake.conf", text)

def prepare(home):
    assert mode() != "no-template", "the template was told to fail"
    (home.data() / (ME + ".made")).write_text(str(time.time()))

def adopt(home):
    (home.data() / (ME + ".url")).write_text(home.url(ME))

def serve(home):
    if mode() == "die":
        raise RuntimeError("the fake was told to die")
    server = http.server.HTTPServer(("127.0.0.1", home.port(ME)), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if mode() == "child":
        subprocess.Popen(["sleep", "600"])
    if ME == "fake_b":
        def start():
            assert "broken" not in (home.etc(ME) / "fake.conf").read_text(), "the configuration is broken"
            return lambda: None
        frame.unit(home, "compute1", "fake_b-agent", start)
        def begin(etc):
            (home.data() / "fake_b.read").write_text((etc / "lasting.conf").read_text())
            return lambda: None
        frame.write(home.etc(ME, "compute2") / "lasting.conf", "first")
        frame.lasting_unit(home, "compute2", "fake_b-lasting", ["lasting.conf"], begin)
    frame.process_units(home, ME, {"controller1": [ME + "-api", ME + "-worker"]})
    if mode() == "deaf":
        frame.ready(home, ME)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    if mode() != "slow":
        frame.ready(home, ME)
    frame.wait()
"""

_SEEDS = """
import pathlib, sys
with (pathlib.Path(sys.argv[1]) / "data" / "seeds").open("a") as file:
    file.write("planted\\n")
"""


class Fake(NamedTuple):
    """Two fake projects and the sandbox ``default`` made of them."""

    recipe: Recipe
    home: Path
    said: list[str]

    def up(self, name: str = "default") -> control.Sandbox:
        """Bring a sandbox of the fakes up."""
        return sandbox.up(name, self.said.append, self.recipe)

    def mode(self, project: str, mode: str) -> None:
        """Tell `project` how to misbehave from its next start on."""
        (self.recipe.inside / "openstack_sandbox" / f"{project}.mode").write_text(mode)

    def pid(self, project: str) -> int:
        """Its process id."""
        process = processes.running(self.home, project)
        assert process is not None, f"{project} does not run"
        return process.pid

    def shell(self, host: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `host`."""
        command = self.home / "hosts" / host / "usr" / "bin" / words[0]
        return subprocess.run([command, *words[1:]], check=False, capture_output=True, text=True, timeout=30)

    def configuration(self, project: str) -> Path:
        """Its file on the controller."""
        return self.home / "hosts" / "controller1" / "etc" / project / "fake.conf"


@pytest.fixture(scope="session")
def fake_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests, so that the empty environment is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def fake(tmp_path: Path, fake_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Two fake projects with an environment of no packages; every process is gone afterwards."""
    monkeypatch.setenv("STACKBOOK_SANDBOX_HOME", str(tmp_path / "homes"))
    monkeypatch.setenv("STACKBOOK_CACHE", str(fake_cache))
    made = Fake(_recipe(tmp_path), places.home(), [])
    yield made
    for name in sandbox.names():
        processes.stop(places.home(name), patience=0.1)


def _recipe(folder: Path) -> Recipe:
    inside = folder / "inside"
    package = inside / "openstack_sandbox"
    without = shutil.ignore_patterns("*_service.py", "rack.py", "__pycache__")  # its hosts have no networks of their own
    shutil.copytree(REAL.inside / "openstack_sandbox", package, ignore=without)
    projects = ("fake_a", "fake_b")
    with (package / "home.py").open("a") as file:
        file.write(f"\nPROJECTS = {projects!r}\n")
    stevedore = inside / "stevedore"  # the frame sets its cache; the fakes' environment holds no packages
    stevedore.mkdir()
    (stevedore / "__init__.py").touch()
    (stevedore / "_cache.py").write_text("class Cache:\n    def __init__(self, path): pass\n")
    (package / "seeds.py").write_text(_SEEDS)
    for project in projects:
        (package / f"{project}_service.py").write_text(_SERVICE.replace("@PROJECT@", project))
    lock = folder / "requirements.lock"
    lock.write_text("# no packages\n")
    return Recipe(projects, inside=inside, lock=lock)
