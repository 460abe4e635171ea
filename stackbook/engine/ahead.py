"""While a change only waits for the site, what can begin of a later one begins: an upload while cinder copies a disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from stackbook.plans import Change, Resource, revive
from stackbook.site import Site


class Ahead:
    """Prepares one later change at a time, in a thread with a connection of its own.

    Its first journal line is written before that: what is begun ahead is taken back by undo like everything else. What
    fails here is no error: the change does it again when its turn comes, and says so.
    """

    def __init__(self, changes: Sequence[Change], site: Site) -> None:
        self.waiting = [
            (n, c) for n, c in enumerate(changes) if Resource.kinds[c.resource["kind"]].ahead and c.action == "create"
        ]
        self.site = site
        self.current = -1
        self.thread: threading.Thread | None = None
        self.number = -1
        self.stop = threading.Event()

    def __enter__(self) -> Self:
        self.site.meanwhile = self.begin
        return self

    def __exit__(self, *_: object) -> None:
        self.site.meanwhile = _nothing
        self.stop.set()
        if self.thread is not None:
            self.thread.join()

    def turn(self, number: int) -> None:
        """The turn of change `number` has come: what was begun of it is waited for."""
        self.current = number
        if self.thread is not None and self.number == number:
            self.thread.join()

    def begin(self) -> None:
        """Begin the next change that can be, unless one is being prepared."""
        later = next(((number, change) for number, change in self.waiting if number > max(self.current, self.number)), None)
        if later is None or (self.thread is not None and self.thread.is_alive()):
            return
        self.number, change = later
        self.site.run.write("started", number=self.number, change=change.record(), ahead=True)
        self.thread = threading.Thread(target=self._prepare, args=(change,), daemon=True)
        self.thread.start()

    def _prepare(self, change: Change) -> None:
        with suppress(Exception):  # its turn tells
            revive(change.resource).prepare(Site(self.site.settings, self.site.run), change, self.stop.is_set)


def _nothing() -> None:
    pass
