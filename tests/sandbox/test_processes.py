"""Processes and locks of the sandbox."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import subprocess
import time
from pathlib import Path

import pytest

from stackbook.sandbox.inside.openstack_sandbox import processes


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home with a place for records."""
    (tmp_path / "run").mkdir()
    return tmp_path


def _record(home: Path, project: str, pid: int, started: int) -> None:
    (home / "run" / f"{project}.pid").write_text(f"{pid} {started}\n")


def test_a_reused_process_id_is_left_alone(home: Path) -> None:
    """A record whose process id now belongs to another process is a failed service; `stop` does not touch that process."""
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        _record(home, "nova", stranger.pid, started=1)
        assert processes.state(home, "nova") == "failed"
        processes.stop(home, ["nova"], patience=0.1)
        assert stranger.poll() is None
        assert processes.state(home, "nova") == "stopped"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_ended_unreaped_does_not_run(home: Path) -> None:
    """A zombie counts as ended."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    started = processes._start_time(child.pid)
    assert started
    _record(home, "nova", child.pid, started)
    assert processes.running(home, "nova") == (child.pid, started)
    child.kill()
    deadline = time.monotonic() + 60
    while processes._stat(child.pid)[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert processes.running(home, "nova") is None
    child.communicate()


@pytest.mark.parametrize("text", ["", "x y", "12", "99999999 5\n"])
def test_a_broken_record_is_no_process(home: Path, text: str) -> None:
    """A record cut off by a crash, or of a process long gone, is not taken for a process."""
    (home / "run" / "nova.pid").write_text(text)
    assert processes.running(home, "nova") is None


def test_a_ready_mark_of_an_earlier_process_does_not_count(home: Path) -> None:
    """A process is ready only by its own mark."""
    _record(home, "nova", os.getpid(), processes._start_time(os.getpid()) or 0)
    (home / "run" / "nova.ready").write_text('{"pid": 1}')
    assert processes.state(home, "nova") == "starting"
    (home / "run" / "nova.ready").write_text(f'{{"pid": {os.getpid()}}}')
    assert processes.state(home, "nova") == "ready"


def _hold(path: Path, held: multiprocessing.synchronize.Event, release: multiprocessing.synchronize.Event) -> None:
    with processes.lock(path):
        held.set()
        release.wait(10)


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    """Whoever wants a held lock waits and is asked to say so; it comes free with its holder, even one that is killed."""
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "lock", held, release))
    other.start()
    assert held.wait(10)
    waits: list[float] = []

    def waiting() -> None:
        waits.append(time.monotonic())
        if len(waits) == 2:
            other.kill()

    with processes.lock(tmp_path / "lock", waiting):
        assert len(waits) >= 2
    other.join()
