"""Waiting for the cloud to settle, with a sign of life at least every two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, TypeVar

from stackbook.errors import CloudFailed

T = TypeVar("T")
EVERY = 1.5
"""Seconds between two signs of life: with what one of them may be late, no two are more than two apart."""
RECENTLY = 5.0
PACE, SLOWEST, LATE = 0.4, 2.0, 0.1
"""Seconds between two questions at first and at last; between them a tenth of the time that went by: nobody waits much
longer for us than for the thing itself."""


class Ticker:
    """Prints how far something is, on the line begun by whoever started it, at most every `EVERY` seconds.

    Lines of its own, `about` something, begin with an ellipsis: reports leave them out, once the thing is done.
    """

    last: ClassVar[float] = 0.0
    """When any ticker told something: the next phase of the same work goes on from there."""

    def __init__(self, about: str = "") -> None:
        self.about = about
        self.begun = time.monotonic()
        self.said = Ticker.last if self.begun - Ticker.last < RECENTLY else self.begun
        self.width = 0

    def tell(self, text: str) -> None:
        """Say `text` if it is time."""
        now = time.monotonic()
        if now - self.said < EVERY:
            return
        part = f" {text} {now - self.begun:.0f} s …"
        if not self.width and self.about:
            part = f"… {self.about}:{part}"
        if self.width + len(part) > 100:
            part, self.width = f"\n{'…' if self.about else '   '}{part}", 0
        self.width += len(part)
        self.said = Ticker.last = now
        print(part, end="", flush=True)

    def pause(self, seconds: float, text: str) -> None:
        """Sleep, saying `text` whenever it is time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, max(0.05, self.said + EVERY - time.monotonic())))
            self.tell(text)

    def close(self) -> None:
        """End the line, when it is this ticker's own."""
        if self.about and self.width:
            print(flush=True)


def percent(word: str = "") -> Callable[[int, int], None]:
    """Tells how much of something is done, such as ``compared 40 %``: for what counts bytes."""
    ticker = Ticker()
    return lambda done, total: ticker.tell(f"{word} {100 * done // max(total, 1)} %".strip())


def settled(
    poll: Callable[[], T | None], busy: Callable[[T], str], *, what: str, limit: float = 600, own_line: bool = False
) -> T | None:
    """Ask until the thing is gone (None) or `busy` has nothing to say about it; `busy` tells the state while it lasts.

    Raises CloudFailed after `limit` seconds.
    """
    ticker, begun = Ticker(what if own_line else ""), time.monotonic()
    try:
        while (found := poll()) is not None and (state := busy(found)):
            if (gone_by := time.monotonic() - begun) > limit:
                raise CloudFailed(f"{what} is still {state} after {limit:g} s", hint="look at it on the site, then run again")
            ticker.pause(min(max(PACE, LATE * gone_by), SLOWEST), state)
        return found
    finally:
        ticker.close()


def gone(poll: Callable[[], object | None], *, what: str, limit: float = 600) -> None:
    """Ask until the thing is gone; raises CloudFailed after `limit` seconds."""
    settled(poll, lambda _: "going", what=what, limit=limit)
