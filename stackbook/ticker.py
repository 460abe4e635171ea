"""A sign of life at least every two seconds, while something takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Self

EVERY = 1.5
"""Seconds between two signs of life: with what one of them may be late, no two are more than two apart."""


Say = Callable[[str], None]


def _print(part: str) -> None:
    print(part, end="", flush=True)


class Ticker:
    """Prints how far something is, at most every `EVERY` seconds, on a line of its own or on the one `begun` before it.

    While it is entered, a request that takes long and tells nothing is no silence: what was told last is said again, with
    the seconds. A ticker made meanwhile tells on that line. A line of its own begins with an ellipsis: reports leave it
    out, once the thing is done.
    """

    def __init__(self, about: str = "", *, begun: bool = False, say: Say = _print, later: float = 0.0) -> None:
        """`say` prints a part of a line; signs come `later` (seconds) than others', which have more to tell."""
        self.about, self.own, self.say, self.later = about, bool(about) and not begun, say, later
        self.outer = _OPEN.get()
        self.begun = self.said = time.monotonic()
        self.width = 0
        self.text = ""
        self.lock, self.ended = threading.Lock(), threading.Event()

    def __enter__(self) -> Self:
        if self.outer is None:
            self.token = _OPEN.set(self)
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.outer is None:
            _OPEN.reset(self.token)
            self.stop()
            if self.own and self.width:
                print(flush=True)

    def start(self) -> None:
        """From now on, say by itself that it goes on; to enter it does this, and opens its line for others."""
        self.beating = threading.Thread(target=self._beat, daemon=True)
        self.beating.start()

    def stop(self) -> None:
        """Say nothing more."""
        self.ended.set()
        self.beating.join()

    def tell(self, text: str) -> None:
        """Say `text` if it is time."""
        if self.outer is not None:
            self.outer.tell(text if self.about in ("", self.outer.about) else f"{self.about} {text}")
            return
        with self.lock:
            self.text, now = text, time.monotonic()
            if now - self.said >= EVERY + self.later and not self.ended.is_set():
                self.said = now
                self._say(f" {text} {now - self.begun:.0f} s …".replace("  ", " "))

    def _say(self, part: str) -> None:
        if not self.width and self.own:
            part = f"… {self.about}:{part}"
        if self.width + len(part) > 100:
            part, self.width = f"\n{'…' if self.own else '   '}{part}", 0
        self.width += len(part)
        self.say(part)

    def _beat(self) -> None:
        with suppress(OSError, ValueError):  # a closed terminal does not end what goes on
            while not self.ended.wait(max(0.05, self.said + EVERY + self.later - time.monotonic())):
                self.tell(self.text)


_OPEN: ContextVar[Ticker | None] = ContextVar("_OPEN", default=None)
"""The ticker that is entered."""


def percent(word: str = "") -> Callable[[int, int], None]:
    """Tells how much of something is done, such as ``compared 40 %``: for what counts bytes."""
    ticker = Ticker()
    return lambda done, total: ticker.tell(f"{word} {100 * done // max(total, 1)} %".strip())
