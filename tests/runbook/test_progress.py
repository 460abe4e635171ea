"""What a run says while it runs."""

from __future__ import annotations

import threading
import time
from io import StringIO
from pathlib import Path

import pytest

from stackbook import ticker
from stackbook.render.redact import Redactor
from stackbook.runbook import progress
from stackbook.runbook.progress import Progress, lasting
from stackbook.runbook.summary import ending


def said(log: Path, *steps: tuple[str, str]) -> str:
    """What a progress says after these steps; the log must have the same."""
    stream = StringIO()
    progress = Progress(log, Redactor(["planted-secret"]), stream)
    for step, text in steps:
        getattr(progress, step)(text)
    assert log.read_text() == stream.getvalue()
    assert log.stat().st_mode & 0o077 == 0
    return stream.getvalue()


def test_a_quiet_cell_is_one_line(tmp_path: Path) -> None:
    """Title, ellipsis while it runs, seconds when it is done."""
    assert said(tmp_path / "log", ("begin", "Plan"), ("end", "0.3 s")) == "Plan … 0.3 s\n"


def test_what_a_cell_prints_comes_live_below_its_title(tmp_path: Path) -> None:
    """The engine's lines are shown as they come, also unfinished ones, and the cell's end names it again."""
    steps = [("begin", "Apply"), ("output", "create   a …"), ("output", " done in 1.2 s\ncreate   b …"), ("output", " failed\n")]
    lines = ["Apply …", "  create   a … done in 1.2 s", "  create   b … failed", "Apply: failed after 1.9 s", ""]
    assert said(tmp_path / "log", *steps, ("end", "failed after 1.9 s")).split("\n") == lines
    assert said(tmp_path / "l", *steps[:2], ("end", "1 s")).split("\n") == ["Apply …", "  create   a … 1 s", ""]


def test_a_silent_cell_shows_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a cell waits for, its line goes on; what it prints then is on lines of its own, and its end names it."""
    monkeypatch.setattr(ticker, "EVERY", 0.01)
    monkeypatch.setattr(progress, "LATER", 0.0)
    stream = StringIO()
    shown = Progress(tmp_path / "log", Redactor([]), stream)

    def until(text: str) -> None:
        end = time.monotonic() + 10
        while text not in stream.getvalue():
            assert time.monotonic() < end, stream.getvalue()
            time.sleep(0.01)

    shown.begin("Verify")
    until("Verify … 0 s … 0 s …")
    shown.output("found one\n")
    until("\n  found one\n  … 0 s … 0 s …")
    shown.output("create   a …")
    until("\n  create   a … 0 s …")
    shown.output(" done in 0.1 s\n")
    until(" done in 0.1 s\n  … 0 s …")
    shown.end("9.9 s")
    said = stream.getvalue()
    time.sleep(0.1)
    assert stream.getvalue() == said == (tmp_path / "log").read_text()
    assert said.endswith(" …\nVerify: 9.9 s\n")
    assert [thread for thread in threading.enumerate() if "_beat" in thread.name] == []


def test_pieces_become_lines(tmp_path: Path) -> None:
    """Text without a line end waits for it, or for the cell's end."""
    steps = [("begin", "Look"), ("output", "one "), ("output", "line\r\nand"), ("output", " another"), ("end", "0.0 s")]
    assert said(tmp_path / "log", *steps).split("\n") == ["Look …", "  one line", "  and another", "Look: 0.0 s", ""]


def test_secrets_are_taken_out_also_when_torn(tmp_path: Path) -> None:
    """A secret that comes in two pieces is still one."""
    text = said(tmp_path / "log", ("begin", "x"), ("output", "a planted-"), ("output", "secret b\n"), ("say", "planted-secret"))
    assert "planted-secret" not in text and "  a *** b\n" in text


def test_a_closed_terminal_does_not_end_the_run(tmp_path: Path) -> None:
    """Where nobody listens any more, the log goes on."""
    stream = StringIO()
    progress = Progress(tmp_path / "log", Redactor(), stream)
    stream.close()
    progress.say("still here")
    assert (tmp_path / "log").read_text() == "still here\n"


@pytest.mark.parametrize(
    ("status", "done", "total", "verified", "expected"),
    [
        ("applied", 3, 3, [], "r: applied, 3 changes made; nothing left to do"),
        ("applied", 1, 1, None, "r: applied, 1 change made"),
        ("applied", 8, 11, [], "r: applied, 8 changes made, 3 no longer needed; nothing left to do"),
        ("failed", 2, 5, None, "r: failed after 2 of 5 changes"),
        ("interrupted", 0, 0, None, "r: interrupted"),
        ("planned", 0, 2, None, "r: nothing was changed"),
        ("unchanged", 0, 0, [], "r: nothing to do"),
    ],
)
def test_the_ending_counts_what_was_made(status: str, done: int, total: int, verified: list[str] | None, expected: str) -> None:
    """The last line tells what the run came to in numbers that do not sound like a shortfall."""
    changes: list[dict[str, str]] = [{}] * total
    found = {"run": "r", "status": status, "done": done, "changes": changes, "verified": verified}
    assert ending({**found, "digest": "p-1", "undone_by": None}) == expected


def test_the_ending_of_what_has_no_counts() -> None:
    """A run that only looked, and one that another has undone, say so."""
    found = {"run": "r", "done": 0, "changes": [], "verified": None, "digest": None}
    assert ending({**found, "status": "unchanged", "undone_by": None}) == "r: done, nothing was changed"
    assert ending({**found, "status": "undone", "undone_by": "u"}) == "r: undone by u"


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("… survey: images 6 s … ports 8 s …\n", ""),
        ("… planning: 5 of 7 2 s …\nmine\n… hosts: c1 disks 3 s …\n… clocks 5 s …\n", "mine\n"),
        ("create   server/web … BUILD 2 s … BUILD 4 s … done in 6.2 s\n", "create   server/web … done in 6.2 s\n"),
        ("create   a … queued 2 s …\n    saving 90 s … saving 92 s … failed\n", "create   a … failed\n"),
        ("update   service/c1/x … done in 0.6 s\n", "update   service/c1/x … done in 0.6 s\n"),
        ("waited 3 s …\nnothing of ours\n", "waited 3 s …\nnothing of ours\n"),
    ],
)
def test_what_told_how_far_something_was_is_not_kept(printed: str, kept: str) -> None:
    """A finished cell's output keeps what happened, not the signs of life on the way."""
    assert lasting(printed) == kept
