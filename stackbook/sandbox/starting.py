"""Starts the projects' processes and waits for them."""

from __future__ import annotations

import time
from pathlib import Path

from stackbook.sandbox.failure import SandboxFailed
from stackbook.sandbox.inside.openstack_sandbox import processes
from stackbook.sandbox.jobs import Say, Ticker, last_lines
from stackbook.sandbox.recipe import Recipe

PATIENCE_S = 60.0


def start(home: Path, recipe: Recipe, python: Path, say: Say, only: str | None = None) -> None:
    """Start what does not run of `recipe`'s projects (or of `only` one), all at once, and wait until they answer."""
    chosen = [project for project in recipe.projects if only in (None, project)]
    for project in chosen:
        if processes.running(home, project) is None:
            processes.start(home, project, str(python), str(recipe.inside))
    _wait(home, [project for project in chosen if processes.state(home, project) != "ready"], say)


def _wait(home: Path, expected: list[str], say: Say) -> None:
    ticker = Ticker(say)
    waiting = list(expected)
    while waiting:
        for project in list(waiting):
            match processes.state(home, project):
                case "ready":
                    waiting.remove(project)
                    ticker.say(f"{project}: ready ({ticker.seconds:.1f} s)")
                case "failed" | "stopped":
                    raise _failed(home, project, "ended before its API answered")
        if waiting and ticker.seconds > PATIENCE_S:
            raise _failed(home, waiting[0], f"no answer within {PATIENCE_S:.0f} s")
        ticker.tick(lambda: f"waiting for {', '.join(waiting)}")
        time.sleep(processes.POLL_S)


def _failed(home: Path, project: str, how: str) -> SandboxFailed:
    out = home / "run" / f"{project}.out"
    logs = sorted(home.glob(f"hosts/*/var/log/{project}/*.log"), key=lambda path: path.stat().st_mtime)
    where = [path for path in (home / "run" / f"{project}.failure", out, *logs[-1:]) if path.exists()]
    return SandboxFailed(
        f"sandbox {home.name}: {project}: {how}",
        found=last_lines(out) or last_lines(where[-1]) if where else None,
        hint=f"read {' and '.join(map(str, where))}" if where else None,
    )
