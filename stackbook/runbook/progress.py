"""What a run says while it runs: a line per cell, and what the cells print, to the terminal and to ``log.txt``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

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
        self._open = False
        """Whether the terminal's last line lacks its end."""

    def begin(self, title: str) -> None:
        """A cell under the heading `title` begins."""
        self._title = title
        self._write(f"{title} {WAITING}")

    def output(self, text: str) -> None:
        """The running cell printed `text`; indented below its title."""
        *lines, self._rest = (self._rest + text).replace("\r\n", "\n").split("\n")
        for line in lines:
            self._line(line)
        if self._rest.endswith(WAITING):
            self._line(self._rest, end="")
            self._rest = ""

    def end(self, told: str) -> None:
        """The running cell ended; `told` says how, for example ``0.3 s``."""
        if self._rest:
            self._line(self._rest)
            self._rest = ""
        self.say(f" {told}" if self._open else f"{self._title}: {told}", joined=self._open)
        self._title = ""

    def say(self, text: str, *, joined: bool = False, error: bool = False) -> None:
        """Write `text` as a line or lines of its own, or at the end of an unfinished line; an error to standard error."""
        self._write(text + "\n", joined=joined, stream=sys.stderr if error else self._stream)

    def _line(self, line: str, end: str = "\n") -> None:
        joined = self._open and not self._just_begun
        self._write((line if joined else f"  {line}") + end, joined=joined)

    @property
    def _just_begun(self) -> bool:
        return self._last.endswith(f"{self._title} {WAITING}")

    def _write(self, text: str, *, joined: bool = False, stream: IO[str] | None = None) -> None:
        start = "\n" if self._open and not joined else ""
        shown = start + self._redact(text)
        self._last = text
        self._open = not text.endswith("\n")
        with suppress(OSError, ValueError):  # a closed terminal does not end a run
            stream = stream or self._stream
            stream.write(shown)
            stream.flush()
        if self._log:
            with suppress(OSError):
                descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
                    log.write(shown)
