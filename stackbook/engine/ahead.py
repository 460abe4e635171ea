"""While a change only waits for the site, what can begin of a later one begins: an upload while cinder copies a disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Self

from stackbook.plans import Change, Resource, revive
from stackbook.site import Site
from stackbook.ticker import Ticker


class Ahead:
    """Prepares one later change at a time, in a thread with a connection of its own.

    Its first journal line is written before that: what is begun ahead is taken back by undo like everything else. What
    fails here is no error: the change does it again when its turn comes, and says so. When the run ends early, by an
    error or an interrupt, what is being prepared is told to stop, and waited for: it takes back its own half.
    """

    def __init__(self, changes: Sequence[Change], site: Site) -> None:
        able = ((number, change) for number, change in enumerate(changes) if Resource.kinds[change.resource["kind"]].ahead)
        self.waiting = [(number, change) for number, change in able if change.action == "create"]
        self.site = site
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.number = -1
        """The change that is being prepared, or was last."""

    def __enter__(self) -> Self:
        self.site.meanwhile = self.begin
        return self

    def __exit__(self, *_: object) -> None:
        self.site.meanwhile = lambda: None
        self.stop.set()
        if self.thread is not None:
            self.thread.join()

    def turn(self, number: int) -> None:
        """The turn of change `number` has come: what was begun of it is waited for, with a sign of life."""
        self.waiting = [(later, change) for later, change in self.waiting if later > number]
        self._waited(number, "still going")

    def leave(self, number: int) -> None:
        """Change `number` will not be made: what is being prepared of it takes back its own half."""
        self.waiting = [(later, change) for later, change in self.waiting if later != number]
        if self.number == number:
            self.stop.set()
            self._waited(number, "taken back")
            self.stop = threading.Event()

    def _waited(self, number: int, told: str) -> None:
        """Wait until nothing of change `number` is being prepared, with a sign of life."""
        if self.thread is None or self.number != number:
            return
        with Ticker("begun ahead") as ticker:
            ticker.tell(told)
            self.thread.join()

    def begin(self) -> None:
        """Begin the next change that can be, unless one is being prepared."""
        if not self.waiting or (self.thread is not None and self.thread.is_alive()):
            return
        self.number, change = self.waiting.pop(0)
        self.site.run.write("started", number=self.number, change=change.record(), ahead=True)
        name, context = f"ahead: {change.address}", copy_context()
        self.thread = threading.Thread(target=context.run, args=(self._prepare, change), name=name, daemon=True)
        self.thread.start()

    def _prepare(self, change: Change) -> None:
        with suppress(Exception):  # its turn tells
            revive(change.resource).prepare(Site(self.site.settings, self.site.run), change, self.stop.is_set)
