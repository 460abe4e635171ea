"""One project's process in a sandbox: start it, see how it does, stop it. Standard library only.

Used from outside (``stackbook sandbox up``) and from inside (the hosts' ``systemctl``), so it imports nothing of either.
A process is known by its id and its start time, so that a reused id is never mistaken for it; by its environment, so
that one whose record was lost is still found.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MARK = "STACKBOOK_SANDBOX"
MARK_PROJECT = "STACKBOOK_SANDBOX_PROJECT"
VERBS = "configure,adopt,serve"
POLL_S = 0.05

_LAUNCH = 'out=$1; shift; "$@" </dev/null >>"$out" 2>&1 & echo $!'
"""Run by sh, which ends at once: init becomes the parent, so no one who started us takes us down with them."""


class Process(NamedTuple):
    """A process that can't be mistaken for a later one with the same id."""

    pid: int
    started: int
    """Clock ticks between the machine's boot and the process's start."""


def start(home: Path, project: str, python: str, inside: str) -> Process:
    """Start `project`'s process detached, with `python` and the code in `inside`, and record it in ``run/``."""
    return launch(home, project, [python, "-m", "openstack_sandbox", VERBS, project, str(home)], inside)


def launch(home: Path, project: str, command: Sequence[str], inside: str) -> Process:
    """Start `command` detached as the process of `project`, and record it in ``run/``."""
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True)
    (run / f"{project}.ready").unlink(missing_ok=True)
    out = _fresh(run / f"{project}.out")
    launched = subprocess.run(
        ["/bin/sh", "-c", _LAUNCH, "sh", str(out), *command],
        env=environment(home, project, inside),
        cwd=run,
        stdout=subprocess.PIPE,
        check=True,
        start_new_session=True,
    )
    pid = int(launched.stdout)
    process = Process(pid, _start_time(pid) or 0)
    _record(home, project, process)
    return process


def environment(home: Path, project: str, inside: str) -> dict[str, str]:
    """The variables of a service's process: none of the caller's, whose proxies and ``OS_*`` would mislead it."""
    return {
        "PATH": path(home),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(_folder(home / "run" / "tmp")),
        "PYTHONPATH": inside,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "MALLOC_ARENA_MAX": "2",  # an arena per thread would cost these many-threaded services memory
        "OPENBLAS_NUM_THREADS": "1",
        "SPT_NOENV": "1",  # keeps setproctitle from overwriting the marks below
        MARK: str(home),
        MARK_PROJECT: project,
    }


def path(home: Path) -> str:
    """The caller's search path with the folders of daemons, which an ordinary user's lacks, and without those of hosts.

    A caller on a host finds that host's own commands first, which are not meant for other hosts, nor for themselves.
    """
    listed = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([one for one in listed if not one.startswith(f"{home}/hosts/")] + ["/usr/sbin", "/sbin"])


def running(home: Path, project: str) -> Process | None:
    """The living process of `project`, or None."""
    recorded = _recorded(home, project)
    return recorded if recorded and alive(recorded) else None


def state(home: Path, project: str) -> str:
    """``ready`` (its API answers), ``starting``, ``failed`` (it ended unasked) or ``stopped``."""
    recorded = _recorded(home, project)
    if recorded is None:
        return "stopped"
    if not alive(recorded):
        return "failed"
    return "ready" if _ready_pid(home, project) == recorded.pid else "starting"


def stop(home: Path, projects: Iterable[str] | None = None, patience: float = 5.0) -> None:
    """Stop the processes of `projects` (None: every process of this home): SIGTERM, after `patience` s SIGKILL."""
    chosen = None if projects is None else list(projects)
    victims = members(home, chosen)
    _signal(victims, signal.SIGTERM)
    _gone(victims, patience)
    victims = members(home, chosen)
    _signal(victims, signal.SIGKILL)
    _gone(victims, 2.0)
    for path in (home / "run").glob("*.pid") if chosen is None else [home / "run" / f"{name}.pid" for name in chosen]:
        path.unlink(missing_ok=True)
        path.with_suffix(".ready").unlink(missing_ok=True)


def members(home: Path, projects: Iterable[str] | None = None) -> list[Process]:
    """Every living process of this home's `projects` (None: all), recorded or not, their children too."""
    wanted = None if projects is None else set(projects)
    found = []
    for pid, variables in _environments():
        if variables.get(MARK) == str(home) and (wanted is None or variables.get(MARK_PROJECT) in wanted):
            started = _start_time(pid)
            found += [Process(pid, started)] if started else []
    return found


def record_lost(home: Path, projects: Iterable[str]) -> None:
    """Record the main processes of `projects` that run unrecorded, because whoever started them was killed just then."""
    for project in projects:
        if running(home, project) is None:
            found = members(home, [project])
            children = {one.pid for one in found}
            oldest = [one for one in found if _parent(one.pid) not in children]
            if len(oldest) == 1:
                _record(home, project, oldest[0])


def alive(process: Process) -> bool:
    """Whether exactly this process still runs; one that ended but was not reaped does not."""
    return process.started != 0 and _start_time(process.pid) == process.started


@contextmanager
def lock(path: Path, waiting: Callable[[], object] = bool) -> Iterator[None]:
    """Hold the lock file `path`; while another process holds it, call `waiting` five times a second."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _locked(descriptor):
            waiting()
            time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


def lock_path(home: Path) -> Path:
    """The lock that whoever starts or stops processes of this home holds; beside it, as the home may be removed."""
    return home.with_name(f".{home.name}.lock")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _record(home: Path, project: str, process: Process) -> None:
    _replace(home / "run" / f"{project}.pid", f"{process.pid} {process.started}\n")


def _recorded(home: Path, project: str) -> Process | None:
    try:
        pid, started = (home / "run" / f"{project}.pid").read_text().split()
        return Process(int(pid), int(started))
    except (OSError, ValueError):
        return None


def _ready_pid(home: Path, project: str) -> int | None:
    try:
        return int(json.loads((home / "run" / f"{project}.ready").read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/<pid>/stat`` after the name, which may hold blanks and brackets; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _start_time(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _environments() -> Iterator[tuple[int, dict[str, str]]]:
    """Process id and variables of every process of this user but the calling one."""
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                raw = Path(entry.path, "environ").read_bytes()
            except OSError:
                continue
            if MARK.encode() in raw:
                pairs = (item.partition("=") for item in os.fsdecode(raw).split("\0"))
                yield int(entry.name), {name: value for name, _, value in pairs}


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            continue
        try:
            if alive(process):  # the descriptor was opened first: it can't stand for a later process of this id
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


def _gone(processes: list[Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _fresh(out: Path) -> Path:
    """An empty private file; the text of the start before is kept beside it."""
    if out.exists():
        os.replace(out, f"{out}.1")
    os.close(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600))
    return out


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(draft, path)
