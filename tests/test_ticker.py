"""Signs of life: told in time, on the right line, and never after the end."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable

import pytest

from stackbook import ticker
from stackbook.runbook.progress import lasting
from stackbook.ticker import Ticker, percent

PATIENCE = 10.0


class Told:
    """All that was printed so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.text = capsys, ""

    def getvalue(self) -> str:
        """From the beginning."""
        self.text += self.capsys.readouterr().out
        return self.text


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """What is printed; signs of life come fast."""
    monkeypatch.setattr(ticker, "EVERY", 0.01)
    return Told(capsys)


def until(true: Callable[[], bool]) -> None:
    """Block as a long request does, until `true`."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "nothing was told"
        time.sleep(0.01)


def test_a_silent_request_is_no_silence(told: Told) -> None:
    """Nothing is told, and yet the line goes on; reports leave the signs out."""
    print("create   a …", end="")
    with Ticker("a", begun=True):
        until(lambda: told.getvalue().count(" s …") > 2)
    print(" done in 0.1 s")
    assert told.getvalue().startswith("create   a … 0 s … 0 s …")
    assert lasting(told.getvalue()) == "create   a … done in 0.1 s\n"


def test_the_last_word_is_said_again(told: Told) -> None:
    """What was told last stands until something else is told; a line of its own ends."""
    with Ticker("survey") as survey:
        survey.tell("images")
        until(lambda: told.getvalue().count("images 0 s …") > 1)
        survey.tell("ports")
        until(lambda: "ports 0 s …" in told.getvalue())
    assert told.getvalue().startswith("… survey: images 0 s … images 0 s …")
    assert told.getvalue().endswith("\n")
    assert lasting(told.getvalue()) == ""


def test_what_is_made_meanwhile_tells_on_the_open_line(told: Told) -> None:
    """Phases of a change, and waiting for another thing, which is named."""
    print("create   disk/a …", end="")
    with Ticker("disk/a", begun=True):
        read = percent("read")
        with Ticker("disk/a") as same, Ticker("image/b") as other:
            for tell, words in (
                (lambda: read(1, 4), "read 25 %"),
                (lambda: same.tell("saving"), "… saving"),
                (lambda: other.tell("queued"), "image/b queued"),
            ):
                tell()
                until(lambda words=words: f"{words} 0 s …" in told.getvalue())  # type: ignore[misc]
    assert told.getvalue().count("disk/a") == 1
    assert "\n…" not in told.getvalue()


def test_nothing_is_told_after_the_end(told: Told) -> None:
    """A thread that goes on, begun while the line was open, is silent from the line's end."""
    with Ticker("a") as first:
        until(lambda: bool(told.getvalue()))
    there = told.getvalue()
    first.tell("late")
    time.sleep(0.1)
    assert told.getvalue() == there
    assert [thread for thread in threading.enumerate() if "_beat" in thread.name] == []


def test_no_line_for_what_is_short(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is printed of what ends before it is time, nor an empty line."""
    monkeypatch.setattr(ticker, "EVERY", 60.0)
    with Ticker("quick") as quick:
        quick.tell("1 of 1")
    assert told.getvalue() == ""


def test_a_closed_terminal_ends_nothing(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    """The signs end, what goes on does not."""
    closed = io.StringIO()
    closed.close()
    with monkeypatch.context() as patched, Ticker("a", begun=True) as line:
        patched.setattr(sys, "stdout", closed)
        until(lambda: not line.beating.is_alive())
    assert "Traceback" not in told.capsys.readouterr().err


def test_an_interrupt_leaves_no_line_open(told: Told) -> None:
    """The next one is a line of its own again."""
    with pytest.raises(KeyboardInterrupt), Ticker("a"):
        raise KeyboardInterrupt
    with Ticker("b"):
        until(lambda: bool(told.getvalue()))
    assert told.getvalue().startswith("… b: 0 s …")
