"""The services' own Python environment: made once from the lock file, never mixed with the user's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackbook.sandbox import places
from stackbook.sandbox.inside.openstack_sandbox import processes
from stackbook.sandbox.jobs import Job, Say, Ticker, run
from stackbook.sandbox.recipe import Recipe


def folder(recipe: Recipe) -> Path:
    """Where the environment and the templates of `recipe` lie."""
    return places.cache() / recipe.environment_key


def python(recipe: Recipe) -> Path:
    """The interpreter of the environment, whether or not it is made."""
    return folder(recipe) / "venv" / "bin" / "python"


def ensure(recipe: Recipe, say: Say) -> Path:
    """Make the environment unless it is there, and return its interpreter; two callers wait for each other."""
    with held(recipe, say):
        if not python(recipe).exists():  # false too when the Python it was made from is gone
            shutil.rmtree(folder(recipe) / "venv", ignore_errors=True)
            with draft(folder(recipe), "venv") as building:
                _build(recipe, building, say)
    return python(recipe)


@contextmanager
def held(recipe: Recipe, say: Say) -> Iterator[None]:
    """Hold the lock of the folder of `recipe`, saying so while someone else does."""
    ticker = Ticker(say)
    where = places.private(folder(recipe))
    with processes.lock(where / "lock", lambda: ticker.tick(lambda: "waiting for another sandbox that is being made")):
        yield


@contextmanager
def draft(parent: Path, name: str) -> Iterator[Path]:
    """A folder to fill, which becomes `parent`/`name` at the end: whoever sees that name sees it whole.

    What failed stays to be looked into, until the next attempt removes it. The caller holds the lock.
    """
    for left in parent.glob(".*"):
        processes.stop(left, patience=0)  # one killed with -9 leaves the commands behind that fill it
        shutil.rmtree(left, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
    yield building
    os.rename(building, parent / name)


def _build(recipe: Recipe, target: Path, say: Say) -> None:
    logs = places.private(folder(recipe) / "log")
    count = sum("==" in line for line in recipe.lock.read_text().splitlines())
    make, install = _with_uv(target, recipe.lock) or _with_pip(target, recipe.lock)
    run(Job("environment", make, logs / "environment.log"), say)
    run(Job(f"{count} packages", install, logs / "packages.log", telling=True), say)


def _with_uv(target: Path, lock: Path) -> tuple[list[str], list[str]] | None:
    uv = _uv()
    if uv is None:
        return None
    make = [*uv, "venv", "--allow-existing", "--python", sys.executable, str(target)]
    install = [*uv, "pip", "install", "--python", str(target / "bin" / "python"), "--no-deps", "-r", str(lock)]
    return make, install


def _with_pip(target: Path, lock: Path) -> tuple[list[str], list[str]]:
    make = [sys.executable, "-m", "venv", str(target)]
    pip = [str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    return make, [*pip, "--no-deps", "--no-compile", "--progress-bar", "off", "-r", str(lock)]


def _uv() -> list[str] | None:
    found = shutil.which("uv")
    if found:
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None
