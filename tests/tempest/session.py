"""One run of Tempest against a sandbox: its environment, its folder, its results."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openstack

from stackbook.cloud import credentials
from stackbook.config import sandbox_site
from stackbook.sandbox import installation
from stackbook.sandbox.recipe import Recipe
from tests.tempest import settings
from tests.tempest.stream import Counts, Result, parse

HERE = Path(__file__).parent
EXCLUDED = HERE / "exclude.txt"
WORKERS = 2
SMOKE = r"\[.*\bsmoke\b.*\]"
"""Matches the names of the tests that Tempest calls smoke tests."""


@contextmanager
def opened(folder: Path, sandbox: str, say: Callable[[str], object] = print) -> Iterator[Session]:
    """A session on the running sandbox `sandbox`, with its files in `folder`; what it made there is gone at the end."""
    python = installation.ensure(Recipe(lock=HERE / "requirements.txt"), say)
    cloud = openstack.connect(**credentials(sandbox_site("tempest", sandbox)))
    configuration = folder / "etc" / "tempest.conf"
    configuration.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with settings.ground(cloud) as ground:
        settings.write(configuration, sandbox, ground)
        try:
            yield Session(folder, python)
        finally:
            configuration.unlink()


def pattern(services: Iterable[str]) -> str:
    """Matches the names of the API tests of `services`."""
    return rf"^tempest\.api\.({'|'.join(services)})\."


def exclusions() -> list[str]:
    """The expressions of the list of what is not run."""
    lines = (line.partition("#")[0].strip() for line in EXCLUDED.read_text().splitlines())
    return [line for line in lines if line]


class Session:
    """Runs tests, as often as asked."""

    def __init__(self, folder: Path, python: Path) -> None:
        self._folder = folder
        self._bin = python.parent
        package = next(python.parent.parent.glob("lib/python*/site-packages"))
        (folder / ".stestr.conf").write_text(
            f"[DEFAULT]\ntest_path={package}/tempest/test_discover\ntop_dir={package}\ngroup_regex=([^\\.]*\\.)*\n"
        )

    def run(self, pattern: str, each: Callable[[Result], object], workers: int = WORKERS) -> Counts:
        """Run the tests whose names match `pattern`, calling `each` as they end; stestr's output is in ``run.log``."""
        counts = Counts()
        stestr = [str(self._bin / "python"), "-m", "stestr.cli"]
        command = [*stestr, "run", "--concurrency", str(workers), "--exclude-list", str(EXCLUDED), pattern]
        log = self._folder / "run.log"
        with log.open("w", buffering=1) as file, self._started(command) as process:
            try:
                for line in process.stdout or ():
                    file.write(line)
                    if result := parse(line):
                        counts.results.append(result)
                        each(result)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)  # interrupted: its workers end with it
        return counts

    def _started(self, command: list[str]) -> subprocess.Popen[str]:
        variables = {
            "PATH": f"{self._bin}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self._folder),  # what Tempest keeps in the user's home it would keep for good
            "TEMPEST_CONFIG_DIR": str(self._folder / "etc"),
            "PYTHONWARNINGS": "ignore",
            "LANG": "C.UTF-8",
        }
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
