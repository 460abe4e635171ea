"""Commands that take long, side by side, never silent for more than two seconds."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackbook.sandbox.failure import SandboxFailed

Say = Callable[[str], object]
EVERY_S = 2.0


@dataclass(frozen=True)
class Job:
    """One command, and where its output goes."""

    label: str
    """What it does, as progress shows it."""
    command: list[str]
    log: Path
    variables: Mapping[str, str] | None = None
    """Its whole environment; None inherits the caller's."""
    telling: bool = False
    """Whether its last line of output tells how far it is."""


class Ticker:
    """Says something when two seconds have passed since the last thing said."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._began = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def say(self, line: str) -> None:
        """Say `line` now."""
        self._last = time.monotonic()
        self._say(line)

    def tick(self, line: Callable[[], str]) -> None:
        """Say ``line()`` if it is time."""
        if time.monotonic() - self._last >= EVERY_S:
            self.say(f"{line()} ({self.seconds:.0f} s)")


def run(job: Job, say: Say) -> None:
    """Run one job to its end; SandboxFailed with its last lines when it fails."""
    run_all([job], say, at_once=1)


def run_all(jobs: list[Job], say: Say, at_once: int) -> None:
    """Run `jobs` in this order, `at_once` side by side; the first failure ends the others and is raised."""
    ticker = Ticker(say)
    waiting, going = list(jobs), dict[str, tuple[Job, subprocess.Popen[bytes]]]()
    try:
        while waiting or going:
            while waiting and len(going) < at_once:
                job = waiting.pop(0)
                going[job.label] = (job, _begin(job))
            time.sleep(0.05)
            for label, (job, process) in list(going.items()):
                if process.poll() is not None:
                    del going[label]
                    _check(job, process.returncode)
                    ticker.say(f"{label}: done ({ticker.seconds:.1f} s)")
            ticker.tick(lambda: "; ".join(_doing(job) for job, _ in going.values()))
    finally:
        for _, process in going.values():
            process.kill()
            process.wait()


def last_lines(log: Path, count: int = 5) -> list[str]:
    """The last lines of `log` that are not empty."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text[-20_000:].splitlines() if line.strip()][-count:]


def _begin(job: Job) -> subprocess.Popen[bytes]:
    with open(os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        return subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if job.variables is None else dict(job.variables),
        )


def _check(job: Job, code: int) -> None:
    if code:
        raise SandboxFailed(f"{job.label}: failed with exit code {code}", found=last_lines(job.log), hint=f"read {job.log}")


def _doing(job: Job) -> str:
    lines = last_lines(job.log, 1) if job.telling else []
    return f"{job.label}: {lines[0][:100]}" if lines else job.label
