"""The services' environment and the commands that make it."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stackbook.sandbox import installation, jobs
from stackbook.sandbox.failure import SandboxFailed
from stackbook.sandbox.recipe import REAL, Recipe


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """One tiny package that needs no index, and a cache of its own."""
    monkeypatch.setenv("STACKBOOK_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "answer = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"tiny @ {wheel.as_uri()}\n")
    return Recipe(("a",), lock=lock)


@pytest.mark.parametrize("with_uv", [True, False])
def test_an_environment_is_made_with_uv_or_pip(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, with_uv: bool) -> None:
    """With uv or, where there is none, with venv and pip: the packages of the lock file can be imported, and no others."""
    if not with_uv:
        monkeypatch.setattr(installation, "_uv", lambda: None)
    elif installation._uv() is None:
        pytest.skip("no uv here")
    said: list[str] = []
    python = installation.ensure(recipe, said.append)
    script = "import tiny, importlib.util; print(tiny.answer, importlib.util.find_spec('stackbook'))"
    assert subprocess.check_output([python, "-I", "-c", script], text=True) == "42 None\n"
    assert said
    said.clear()
    assert installation.ensure(recipe, said.append) == python
    assert said == []


def test_packages_that_can_not_be_had_are_named(recipe: Recipe) -> None:
    """When the installation fails, its last lines and its log are in the error, and no environment is left."""
    recipe.lock.write_text("tiny @ file:///nowhere/tiny-1.0-py3-none-any.whl\n")
    with pytest.raises(SandboxFailed, match="packages: failed") as caught:
        installation.ensure(recipe, lambda _: None)
    assert "nowhere" in str(caught.value.found)
    assert not installation.python(recipe).exists()


def test_nothing_is_silent_for_longer_than_two_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a command runs, a line tells what it does and for how long."""
    monkeypatch.setattr(jobs, "EVERY_S", 0.2)
    said: list[str] = []
    code = "import time; print('halfway', flush=True); time.sleep(0.7)"
    jobs.run(jobs.Job("a long one", [sys.executable, "-c", code], tmp_path / "log", telling=True), said.append)
    assert any("a long one: halfway" in line for line in said)
    assert said[-1].startswith("a long one: done")


def test_the_first_failure_ends_the_others(tmp_path: Path) -> None:
    """One failing command ends those beside it, and its last lines are told."""
    slow = jobs.Job("slow", ["sleep", "600"], tmp_path / "slow")
    bad = jobs.Job("bad", [sys.executable, "-c", "raise SystemExit('no such table')"], tmp_path / "bad")
    with pytest.raises(SandboxFailed, match="bad: failed with exit code 1") as caught:
        jobs.run_all([slow, bad], lambda _: None, at_once=2)
    assert caught.value.found == ["no such table"]


def test_the_lock_file_pins_exactly() -> None:
    """Every line of the lock file pins one version; the six projects are among them, and no Jupyter."""
    lines = [line for line in REAL.lock.read_text().splitlines() if not line.startswith("#")]
    assert all(re.match(r"[a-z0-9-]+==[^ ]+( ; .+)?$", line) for line in lines)
    names = {line.split("==")[0] for line in lines}
    assert {"keystone", "openstack-placement", "glance", "neutron", "cinder", "nova", "cheroot"} <= names
    assert not {"jupyterlab", "papermill", "pytest", "ipykernel"} & names
