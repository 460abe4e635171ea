"""Runs that are cut off: deadline, signals, kill -9 of kernel and runner, a full disk. The record stays true."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stackbook.runbook import history
from tests.runbook.conftest import Command

SLOW = ["run", "things", "--yes", "--json", "-p", "slow=0.4", "-p", "count=50"]
WAIT = 40.0


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait for something to become true; fail after a while."""
    end = time.monotonic() + WAIT
    while not (found := true()):
        assert time.monotonic() < end, f"no {what} within {WAIT} s"
        time.sleep(0.02)
    return found


def events() -> list[dict[str, Any]]:
    """The journal of the newest run."""
    from stackbook.journal import read_events

    folders = history.folders()
    return list(read_events(folders[0] / "journal.jsonl")) if folders else []


def done() -> int:
    """How many changes the newest run has made."""
    return sum(event["event"] == "done" for event in events())


@contextmanager
def amid_changes(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A run that is making its changes, two of them made."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stackbook", *(words or SLOW)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: done() >= 2 or process.poll() is not None, "change")
        yield process
    finally:
        process.kill()
        process.communicate()


def kernels(runner: int) -> list[int]:
    """Process ids of the runner's children."""
    return [int(pid) for pid in Path(f"/proc/{runner}/task/{runner}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody has waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_stops_the_run_and_keeps_its_record(number: int, code: int, books: Path, things: Callable[[], Any]) -> None:
    """The running change is interrupted, the kernel ends, and the record tells what was made; resume makes the rest."""
    with amid_changes() as process:
        kernel = kernels(process.pid)
        process.send_signal(number)
        out, _ = process.communicate(timeout=WAIT)
    found = json.loads(out)
    assert (process.returncode, found["status"], found["error"]["what"]) == (
        code,
        "interrupted",
        f"stopped by {signal.Signals(number).name}",
    )
    assert found["done"] == len(things()) >= 2 and len(found["changes"]) == 50
    assert [cell["status"] for cell in found["cells"]][-2:] == ["failed", "skipped"]
    assert all(map(gone, kernel)) and kernel
    log = Path(found["notebook"]).with_name("log.txt").read_text()
    assert "create   fake_thing/thing0 … done in 0.4 s" in log


def test_the_deadline_holds_for_the_whole_run(books: Path, stackbook: Command, things: Callable[[], Any]) -> None:
    """--timeout ends the run as failed, with what was made in the record; resume then needs no new approval."""
    began = time.monotonic()
    result = stackbook("run", "things", "--yes", "--json", "-p", "slow=0.5", "-p", "count=9", "--timeout", "3")
    found = json.loads(result.stdout)
    assert (result.returncode, found["status"], found["error"]["what"]) == (1, "failed", "not done within its 3 s (--timeout)")
    assert time.monotonic() - began < 20 and found["done"] == len(things()) < 9
    resumed = stackbook("resume", "last", "--json")
    assert (resumed.returncode, json.loads(resumed.stdout)["done"], len(things())) == (0, 9, 9)


def test_a_cell_that_swallows_the_interrupt_is_killed(books: Path, stackbook: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that does not let itself be interrupted is ended all the same, some seconds later."""
    (books / "stubborn.py").write_text(
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass\n"
    )
    began = time.monotonic()
    result = stackbook("run", "free", "--json", "-p", "code=exec(open('stubborn.py').read())", "--timeout", "2")
    assert (result.returncode, json.loads(result.stdout)["status"]) == (1, "failed")
    assert time.monotonic() - began < 25


def test_a_killed_kernel_is_a_failed_run(books: Path, things: Callable[[], Any]) -> None:
    """Kill -9 of the kernel ends the run as failed, and says by which signal; the running cell is failed."""
    with amid_changes() as process:
        (kernel,) = kernels(process.pid)
        os.kill(kernel, signal.SIGKILL)
        out, _ = process.communicate(timeout=WAIT)
    found = json.loads(out)
    assert (process.returncode, found["status"]) == (1, "failed") and "killed by signal 9" in found["error"]["what"]
    assert [cell["status"] for cell in found["cells"]][-2:] == ["failed", "skipped"]
    assert found["done"] == done() and found["done"] <= len(things()) <= found["done"] + 1


def test_a_killed_runner_takes_its_kernel_along(books: Path, stackbook: Command, things: Callable[[], Any]) -> None:
    """Kill -9 of the runner: nothing goes on unseen; the history says interrupted; resume makes what is missing, once."""
    with amid_changes("run", "things", "--yes", "-p", "slow=0.3", "-p", "count=6") as process:
        (kernel,) = kernels(process.pid)
        assert history.history()[0]["status"] == "running"
        process.kill()
        process.communicate()
        until(lambda: gone(kernel), "end of the kernel")
    found = history.history()[0]
    assert (found["status"], found["done"]) == ("interrupted", done()) and found["done"] < 6
    folder = history.folders()[0]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert json.loads((folder / "notebook.ipynb").read_text())["cells"], "the last save is whole"
    resumed = stackbook("resume", found["run"], "--json")
    told = json.loads(resumed.stdout)
    assert (resumed.returncode, told["status"], told["done"], len(things())) == (0, "applied", 6, 6), resumed.stderr


def test_a_kernel_that_does_not_start_says_why(books: Path, stackbook: Command) -> None:
    """When the kernel can't start, the run fails with what it said."""
    (books / "broken").mkdir()
    (books / "broken" / "ipykernel.py").write_text("raise ImportError('this ipykernel is broken')")
    environment = {**os.environ, "PYTHONPATH": f"{books / 'broken'}:{os.environ['PYTHONPATH']}"}
    result = stackbook("run", "free", "--json", env=environment)
    found = json.loads(result.stdout)
    assert (result.returncode, found["status"]) == (1, "failed")
    assert "the kernel ended" in found["error"]["what"] and "this ipykernel is broken" in found["error"]["found"]


def test_a_full_disk_leaves_whole_files(books: Path) -> None:
    """Where the notebook can't be written any more, the run fails and the last one saved is still whole."""

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    code = "code=print('x' * 100_000)"
    result = subprocess.run(
        [sys.executable, "-m", "stackbook", "run", "free", "--json", "-p", code],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_room,
    )
    found = json.loads(result.stdout)
    assert (result.returncode, found["status"], found["error"]["type"]) == (1, "failed", "NotSaved")
    saved = json.loads(Path(found["notebook"]).read_text())
    assert len(saved["cells"]) > 5 and "Traceback" not in result.stderr
