"""What a run says while it runs: a line per cell, and what the cells print, to the terminal and to ``log.txt``."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from stackbook.ticker import Ticker

LATER = 0.4
"""Seconds that a cell's own signs of life get: they have more to tell."""
TITLE, OUTPUT, LIFE = "title", "output", "life"
WAITING = "…"
"""Ends an unfinished line that is shown at once: something has begun that may take long."""


_OWN = re.compile(r"^… .*…\n?", re.MULTILINE)
_BETWEEN = re.compile(r"(?<= …)(?:\s(?:[^…]{1,80} )?\d+ s …)+(?= (?:done|failed)\b)")


def lasting(printed: str) -> str:
    """What was printed, without what only told how far something was while it went on (see `ticker.Ticker`)."""
    return _BETWEEN.sub("", _OWN.sub("", printed))


class Progress:
    """Writes complete lines, without secrets; a line that ends in an ellipsis is shown before it is complete."""

    def __init__(self, log: Path | None, redact: Callable[[str], str], stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._log = log
        self._redact = redact
        self._title = ""
        self._rest = ""
        """What was printed of a line that is not complete."""
        self._last = ""
        """Whose the terminal's last line is, while it lacks its end: the cell's title, its output, or a sign of life."""
        self._life: Ticker | None = None
        self._lock = threading.RLock()

    def begin(self, title: str) -> None:
        """A cell under the heading `title` begins; from now on it is told that it goes on, while it prints nothing."""
        self._title = title
        self._write(f"{title} {WAITING}", whose=TITLE)
        self._life = Ticker(begun=True, say=self._sign, later=LATER)
        self._life.start()

    def output(self, text: str) -> None:
        """The running cell printed `text`; indented below its title."""
        with self._lock:
            *lines, self._rest = (self._rest + text).replace("\r\n", "\n").split("\n")
            for line in lines:
                self._line(line)
            if self._rest.endswith(WAITING):
                self._line(self._rest, end="")
                self._rest = ""

    def end(self, told: str) -> None:
        """The running cell ended; `told` says how, for example ``0.3 s``."""
        self._rested()
        if self._rest:
            self._line(self._rest)
            self._rest = ""
        joined = self._last in (TITLE, OUTPUT)
        self.say(f" {told}" if joined else f"{self._title}: {told}", joined=joined)
        self._title = ""

    def say(self, text: str, *, joined: bool = False, error: bool = False) -> None:
        """Write `text` as a line or lines of its own, or at the end of an unfinished line; an error to standard error."""
        self._rested()
        self._write(text + "\n", joined=joined, stream=sys.stderr if error else self._stream)

    def _rested(self) -> None:
        """No cell runs any more."""
        if self._life is not None:
            self._life.stop()
            self._life = None

    def _sign(self, part: str) -> None:
        """A sign of life, on the line that is open, else on one of its own."""
        with self._lock:
            whose = self._last or LIFE
            self._write(part if self._last else f"  {WAITING}{part}", joined=bool(self._last), whose=whose)

    def _line(self, line: str, end: str = "\n") -> None:
        joined = self._last == OUTPUT
        self._write((line if joined else f"  {line}") + end, joined=joined)

    def _write(self, text: str, *, joined: bool = False, stream: IO[str] | None = None, whose: str = OUTPUT) -> None:
        start = "\n" if self._last and not joined else ""
        shown = start + self._redact(text)
        self._last = "" if text.endswith("\n") else whose
        if self._life is not None:
            self._life.said = time.monotonic()
        with suppress(OSError, ValueError):  # a closed terminal does not end a run
            stream = stream or self._stream
            stream.write(shown)
            stream.flush()
        if self._log:
            with suppress(OSError):
                descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
                    log.write(shown)
